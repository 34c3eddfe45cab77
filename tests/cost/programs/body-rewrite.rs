// cargo add tower-body-rewrite
// at most 455000 bytes, 8 seconds

use axum::{Router, response::Html, routing::get};
use tower_body_rewrite::{Replace, RewriteLayer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let script = "<script src=\"/live.js\"></script></body>";
    let script = Replace::ignoring_case([("</body>", script)])?.once();
    let layer = RewriteLayer::new(move |_| Some(script.clone())).types(["text/html"])?;
    let app = Router::new()
        .route("/", get(async || Html("<body>Hello</body>")))
        .layer(layer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
