//! The contract of tower and http-body.

use std::convert::Infallible;

use axum::{body::Body, extract::Request};
use http::{HeaderValue, Response, StatusCode};
use tower::{Layer, Service, service_fn};
use tower_error_document::{Document, ErrorDocumentLayer};
use tower_lint::contract;

#[test]
fn error_document_13_the_contract_is_kept() {
    let html = HeaderValue::from_static("text/html");
    for layer in [
        ErrorDocumentLayer::new(),
        ErrorDocumentLayer::new().status(StatusCode::IM_A_TEAPOT, Document::negotiated()),
        ErrorDocumentLayer::new().server_errors(Document::fixed(html, "sorry")),
    ] {
        contract::check(|inner| layer.layer(inner)).assert_kept();
    }
}

#[test]
fn error_document_13_a_future_can_be_debugged() {
    let mut service = ErrorDocumentLayer::new().layer(service_fn(async |_: Request| {
        Ok::<_, Infallible>(Response::new(Body::empty()))
    }));
    let future = service.call(Request::default());
    assert_eq!(format!("{future:?}"), "ResponseFuture { .. }");
}
