//! Error responses, in the format that the client prefers.

use std::io;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};
use tower_cascade::CascadeLayer;
use tower_kit::{Rejection, status_of};
use tower_static::{Files, FilesError};

use super::{Body, ask, header, site};

/// The method, the path, and the reason, which for a file that cannot be opened is an `io::Error`.
const REJECTED: [(&str, &str, Option<FilesError>); 7] = [
    ("GET", "/.env", Some(FilesError::NotServed)),
    ("POST", "/.env", Some(FilesError::NotServed)),
    ("GET", "/nowhere", None),
    ("POST", "/nowhere", None),
    ("GET", "/sub/deep.txt", Some(FilesError::PreconditionFailed)),
    ("POST", "/sub/deep.txt", Some(FilesError::MethodNotAllowed)),
    (
        "GET",
        "/sub/deep.txt",
        Some(FilesError::RangeNotSatisfiable),
    ),
];

/// Sends each request with a header, and checks the status and the headers of the rejection.
async fn rejected(
    files: &Files,
    name: &str,
    value: &str,
) -> Vec<(u16, &'static str, Response<Bytes>)> {
    let mut responses = Vec::new();
    for (method, path, reason) in REJECTED {
        let request = Request::builder().method(method).uri(path);
        let (status, request) = match reason {
            Some(FilesError::PreconditionFailed) => (412, request.header("if-match", "\"x\"")),
            Some(FilesError::RangeNotSatisfiable) => (416, request.header("range", "bytes=9-")),
            Some(FilesError::MethodNotAllowed) => (405, request),
            _ => (404, request),
        };
        let response = ask(files, request.header(name, value)).await;
        assert_eq!(status_of(&response), status, "{method} {path}");
        let rejection = Rejection::of(&response).unwrap();
        assert_eq!(rejection.reason(), reason.as_ref());
        assert_eq!(rejection.reason::<io::Error>().is_some(), reason.is_none());
        let allow = (status == 405).then_some("GET, HEAD");
        assert_eq!(header(&response, "allow"), allow);
        let range = (status == 416).then_some("bytes */4");
        assert_eq!(header(&response, "content-range"), range);
        responses.push((status, method, response));
    }
    responses
}

#[tokio::test]
async fn static_11_a_rejection_is_in_the_preferred_format() {
    let site = site("rejections");
    let files = site.files();
    for (status, _, response) in rejected(&files, "accept", "*/*").await {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.body(), &*format!("{status}\n"));
        assert_eq!(header(&response, "cache-control"), Some("no-store"));
    }
    for (status, _, response) in rejected(&files, "accept", "application/json").await {
        let body = std::str::from_utf8(response.body()).unwrap();
        assert!(body.contains(&format!("\"status\":{status}")), "{body}");
    }
    for (status, method, response) in rejected(&files, "content-type", "application/grpc").await {
        let on_the_wire = if method == "POST" { 200 } else { status };
        assert_eq!(response.status(), on_the_wire);
        let has_code = header(&response, "grpc-status").is_some();
        assert_eq!(has_code, method == "POST");
    }
}

/// For a client of gRPC the status on the wire is 200.
#[tokio::test]
async fn static_11_a_cascade_falls_through_a_rejection() {
    let site = site("cascade");
    let last = service_fn(async |_: Request<_>| Ok(Response::new(Body::from("last"))));
    let app = CascadeLayer::new(site.files()).layer(last);
    for (path, expected) in [("/nowhere", "last"), ("/.env", "last")] {
        for content_type in ["text/plain", "application/grpc"] {
            let request = Request::post(path).header("content-type", content_type);
            let request = request.body(Body::from("a body")).unwrap();
            let response = app.clone().oneshot(request).await;
            let response: Result<_, std::convert::Infallible> = response;
            let body = response.unwrap().into_body().collect().await.unwrap();
            assert_eq!(body.to_bytes(), expected, "{path} {content_type}");
        }
    }
}
