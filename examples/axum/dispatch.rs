//! tower-dispatch alone in axum: ordered routes with regexes, before the routes of an existing
//! router.
//!
//! `cargo run -p examples --bin axum-dispatch`, then `curl http://127.0.0.1:8080/v2/library/alpine/tags`.

use std::{env, error::Error};

use axum::{Router, routing::get};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_dispatch::{Args, Dispatch, DispatchLayer, Pattern};

async fn tags(Args(name): Args<String>) -> String {
    format!("the tags of {name}\n")
}

async fn year(Args((year, month)): Args<(u16, Option<u8>)>) -> String {
    match month {
        Some(month) => format!("{month} of {year}\n"),
        None => format!("all of {year}\n"),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let router: Router = Router::new().route("/", get(async || "axum's own\n"));
    let urls = Dispatch::builder()
        // axum's own router (matchit) supports neither slashes in the middle nor a group that may
        // be missing.
        .route("/v2/{*name}/tags", get(tags))
        .route(Pattern::regex("/([0-9]{4})(?:/([0-9]{2}))?")?, get(year))
        .build()?;
    let app = ServiceBuilder::new()
        .layer(DispatchLayer::new(urls))
        .service(router);

    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().fallback_service(app)).await?;
    Ok(())
}
