// cargo add tower-origin --features axum
// at most 211000 bytes, 6 seconds

use axum::{Router, routing::get};
use tower_origin::{Origin, OriginLayer};

async fn client(origin: Origin) -> String {
    format!("{:?}", origin.client())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let origin = OriginLayer::new()
        .trusted(["127.0.0.0/8", "::1"])?
        .hosts(["example.org"])?;
    let app = Router::new().route("/", get(client)).layer(origin);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
