//! tower-error-document alone on a plain hyper server: a service makes the page of each error, and
//! knows what has failed.
//!
//! `cargo run -p examples --bin hyper-error-document`, then `curl -i http://127.0.0.1:8080/a`.

mod server;

use std::{convert::Infallible, error::Error};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use tower::{ServiceBuilder, service_fn};
use tower_error_document::{Document, ErrorDocumentLayer, Failure};

/// Responds to `/` alone.
async fn start<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("the start\n"));
    if request.uri().path() != "/" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    Ok(response)
}

/// The page of an error. The status stays that of the failure.
async fn page(request: Request<Empty<Bytes>>) -> Result<Response<String>, Infallible> {
    let failure = request.extensions().get::<Failure>();
    let page = failure.map(|failure| {
        let path = html_escape::encode_text(failure.uri().path());
        format!("<h1>{}</h1>\n<p>There is no {path}.\n", failure.status())
    });
    let response = Response::builder().header("content-type", "text/html; charset=utf-8");
    let response = response.body(page.unwrap_or_default());
    Ok(response.expect("the header is well-formed"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let document = Document::service(service_fn(page), "/error")?;
    let app = ServiceBuilder::new()
        .layer(ErrorDocumentLayer::new().status(StatusCode::NOT_FOUND, document))
        .service(service_fn(start));
    server::serve(app).await
}
