//! tower-cascade alone on a plain hyper server: the files of a directory, and a service for all
//! other paths.
//!
//! `cargo run -p examples --bin hyper-cascade`, then `curl http://127.0.0.1:8080/notes.txt`.

mod server;

use std::{
    error::Error,
    io::{self, ErrorKind},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use tower::{BoxError, ServiceBuilder, service_fn};
use tower_cascade::CascadeLayer;
use tower_http::services::ServeDir;

/// The directory of the larger example.
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/site/files");

async fn rest<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, BoxError> {
    let text = format!("there is no file {}\n", request.uri().path());
    Ok(Response::new(Full::from(text)))
}

/// Returns whether an error of the file service means 404. Without this, a name that is too long is
/// 500.
fn no_such_file(error: &BoxError) -> bool {
    let error = error.downcast_ref::<io::Error>();
    let kind = error.map(io::Error::kind);
    matches!(
        kind,
        Some(
            ErrorKind::NotFound
                | ErrorKind::NotADirectory
                | ErrorKind::PermissionDenied
                | ErrorKind::InvalidFilename
        )
    )
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let files = ServeDir::new(FILES);
    let files = service_fn(move |request: Request<_>| files.clone().try_call(request));
    let files = CascadeLayer::new(files)
        // Other methods get a response of the file service itself, 405.
        .only(|head| matches!(head.method, Method::GET | Method::HEAD))
        // It redirects to a directory, which would shadow a path of that name.
        .statuses([StatusCode::NOT_FOUND, StatusCode::TEMPORARY_REDIRECT])?
        .on_error(no_such_file);
    let app = ServiceBuilder::new().layer(files).service(service_fn(rest));
    server::serve(app).await
}
