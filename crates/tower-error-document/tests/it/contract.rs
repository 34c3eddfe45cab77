//! The contract of tower and http-body.

use http::{HeaderValue, StatusCode};
use tower::Layer;
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
