// cargo add tower-static --features axum
// at most 467000 bytes, 10 seconds

use axum::{Router, routing::get};
use tower_static::Files;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new()
        .route("/api", get(async || "an API"))
        .fallback_service(Files::new("/srv/www"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
