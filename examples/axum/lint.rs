//! tower-lint alone in axum, in development: standard error has the rules of HTTP that a handler
//! breaks.
//!
//! `cargo run -p examples --bin axum-lint`, then `curl -i http://127.0.0.1:8080/`.

use std::{env, error::Error};

use axum::{Router, http::StatusCode, routing::get};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_lint::LintLayer;

/// Responds with 401, but without `WWW-Authenticate`.
async fn denied() -> (StatusCode, &'static str) {
    (StatusCode::UNAUTHORIZED, "who are you?\n")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let router: Router = Router::new().route("/", get(denied));
    let app = ServiceBuilder::new()
        .layer(LintLayer::new().report(|violation| eprintln!("{violation}")))
        .service(router);

    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().fallback_service(app)).await?;
    Ok(())
}
