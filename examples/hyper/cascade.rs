//! tower-cascade alone on a plain hyper server: a folder's files, and where there is none, a service.
//!
//! `cargo run -p examples --bin hyper-cascade`, then `curl http://127.0.0.1:8080/notes.txt`.

mod server;

use std::{convert::Infallible, error::Error};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use tower::{ServiceBuilder, service_fn};
use tower_cascade::CascadeLayer;
use tower_http::services::ServeDir;

/// The folder of the larger example.
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/site/files");

async fn rest<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = format!("there is no file {}\n", request.uri().path());
    Ok(Response::new(Full::from(text)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let files = CascadeLayer::new(ServeDir::new(FILES))
        // To other methods it answers 405, which is an answer.
        .only(|head| matches!(head.method, Method::GET | Method::HEAD));
    let app = ServiceBuilder::new().layer(files).service(service_fn(rest));
    server::serve(app).await
}
