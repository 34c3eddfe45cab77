//! The page of a document's service, in place of a failed response.

use std::{
    error::Error,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderValue, Request, Response, header::CONTENT_LENGTH, response::Parts};
use http_body::Body;
use http_body_util::{Empty, Full};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    document::{Document, Status},
    future::{negotiated, with_body},
    head,
    kept::Kept,
};

/// The largest page of a service, in bytes.
const LIMIT: usize = 1024 * 1024;

type BoxError = Box<dyn Error + Send + Sync>;

/// The page of a service, with its body.
type Page = Response<Bytes>;

/// A failed response that waits for its page.
pub(crate) struct Failed {
    pub(crate) head: Parts,
    pub(crate) kept: Kept,
    pub(crate) document: Arc<Document>,
}

impl Failed {
    /// Returns the response with its page.
    pub(crate) fn with_page(self, page: Result<Page, BoxError>) -> Response<Full<Bytes>> {
        let (page, body) = match page {
            Ok(page) if self.document.is_page(page.status()) => page.into_parts(),
            Ok(page) => {
                let (document, status) = (&self.document, page.status());
                tracing::warn!(?document, %status, "an error document has failed");
                return self.without_page();
            }
            Err(error) => {
                let document = &self.document;
                tracing::warn!(?document, %error, "an error document has failed");
                return self.without_page();
            }
        };
        let status = match self.document.status {
            Status::Document => page.status,
            Status::Failure => self.head.status,
            Status::Given(status) => status,
        };
        let mut head = self.head;
        head.status = status;
        head::without_body(&mut head);
        // Of a HEAD, the length is that of the page that GET would get.
        let length = head::add_document(&mut head.headers, page.headers);
        let is_right = |length: &HeaderValue| number(length) == Some(body.len());
        let length = match self.kept.is_head() {
            true => length,
            false => length.filter(is_right).or_else(|| Some(body.len().into())),
        };
        with_body(&self.kept, head, length, body)
    }

    /// Returns a response in the client's format. With another status than the first, it would seem
    /// to be no error.
    fn without_page(self) -> Response<Full<Bytes>> {
        let status = self.head.status;
        negotiated(self.kept.preferences(), self.head, status, None)
    }
}

pin_project! {
    /// A response that waits for the page of a service.
    ///
    /// It is in a box, and a large one costs more. An `async` block would hold the request and the
    /// service twice. For `ratios` error-document/replaced.
    pub(crate) struct WithPage<S, F, B> {
        failed: Option<Failed>,
        #[pin]
        state: State<S, F, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F, B> {
        NotReady {
            service: S,
            request: Option<Request<Empty<Bytes>>>,
        },
        Calling {
            #[pin]
            future: F,
        },
        Reading {
            head: Option<Parts>,
            #[pin]
            body: B,
            read: Read,
        },
    }
}

impl<S, F, B> WithPage<S, F, B> {
    pub(crate) fn new(service: S, request: Request<Empty<Bytes>>, failed: Failed) -> Self {
        Self {
            failed: Some(failed),
            state: State::NotReady {
                service,
                request: Some(request),
            },
        }
    }
}

impl<S, B> WithPage<S, S::Future, B>
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>>,
{
    fn poll_page(
        mut state: Pin<&mut State<S, S::Future, B>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Page, BoxError>> {
        loop {
            let next = match state.as_mut().project() {
                StateProj::NotReady { service, request } => {
                    ready!(service.poll_ready(cx)).map_err(Into::into)?;
                    let request = request.take().expect(COMPLETED);
                    State::Calling {
                        future: service.call(request),
                    }
                }
                StateProj::Calling { future } => {
                    let response = ready!(future.poll(cx)).map_err(Into::into)?;
                    let (head, body) = response.into_parts();
                    // A HEAD has no page that would be too large for GET.
                    let length = head.headers.get(CONTENT_LENGTH).and_then(number);
                    if length.is_some_and(|length| length > LIMIT) {
                        return Poll::Ready(Err(TooLarge(LIMIT).into()));
                    }
                    State::Reading {
                        head: Some(head),
                        body,
                        read: Read::new(LIMIT),
                    }
                }
                StateProj::Reading { head, body, read } => {
                    let body = ready!(read.poll(body, cx))?;
                    let head = head.take().expect(COMPLETED);
                    return Poll::Ready(Ok(Response::from_parts(head, body)));
                }
            };
            state.set(next);
        }
    }
}

/// Returns the number that a length states.
fn number(length: &HeaderValue) -> Option<usize> {
    length.to_str().ok()?.parse().ok()
}

const COMPLETED: &str = "polled after completion";

impl<S, B> Future for WithPage<S, S::Future, B>
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>>,
{
    type Output = Response<Full<Bytes>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let page = ready!(Self::poll_page(this.state, cx));
        let failed = this.failed.take().expect(COMPLETED);
        Poll::Ready(failed.with_page(page))
    }
}

/// The data of a body, as far as they are read.
pub(crate) struct Read {
    /// Most bodies are one chunk, which is not copied.
    first: Bytes,
    more: BytesMut,
    limit: usize,
}

impl Read {
    /// Begins to read a body of at most so many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            first: Bytes::new(),
            more: BytesMut::new(),
            limit,
        }
    }

    pub(crate) fn poll<B>(
        &mut self,
        mut body: Pin<&mut B>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, BoxError>>
    where
        B: Body<Error: Into<BoxError>>,
    {
        while let Some(frame) = ready!(body.as_mut().poll_frame(cx)) {
            let Ok(mut data) = frame.map_err(Into::into)?.into_data() else {
                continue;
            };
            if self.first.len() + self.more.len() + data.remaining() > self.limit {
                return Poll::Ready(Err(TooLarge(self.limit).into()));
            }
            if self.first.is_empty() {
                self.first = data.copy_to_bytes(data.remaining());
            } else {
                self.more.put(data);
            }
        }
        let first = mem::take(&mut self.first);
        Poll::Ready(Ok(match self.more.is_empty() {
            true => first,
            false => [first, mem::take(&mut self.more).freeze()].concat().into(),
        }))
    }
}

#[derive(Debug)]
struct TooLarge(usize);

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it has more than {} bytes", self.0)
    }
}

impl Error for TooLarge {}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin};

    use super::*;

    #[tokio::test]
    async fn error_document_7_a_large_page_is_an_error() {
        let read = async |size| {
            let mut body = pin!(Full::new(Bytes::from(vec![b'x'; size])));
            let mut read = Read::new(9);
            poll_fn(|cx| read.poll(body.as_mut(), cx)).await
        };
        assert_eq!(read(9).await.unwrap(), "xxxxxxxxx");
        let error = read(10).await.unwrap_err();
        assert_eq!(error.to_string(), "it has more than 9 bytes");
    }
}
