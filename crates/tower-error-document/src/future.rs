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
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    response::Parts,
};
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_kit::{EitherBody, Rejection};

use crate::{
    ErrorStatus, Failure,
    document::{self, Document, Kind, Page, Status},
    failure::Kept,
    head,
    rule::{self, Rules},
};

/// A response that waits for its document.
type Replacing<B> = Pin<Box<dyn Future<Output = Response<EitherBody<B>>> + Send>>;

pin_project! {
    /// The future of [`ErrorDocument`](crate::ErrorDocument).
    pub struct ResponseFuture<F, B> {
        #[pin]
        inner: F,
        // `None` after it was used for a document.
        kept: Option<Kept>,
        rules: Arc<Rules>,
        // Only a response that is replaced has one.
        replacing: Option<Replacing<B>>,
    }
}

impl<F, B> ResponseFuture<F, B> {
    pub(crate) fn new(inner: F, kept: Kept, rules: Arc<Rules>) -> Self {
        Self {
            inner,
            kept: Some(kept),
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
        let (head, body) = response.into_parts();
        let document = this.rules.document(&head, &body).cloned();
        let (Some(document), Some(kept)) = (document, this.kept.take()) else {
            return Poll::Ready(Ok(Response::from_parts(head, EitherBody::inner(body))));
        };
        if kept.method == Method::CONNECT {
            return Poll::Ready(Ok(Response::from_parts(head, EitherBody::inner(body))));
        }
        let replacing = this
            .replacing
            .insert(Box::pin(replace(document, kept, head, body)));
        replacing.as_mut().poll(cx).map(Ok)
    }
}

/// Returns the response with its document.
async fn replace<B>(
    document: Arc<Document>,
    kept: Kept,
    mut head: Parts,
    body: B,
) -> Response<EitherBody<B>>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let failed = head.status;
    let response = match &document.kind {
        Kind::Negotiated { text } => {
            let response = Response::from_parts(head, body);
            let has_text =
                *text > 0 && rule::has_text(&response) && Rejection::of(&response).is_none();
            let (head, body) = response.into_parts();
            let detail = match has_text {
                true => detail(body, *text).await,
                false => None,
            };
            negotiated(&kept, head, detail)
        }
        Kind::Fixed { content_type, body } => {
            head::without_body(failed, &mut head.headers);
            head.headers.insert(CONTENT_TYPE, content_type.clone());
            with_body(&kept, head, body.clone())
        }
        Kind::Service(call, path) => {
            // It is not read, and the connection may be of use for the document.
            drop(body);
            let failure = Failure {
                status: failed,
                method: kept.method.clone(),
                uri: kept.uri.clone(),
                rejection: Rejection::of_head(&head).cloned(),
            };
            let page = call(Document::request(path, &kept, failure)).await;
            match page.map(|page| usable(page, &document)) {
                Ok(Ok(page)) => of_page(&kept, head, page, document.status),
                Ok(Err(status)) => {
                    tracing::warn!(%path, %status, "an error document has failed");
                    negotiated(&kept, head, None)
                }
                Err(error) => {
                    tracing::warn!(%path, %error, "an error document has failed");
                    negotiated(&kept, head, None)
                }
            }
        }
    };
    let mut response = response.map(EitherBody::own);
    if let Status::Given(status) = document.status {
        *response.status_mut() = status;
    }
    response
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

fn of_page(kept: &Kept, mut head: Parts, page: Page, status: Status) -> Response<Full<Bytes>> {
    let (of_page, body) = page.into_parts();
    head::without_body(head.status, &mut head.headers);
    // Of a HEAD, the length is that of the page that GET would get.
    let length = match kept.method {
        Method::HEAD => of_page.headers.get(CONTENT_LENGTH).cloned(),
        _ => Some(HeaderValue::from(body.len())),
    };
    head::add_document(&mut head.headers, of_page.headers, body.len());
    match length {
        Some(length) => head.headers.insert(CONTENT_LENGTH, length),
        None => head.headers.remove(CONTENT_LENGTH),
    };
    if status == Status::Document {
        head.status = of_page.status;
    }
    let body = if kept.method == Method::HEAD {
        Bytes::new()
    } else {
        body
    };
    Response::from_parts(head, body.into())
}

fn with_body(kept: &Kept, mut head: Parts, body: Bytes) -> Response<Full<Bytes>> {
    head.headers
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let body = if kept.method == Method::HEAD {
        Bytes::new()
    } else {
        body
    };
    Response::from_parts(head, body.into())
}

/// Returns the response in the client's format.
fn negotiated(kept: &Kept, mut head: Parts, detail: Option<String>) -> Response<Full<Bytes>> {
    let status = head.status;
    let range = match status {
        StatusCode::RANGE_NOT_SATISFIABLE => head.headers.get(http::header::CONTENT_RANGE).cloned(),
        _ => None,
    };
    let mut rejection = Rejection::of_plain_error(&head, ErrorStatus::new(status));
    if let Some(detail) = detail {
        rejection = rejection.with_detail(detail);
    }
    head::without_body(status, &mut head.headers);
    let mut response = rejection.response_instead_of(head, kept.preferences());
    if let Some(range) = range {
        response
            .headers_mut()
            .insert(http::header::CONTENT_RANGE, range);
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
