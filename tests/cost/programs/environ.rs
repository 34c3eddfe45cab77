// cargo add tower-environ
// cargo add tower
// at most 152000 bytes, 5 seconds

use axum::{Router, extract::Request, routing::get};
use tower::Layer;
use tower_environ::{EnvironExt, EnvironLayer, Key, MountLayer};

const HELLO: Key<&'static str> = Key::new("app.hello");

async fn hello(request: Request) -> &'static str {
    request.environ(&HELLO).unwrap_or(&"no hello")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let router = Router::new()
        .route("/", get(hello))
        .layer(EnvironLayer::new(HELLO, "read it here"));
    let app = Router::new().fallback_service(MountLayer::new("/here")?.layer(router));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
