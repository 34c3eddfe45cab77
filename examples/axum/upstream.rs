//! tower-upstream alone in axum: a reverse proxy for all paths without a route.
//!
//! `cargo run -p examples --bin axum-static 127.0.0.1:8081` and
//! `cargo run -p examples --bin axum-upstream`, then `curl -i http://127.0.0.1:8080/notes.txt`.

use std::{env, error::Error, net::SocketAddr};

use axum::{Router, routing::get};
use tokio::net::TcpListener;
use tower_origin::OriginLayer;
use tower_upstream::Upstream;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1);
    let old = env::args().nth(2);
    let old = Upstream::new(old.as_deref().unwrap_or("http://127.0.0.1:8081"))?;
    let app = Router::new()
        .route("/new", get(async || "new\n"))
        .fallback_service(old)
        // It has the client's address, for X-Forwarded-For.
        .layer(OriginLayer::new());

    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await?;
    Ok(())
}
