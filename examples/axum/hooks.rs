//! tower-hooks alone in axum: a hook that responds instead of a handler, and one that adds a header
//! to every response, also to that of the other hook.
//!
//! `cargo run -p examples --bin axum-hooks`, then `curl -i http://127.0.0.1:8080/shop`.

use std::{env, error::Error, ops::ControlFlow};

use axum::{
    Router,
    http::{HeaderValue, Response, StatusCode, request, response},
    routing::get,
};
use bytes::Bytes;
use http_body_util::Full;
use tokio::net::TcpListener;
use tower_hooks::HooksLayer;

async fn closed(request: &mut request::Parts) -> ControlFlow<Response<Full<Bytes>>> {
    if request.uri.path() != "/shop" {
        return ControlFlow::Continue(());
    }
    let mut response = Response::new(Full::from("closed until tomorrow\n"));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    ControlFlow::Break(response)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let hooks = HooksLayer::new()
        .after(async |response: &mut response::Parts| {
            let deny = HeaderValue::from_static("DENY");
            response.headers.insert("x-frame-options", deny);
        })
        .before(closed);
    let app = Router::new()
        .route("/", get(async || "come in\n"))
        .route("/shop", get(async || "what do you need?\n"))
        .layer(hooks);

    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
