// cargo add tower-hooks
// cargo add http
// at most 182000 bytes, 5 seconds

use std::ops::ControlFlow;

use axum::{
    Router,
    http::{Response, StatusCode, request},
    routing::get,
};
use tower_hooks::HooksLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hooks = HooksLayer::new().before(|request: &mut request::Parts| {
        if request.headers.contains_key("x-key") {
            return ControlFlow::Continue(());
        }
        let mut response = Response::new("Who are you?\n".into());
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        ControlFlow::Break(response)
    });
    let app = Router::new().route("/", get(async || "fine")).layer(hooks);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
