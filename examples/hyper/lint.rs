//! tower-lint alone on a plain hyper server, in development: what a service breaks of HTTP's rules
//! is on standard error.
//!
//! `cargo run -p examples --bin hyper-lint`, then `curl -i http://127.0.0.1:8080/`.

mod server;

use std::{convert::Infallible, error::Error};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{ServiceBuilder, service_fn};
use tower_lint::LintLayer;

/// Does not say which methods are allowed.
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
