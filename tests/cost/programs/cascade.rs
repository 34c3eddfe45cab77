// cargo add tower-cascade
// cargo add tower
// at most 265000 bytes, 5 seconds

use axum::{Router, http::StatusCode, routing::post};
use tower::ServiceBuilder;
use tower_cascade::CascadeLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let new: Router = Router::new().route("/orders", post(async || StatusCode::NOT_FOUND));
    let old: Router = Router::new().route("/orders", post(async |order: String| order));
    let both = ServiceBuilder::new()
        .layer(CascadeLayer::new(new))
        .service(old);
    let app = Router::new().fallback_service(both);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
