// cargo add tower-gateway --features axum
// at most 551000 bytes, 15 seconds

use axum::{Router, routing::get};
use tower_gateway::{FastCgi, Scripts};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let php = FastCgi::connect("unix:/run/php/php8.2-fpm.sock")?.scripts(Scripts::php("/srv/www"));
    let app = Router::new()
        .route("/new", get(async || "new"))
        .fallback_service(php);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
