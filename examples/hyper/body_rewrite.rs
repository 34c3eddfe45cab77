//! tower-body-rewrite alone on a plain hyper server: a word before every line of text.
//!
//! `cargo run -p examples --bin hyper-body-rewrite`, then `curl http://127.0.0.1:8080/`.

mod server;

use std::{convert::Infallible, error::Error};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tower::{ServiceBuilder, service_fn};
use tower_body_rewrite::PrefixLayer;
use tower_http::map_request_body::MapRequestBodyLayer;

async fn lines<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("one\ntwo\n"));
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = ServiceBuilder::new()
        // The service may be called twice, the second time with an empty body. Hyper's own body
        // cannot be made empty, and a box of it can.
        .layer(MapRequestBodyLayer::new(|body: Incoming| body.boxed()))
        .layer(PrefixLayer::new("> "))
        .service(service_fn(lines));
    server::serve(app).await
}
