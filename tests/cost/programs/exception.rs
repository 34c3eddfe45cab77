// cargo add tower-exception
// at most 306000 bytes, 6 seconds

use axum::{Router, extract::Path, routing::get};
use tower_exception::{ExceptionLayer, install_panic_hook, to_stderr};

async fn divide(Path(by): Path<u32>) -> String {
    (6 / by).to_string()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    install_panic_hook();
    let app = Router::new()
        .route("/divide/{by}", get(divide))
        .layer(ExceptionLayer::production(to_stderr));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
