//! The way of a response to the client.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, VARY},
    response::Parts,
};
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_kit::{EitherBody, Preferences, Rejection};

use crate::{
    ErrorStatus, Failure,
    document::{self, Document, Kind, Page, Status},
    head,
    kept::Kept,
    rule::{self, Rules},
};

/// A response that waits for its document.
type Replacing<B> = Pin<Box<dyn Future<Output = Response<EitherBody<B>>> + Send>>;

pin_project! {
    /// The future of [`ErrorDocument`](crate::ErrorDocument).
    pub struct ResponseFuture<F, B> {
        #[pin]
        inner: F,
        // `None` if the response stays as it is, or after it was used for a document.
        kept: Option<Kept>,
        rules: Arc<Rules>,
        // Only a response that is replaced has one.
        replacing: Option<Replacing<B>>,
    }
}

impl<F, B> ResponseFuture<F, B> {
    pub(crate) fn new(inner: F, kept: Option<Kept>, rules: Arc<Rules>) -> Self {
        Self {
            inner,
            kept,
            rules,
            replacing: None,
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Output = Result<Response<EitherBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(replacing) = this.replacing {
            return replacing.as_mut().poll(cx).map(Ok);
        }
        let response = ready!(this.inner.poll(cx))?;
        let (Some(document), Some(kept)) = (this.rules.document(&response), this.kept.take())
        else {
            return Poll::Ready(Ok(response.map(EitherBody::inner)));
        };
        let replacing = this.replacing.insert(Box::pin(replace(
            this.rules.clone(),
            document.clone(),
            kept,
            response,
        )));
        replacing.as_mut().poll(cx).map(Ok)
    }
}

/// Returns the response with its document.
async fn replace<B>(
    rules: Arc<Rules>,
    document: Arc<Document>,
    kept: Kept,
    response: Response<B>,
) -> Response<EitherBody<B>>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let limit = match document.kind {
        Kind::Negotiated { text } if rule::has_text(&response) => text,
        _ => 0,
    };
    let (mut head, body) = response.into_parts();
    let failed = head.status;
    let status = match document.status {
        Status::Given(status) => status,
        Status::Failure | Status::Document => failed,
    };
    let preferences = || kept.preferences(&rules.needs);
    let response = match &document.kind {
        Kind::Negotiated { .. } => {
            let detail = match limit {
                0 => None,
                limit => detail(body, limit).await,
            };
            negotiated(preferences(), head, status, detail)
        }
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
            let request = kept.read(&rules.needs);
            let failure = Failure {
                status: failed,
                method: kept.method().clone(),
                uri: request.uri,
                rejection: Rejection::of_head(&head).cloned(),
            };
            let page = call(Document::request(path, request.headers, failure)).await;
            match page.map(|page| usable(page, &document)) {
                Ok(Ok(page)) => {
                    head.status = match document.status {
                        Status::Document => page.status(),
                        _ => status,
                    };
                    of_page(&kept, head, page)
                }
                // With another status than the first, it would be no error any more.
                Ok(Err(status)) => {
                    tracing::warn!(%path, %status, "an error document has failed");
                    negotiated(preferences(), head, failed, None)
                }
                Err(error) => {
                    tracing::warn!(%path, %error, "an error document has failed");
                    negotiated(preferences(), head, failed, None)
                }
            }
        }
    };
    response.map(EitherBody::own)
}

/// Returns the page if it is one, and otherwise its status.
fn usable(page: Page, document: &Document) -> Result<Page, StatusCode> {
    let status = page.status();
    let without_content = status.is_informational()
        || matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        );
    match document.status {
        Status::Document if !without_content => Ok(page),
        _ if status.is_success() && !without_content && status != StatusCode::PARTIAL_CONTENT => {
            Ok(page)
        }
        _ => Err(status),
    }
}

fn of_page(kept: &Kept, mut head: Parts, page: Page) -> Response<Full<Bytes>> {
    let (mut of_page, body) = page.into_parts();
    // Of a HEAD, the length is that of the page that GET would get.
    let length = match *kept.method() {
        Method::HEAD => of_page.headers.remove(CONTENT_LENGTH),
        _ => Some(body.len().into()),
    };
    head::without_body(&mut head);
    head::add_document(&mut head.headers, of_page.headers);
    with_body(kept, head, length, body)
}

fn with_body(
    kept: &Kept,
    mut head: Parts,
    length: Option<HeaderValue>,
    body: Bytes,
) -> Response<Full<Bytes>> {
    if let Some(length) = length {
        head.headers.insert(CONTENT_LENGTH, length);
    }
    let body = match *kept.method() {
        Method::HEAD => Bytes::new(),
        _ => body,
    };
    Response::from_parts(head, body.into())
}

/// Returns the response in the client's format.
fn negotiated(
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
    let text = document::read(body, limit).await.ok()?;
    let text = std::str::from_utf8(&text).ok()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

impl<F, B> fmt::Debug for ResponseFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
