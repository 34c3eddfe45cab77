//! The way of a response to the client.

use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    mem,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, VARY},
    response::Parts,
};
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_kit::{EitherBody, Preferences, Rejection, content::RequestKind};

use crate::{
    ErrorStatus, Failure,
    document::{Document, Kind, Status},
    head,
    kept::{Kept, Read},
    page::{self, Failed},
    rule,
};

/// A response that waits for its document.
pub(crate) type Replacing = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>;

pin_project! {
    /// The future of [`ErrorDocument`](crate::ErrorDocument).
    pub struct ResponseFuture<F> {
        // `None` after the response is replaced.
        #[pin]
        inner: Option<F>,
        kept: Kept,
        // Only a response that is replaced has one.
        replacing: Option<Replacing>,
    }
}

impl<F> ResponseFuture<F> {
    #[inline]
    pub(crate) fn new(kept: Kept, call: impl FnOnce() -> F) -> Self {
        Self {
            kept,
            replacing: None,
            // It is called last, and so it is moved less often.
            inner: Some(call()),
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Output = Result<Response<EitherBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(inner) = this.inner.as_mut().as_pin_mut() {
            let polled = inner.poll(cx);
            let response = match polled {
                Poll::Ready(Ok(response)) if rule::is_error(response.status()) => response,
                // It is not taken apart before, which would move it once more. For `ratios`
                // error-document/passes.
                polled => return polled.map_ok(|response| response.map(EitherBody::inner)),
            };
            match replace(this.kept, response) {
                Replaced::Now(response) => return Poll::Ready(Ok(response)),
                Replaced::Later(response) => *this.replacing = Some(response),
            }
            // What it holds, such as a permit, may be what the document waits for.
            this.inner.set(None);
        }
        let replacing = this.replacing.as_mut().expect("it replaces the inner one");
        let response = ready!(replacing.as_mut().poll(cx));
        Poll::Ready(Ok(response.map(EitherBody::own)))
    }
}

enum Replaced<B> {
    Now(Response<EitherBody<B>>),
    Later(Replacing),
}

/// Begins to replace an error, if there is a document for it.
#[cold]
fn replace<B>(kept: &mut Kept, response: Response<B>) -> Replaced<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let rules = kept.rules();
    let document = rules.as_ref().and_then(|rules| rules.document(&response));
    let document = match document {
        Some(document) if !kept.is_connect() => document,
        _ => return Replaced::Now(response.map(EitherBody::inner)),
    };
    let kept = mem::take(kept);
    let limit = match document.kind {
        Kind::Negotiated { text } if rule::has_text(&response) => text,
        _ => 0,
    };
    let (mut head, body) = response.into_parts();
    let status = match document.status {
        Status::Given(status) => status,
        Status::Failure | Status::Document => head.status,
    };
    if !RequestKind::Other.has_content(status) {
        head.status = status;
        head::without_body(&mut head);
        return Replaced::Now(Response::from_parts(head, EitherBody::default()));
    }
    let response = match &document.kind {
        Kind::Negotiated { .. } if limit > 0 => {
            return Replaced::Later(Box::pin(async move {
                let detail = detail(body, limit).await;
                negotiated(kept.preferences(), head, status, detail)
            }));
        }
        Kind::Negotiated { .. } => negotiated(kept.preferences(), head, status, None),
        // A client of gRPC cannot read a page.
        Kind::Service(..) if kept.is_grpc() => negotiated(kept.preferences(), head, status, None),
        Kind::Fixed { content_type, body } => {
            head.status = status;
            head::without_body(&mut head);
            head.headers.insert(CONTENT_TYPE, content_type.clone());
            let length = Some(body.len().into());
            with_body(&kept, head, length, body.clone())
        }
        Kind::Service(call, path) => {
            // It is not read, and the connection may be of use for the document.
            drop(body);
            let Read {
                method,
                uri,
                headers,
            } = kept.read();
            let failure = Failure {
                status: head.status,
                method,
                uri,
                rejection: Rejection::of_head(&head).cloned(),
            };
            let request = Document::request(path, headers, failure);
            let document = document.clone();
            let failed = Failed {
                head,
                kept,
                document,
            };
            return Replaced::Later(call(request, failed));
        }
    };
    Replaced::Now(response.map(EitherBody::own))
}

/// Returns the response with a body that a HEAD does not get.
pub(crate) fn with_body(
    kept: &Kept,
    mut head: Parts,
    length: Option<HeaderValue>,
    body: Bytes,
) -> Response<Full<Bytes>> {
    if let Some(length) = length {
        head.headers.insert(CONTENT_LENGTH, length);
    }
    let body = match kept.is_head() {
        true => Bytes::new(),
        false => body,
    };
    Response::from_parts(head, body.into())
}

/// Returns the response in the client's format.
pub(crate) fn negotiated(
    preferences: Preferences,
    mut head: Parts,
    status: StatusCode,
    detail: Option<String>,
) -> Response<Full<Bytes>> {
    let mut rejection = Rejection::of_plain_error(&head, ErrorStatus::new(head.status));
    rejection = rejection.with_status(status);
    if let Some(detail) = detail {
        rejection = rejection.with_detail(detail);
    }
    head.status = status;
    head::without_body(&mut head);
    let range = head.headers.get(CONTENT_RANGE).cloned();
    let vary: Vec<_> = head.headers.get_all(VARY).iter().cloned().collect();
    head.headers.remove(VARY);
    let mut response = rejection.response_instead_of(head, preferences);
    let headers = response.headers_mut();
    // That of the format stays, too.
    for value in vary {
        headers.append(VARY, value);
    }
    if let Some(range) = range {
        headers.insert(CONTENT_RANGE, range);
    }
    response
}

/// Returns the text of a failed response.
async fn detail<B>(body: B, limit: usize) -> Option<String>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut body = pin!(body);
    let mut read = page::Read::new(limit);
    let text = poll_fn(|cx| read.poll(body.as_mut(), cx)).await.ok()?;
    let text = std::str::from_utf8(&text).ok()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
