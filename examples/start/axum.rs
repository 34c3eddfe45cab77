//! An axum program with one layer. It is shown in docs/guides/getting-started.md.

use axum::{Router, routing::get};
use tokio::net::TcpListener;
use tower_exception::{ExceptionLayer, to_stderr};

async fn broken() -> String {
    panic!("this handler always panics")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new()
        .route("/", get(async || "Hello\n"))
        .route("/broken", get(broken))
        .layer(ExceptionLayer::production(to_stderr));

    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
