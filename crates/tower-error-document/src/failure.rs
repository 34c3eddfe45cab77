//! What is kept of a request, for the case that it fails.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{
        ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST,
        USER_AGENT,
    },
};
use smallvec::SmallVec;
use tower_kit::{Preferences, Rejection};

/// The headers that the format of a response depends on.
pub(crate) const FOR_FORMAT: [HeaderName; 2] = [ACCEPT, CONTENT_TYPE];

/// The headers that a document's service gets besides.
pub(crate) const FOR_SERVICE: [HeaderName; 6] = [
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    AUTHORIZATION,
    COOKIE,
    HOST,
    USER_AGENT,
];

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

/// The parts of a request that a document needs. All of them are reference counts.
pub(crate) struct Kept {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    headers: SmallVec<[(HeaderName, HeaderValue); 4]>,
}

impl Kept {
    pub(crate) fn of<B>(request: &Request<B>, names: &[HeaderName]) -> Self {
        let is_kept = |name: &HeaderName| names.contains(name);
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request
                .headers()
                .iter()
                .filter(|(name, _)| is_kept(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        }
    }

    pub(crate) fn preferences(&self) -> Preferences {
        Preferences::new(&self.method, &self.headers())
    }

    /// Returns the headers for a document's service. The body's type goes with the body.
    pub(crate) fn headers_of_page(&self) -> HeaderMap {
        let mut headers = self.headers();
        headers.remove(CONTENT_TYPE);
        headers
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        headers
    }
}
