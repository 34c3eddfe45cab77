//! A function of AWS Lambda with one layer. It is shown in docs/guides/getting-started.md.

use axum::{Router, routing::get};
use tower_exception::{ExceptionLayer, to_stderr};

async fn broken() -> String {
    panic!("this handler always panics")
}

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let app = Router::new()
        .route("/", get(async || "Hello\n"))
        .route("/broken", get(broken))
        .layer(ExceptionLayer::production(to_stderr));
    lambda_http::run(app).await
}
