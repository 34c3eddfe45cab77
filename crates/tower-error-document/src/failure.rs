//! What the service of a document is told about the request that failed.

use http::{Method, Uri};
use tower_kit::Rejection;

/// The request and the response that a document is for. It is in the extensions of the request to
/// the document's service.
///
/// ```
/// use http::{Request, Response};
/// use tower_error_document::Failure;
///
/// async fn page(request: Request<String>) -> Response<String> {
///     let failure: &Failure = request.extensions().get().unwrap();
///     let detail = failure.rejection().and_then(|rejection| rejection.detail());
///     let page = format!("{} {}: {}", failure.status(), failure.uri(), detail.unwrap_or_default());
///     Response::new(page)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Failure {
    pub(crate) status: http::StatusCode,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) rejection: Option<Rejection>,
}

impl Failure {
    /// Returns the status of the response that failed.
    #[must_use]
    pub fn status(&self) -> http::StatusCode {
        self.status
    }

    /// Returns the method of the request that failed.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the URI of the request that failed, as the layer has seen it.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Returns the reason, if the response was a rejection. Only its detail and its id are meant
    /// for clients.
    #[must_use]
    pub fn rejection(&self) -> Option<&Rejection> {
        self.rejection.as_ref()
    }
}
