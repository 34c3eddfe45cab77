use std::sync::Arc;

use http::{HeaderName, StatusCode};
use tower_layer::Layer;

use crate::{Document, ErrorDocument, document::Kind, rule::Rules};

/// A layer that replaces the bodies of error responses.
///
/// Without a rule it replaces nothing.
///
/// ```
/// use axum::{Json, Router, routing::post};
/// use serde_json::Value;
/// use tower_error_document::{Document, ErrorDocumentLayer};
///
/// let app: Router = Router::new()
///     .route("/orders", post(async |Json(_): Json<Value>| "done"))
///     // Malformed JSON, a wrong type and a wrong path are problem+json for clients that ask for it.
///     .layer(ErrorDocumentLayer::new().all_errors(Document::negotiated().with_text(500)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ErrorDocumentLayer {
    rules: Arc<Rules>,
}

impl ErrorDocumentLayer {
    /// Returns a layer without a rule.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the document for this status, 400 to 599. It counts before those for several statuses,
    /// in any order of the calls.
    #[must_use]
    pub fn status(self, status: StatusCode, document: Document) -> Self {
        self.with(|rules| {
            let document = used(rules, document);
            rules.statuses.retain(|(other, _)| *other != status);
            rules.statuses.push((status, Some(document)));
        })
    }

    /// Sets the document for all statuses from 400 to 499. Default: none.
    #[must_use]
    pub fn client_errors(self, document: Document) -> Self {
        self.with(|rules| rules.client_errors = Some(used(rules, document)))
    }

    /// Sets the document for all statuses from 500 to 599. Default: none.
    #[must_use]
    pub fn server_errors(self, document: Document) -> Self {
        self.with(|rules| rules.server_errors = Some(used(rules, document)))
    }

    /// Sets the document for all statuses from 400 to 599. Default: none.
    #[must_use]
    pub fn all_errors(self, document: Document) -> Self {
        self.client_errors(document.clone()).server_errors(document)
    }

    /// Leaves responses with this status as they are.
    #[must_use]
    pub fn except(self, status: StatusCode) -> Self {
        self.with(|rules| {
            rules.statuses.retain(|(other, _)| *other != status);
            rules.statuses.push((status, None));
        })
    }

    /// Replaces bodies of any type. By default only a rejection, an empty body and one in plain
    /// text or without a type are replaced, because other bodies were made for their readers.
    ///
    /// A response with [`KeepBody`](crate::KeepBody), problem+json and gRPC stay in either case.
    #[must_use]
    pub fn any_content(self) -> Self {
        self.with(|rules| rules.any_content = true)
    }

    /// Adds headers of the failed request that the service of a document gets. Default: those that
    /// [`Document::service`] lists.
    ///
    /// Fields about the body, ranges and conditions are never passed on.
    #[must_use]
    pub fn keep_headers(self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        let names = names.into_iter().filter(is_passed);
        self.with(|rules| rules.needs.others.extend(names))
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }
}

/// Returns whether a document's service may get a header. With a range or a condition, the page
/// would be cut or left out.
fn is_passed(name: &HeaderName) -> bool {
    let name = name.as_str();
    let others = [
        "connection",
        "expect",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    !name.starts_with("content-") && !name.starts_with("if-") && !others.contains(&name)
}

/// Returns a document for which requests are kept from now on.
fn used(rules: &mut Rules, document: Document) -> Arc<Document> {
    match document.kind {
        Kind::Fixed { .. } => {}
        Kind::Negotiated { .. } => rules.needs.format = true,
        // It is a negotiated one if the service fails.
        Kind::Service(..) => (rules.needs.format, rules.needs.page) = (true, true),
    }
    Arc::new(document)
}

impl<S> Layer<S> for ErrorDocumentLayer {
    type Service = ErrorDocument<S>;

    fn layer(&self, inner: S) -> ErrorDocument<S> {
        ErrorDocument {
            inner,
            rules: self.rules.clone(),
        }
    }
}
