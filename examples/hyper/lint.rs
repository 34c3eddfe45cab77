//! tower-lint alone on a plain hyper server, in development: standard error has the rules of HTTP
//! that a service breaks.
//!
//! `cargo run -p examples --bin hyper-lint`, then `curl -i http://127.0.0.1:8080/`.

mod server;

use std::{convert::Infallible, error::Error};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{ServiceBuilder, service_fn};
use tower_lint::LintLayer;

/// Responds with 405, but without `Allow`.
async fn refused<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("not like this\n"));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = ServiceBuilder::new()
        .layer(LintLayer::new().report(|violation| eprintln!("{violation}")))
        .service(service_fn(refused));
    server::serve(app).await
}
