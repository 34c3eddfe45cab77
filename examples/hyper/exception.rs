//! tower-exception alone on a plain hyper server: an error of the service becomes a 500 with an id
//! that is in the log, where hyper by itself would close the connection.
//!
//! `cargo run -p examples --bin hyper-exception`, then `curl -i 'http://127.0.0.1:8080/?ten'`.

mod server;

use std::error::Error;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{BoxError, ServiceBuilder, service_fn};
use tower_exception::{ExceptionLayer, to_stderr};

async fn double<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, BoxError> {
    let number: i32 = request.uri().query().ok_or("no number")?.parse()?;
    Ok(Response::new(Full::from(format!("{}\n", 2 * number))))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = ServiceBuilder::new()
        .layer(ExceptionLayer::production(to_stderr))
        .service(service_fn(double));
    server::serve(app).await
}
