// cargo add tower-serve
// at most 1480000 bytes, 10 seconds

use axum::{Router, routing::get};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new().route("/", get(async || "hello"));
    tower_serve::serve("127.0.0.1:8080", app).await?;
    Ok(())
}
