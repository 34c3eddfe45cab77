// cargo add tower-upstream --features axum
// at most 1940000 bytes, 20 seconds

use axum::{Router, routing::get};
use tower_upstream::Upstream;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let old = Upstream::new("http://127.0.0.1:8081")?;
    let app = Router::new()
        .route("/new", get(async || "new"))
        .fallback_service(old);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
