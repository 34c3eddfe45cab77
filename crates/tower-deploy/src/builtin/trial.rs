//! Apps to try a stack with: one that reads the request's body, and one that panics.

use std::{convert::Infallible, fmt::Write};

use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use tower_kit::Rejection;

use crate::{App, Body, Settings, reason::Reason};

/// Makes `egg:tower#checksum`: the length and the SHA-256 of a request's body of any size.
pub(super) fn checksum(_: &Settings, (): ()) -> Result<App, Infallible> {
    Ok(App::new(tower::service_fn(
        async |request: Request<Body>| {
            let (head, mut body) = request.into_parts();
            let (mut length, mut sha256) = (0, Sha256::new());
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else {
                    let detail = "the body broke off";
                    let rejection = Rejection::new(StatusCode::BAD_REQUEST, Reason(detail));
                    let response = rejection.with_detail(detail).response_for(&head);
                    return Ok(response.map(Body::new));
                };
                if let Some(data) = frame.data_ref() {
                    length += data.len();
                    sha256.update(data);
                }
            }
            let mut hex = String::new();
            for byte in sha256.finalize() {
                let _ = write!(hex, "{byte:02x}");
            }
            let json = format!("{{\"length\":{length},\"sha256\":\"{hex}\"}}\n");
            let mut response = Response::new(Body::from(json));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            Ok::<_, Infallible>(response)
        },
    )))
}

/// Makes `egg:tower#panic`, which panics at every request.
pub(super) fn panic(_: &Settings, (): ()) -> Result<App, Infallible> {
    Ok(App::new(tower::service_fn(async |_: Request<Body>| {
        let broken = || -> Result<Response<Body>, Infallible> { panic!("this app always panics") };
        broken()
    })))
}
