//! tower-dispatch alone on a plain hyper server: a dispatcher is a service by itself, with 404, 405
//! and responses to OPTIONS.
//!
//! `cargo run -p examples --bin hyper-dispatch`, then `curl http://127.0.0.1:8080/hello/John`.

mod server;

use std::{convert::Infallible, error::Error};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::service_fn;
use tower_dispatch::{Dispatch, UrlArgs};

async fn hello<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let args = request.extensions().get::<UrlArgs>();
    let name = args.and_then(|args| args.name("name")).unwrap_or("World");
    Ok(Response::new(Full::from(format!("Hello {name}\n"))))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = Dispatch::builder()
        .get("/hello[/{name}]", service_fn(hello))
        .build()?;
    server::serve(app).await
}
