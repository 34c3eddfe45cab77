//! The documents that take the place of an error's body.

use std::{error::Error, fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, uri::PathAndQuery};
use http_body::Body;
use http_body_util::Empty;
use tower_service::Service;

use crate::{
    Failure,
    future::Replacing,
    page::{Failed, WithPage},
};

type BoxError = Box<dyn Error + Send + Sync>;

/// A document that takes the place of an error's body.
///
/// The status stays, unless [`with_status`](Self::with_status) or
/// [`with_own_status`](Self::with_own_status) sets another one.
#[derive(Clone)]
pub struct Document {
    pub(crate) kind: Kind,
    pub(crate) status: Status,
}

#[derive(Clone)]
pub(crate) enum Kind {
    Negotiated {
        /// The largest text that becomes the detail, in bytes.
        text: usize,
    },
    Fixed {
        content_type: HeaderValue,
        body: Bytes,
    },
    Service(Arc<Call>, PathAndQuery),
}

/// Asks a service for the page of a failed response.
type Call = dyn Fn(Request<Empty<Bytes>>, Failed) -> Replacing + Send + Sync;

/// Whose status the response has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Failure,
    Given(StatusCode),
    Document,
}

impl Document {
    /// Returns a document in the format that the client prefers: problem+json (RFC 9457), JSON,
    /// HTML or text, and gRPC for a client of gRPC.
    ///
    /// It has the status, and of a [`Rejection`](tower_kit::Rejection) the detail and the id.
    #[must_use]
    pub fn negotiated() -> Self {
        Self::of(Kind::Negotiated { text: 0 })
    }

    /// Returns a fixed document with this content type.
    ///
    /// ```
    /// use http::HeaderValue;
    /// use tower_error_document::Document;
    ///
    /// let html = HeaderValue::from_static("text/html; charset=utf-8");
    /// let sorry = Document::fixed(html, "<!DOCTYPE html><title>Sorry</title><p>Come back later.");
    /// ```
    #[must_use]
    pub fn fixed(content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self::of(Kind::Fixed {
            content_type,
            body: body.into(),
        })
    }

    /// Returns a document that is the response of a service to GET of this path.
    ///
    /// The request is a HEAD if the failed one was. It has no body, and of the failed request the
    /// headers `Accept`, `Accept-Encoding`, `Accept-Language`, `Authorization`, `Cookie`, `Host`
    /// and `User-Agent`, and those that
    /// [`keep_headers`](crate::ErrorDocumentLayer::keep_headers) names. A [`Failure`] is in its
    /// extensions.
    ///
    /// If the service fails, responds with another status than 2xx, or with more than 1 MiB, the
    /// response is a [negotiated](Self::negotiated) one instead. It is never called again for that.
    /// A request of gRPC gets a negotiated one at once, because its client cannot read a page.
    ///
    /// There is no limit to the time that the service takes. A timeout around it sets one, and is
    /// an error of the service.
    ///
    /// # Errors
    ///
    /// Returns an error for a path that does not begin with a slash.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use http::StatusCode;
    /// use tower_error_document::{Document, ErrorDocumentLayer};
    ///
    /// # fn main() -> Result<(), tower_error_document::PathError> {
    /// let pages = Router::new().route("/404.html", get(async || "this page is not here"));
    /// let layer = ErrorDocumentLayer::new()
    ///     .status(StatusCode::NOT_FOUND, Document::service(pages, "/404.html")?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn service<S, B>(service: S, path: &str) -> Result<Self, PathError>
    where
        S: Service<Request<Empty<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: Body<Error: Into<BoxError>> + Send + 'static,
    {
        if !path.starts_with('/') {
            return Err(PathError(path.to_owned()));
        }
        let path = PathAndQuery::try_from(path).map_err(|_| PathError(path.to_owned()))?;
        let call = move |request, failed: Failed| -> Replacing {
            Box::pin(WithPage::<S, S::Future, B>::new(
                service.clone(),
                request,
                failed,
            ))
        };
        Ok(Self::of(Kind::Service(Arc::new(call), path)))
    }

    fn of(kind: Kind) -> Self {
        Self {
            kind,
            status: Status::Failure,
        }
    }

    /// Sets the status of the response, as `error_page 404 =200 /…` of nginx does. Default: that of
    /// the failure.
    ///
    /// If the service of the document fails, the status is that of the failure. With 204, 205 or
    /// 304 the response has no body, and the service is not called. A 1xx changes nothing, because
    /// it cannot be the status of a response.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        if !status.is_informational() {
            self.status = Status::Given(status);
        }
        self
    }

    /// Takes the status of the service's response, as `error_page 404 = /…` of nginx does. By
    /// default it is that of the failure.
    ///
    /// The service may then respond with any status except 1xx, 204 and 304.
    #[must_use]
    pub fn with_own_status(mut self) -> Self {
        self.status = Status::Document;
        self
    }

    /// Shows a text of the failed response as the detail of a negotiated document, up to so many
    /// bytes. By default its text is dropped.
    ///
    /// It counts for 4xx in `text/plain`, as those of axum's extractors. A text of a 5xx is never
    /// shown, because it may name internals. The text of a 4xx may quote the request. A longer text
    /// is dropped. The response waits for the end of the text, and has no time limit of its own.
    #[must_use]
    pub fn with_text(mut self, limit: usize) -> Self {
        if let Kind::Negotiated { text } = &mut self.kind {
            *text = limit;
        }
        self
    }

    /// Returns whether a service's response with this status is a page.
    pub(crate) fn is_page(&self, status: StatusCode) -> bool {
        let without_content = status.is_informational()
            || matches!(
                status,
                StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
            );
        let is_wanted = self.status == Status::Document
            || status.is_success() && status != StatusCode::PARTIAL_CONTENT;
        is_wanted && !without_content
    }

    /// Returns the request for the page of a service.
    pub(crate) fn request(
        path: &PathAndQuery,
        headers: HeaderMap,
        failure: Failure,
    ) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.method_mut() = match failure.method {
            Method::HEAD => Method::HEAD,
            _ => Method::GET,
        };
        // The host of an absolute URI stays: that is how HTTP/2 names it.
        *request.uri_mut() = match failure.uri.scheme() {
            Some(_) => {
                let mut parts = failure.uri.clone().into_parts();
                parts.path_and_query = Some(path.clone());
                Uri::from_parts(parts).expect("only the path is another one")
            }
            None => Uri::from(path.clone()),
        };
        *request.headers_mut() = headers;
        request.extensions_mut().insert(failure);
        request
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Negotiated { .. } => "negotiated",
            Kind::Fixed { .. } => "fixed",
            Kind::Service(_, path) => path.as_str(),
        };
        f.debug_tuple("Document").field(&kind).finish()
    }
}

/// The error of a path that does not lead to a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError(String);

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a path, such as /404.html", self.0)
    }
}

impl Error for PathError {}
