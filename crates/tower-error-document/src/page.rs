//! The page of a document's service, in place of a failed response.

use std::{error::Error, fmt, future::poll_fn, pin::pin, sync::Arc};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderValue, Request, Response, response::Parts};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
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
        let is_right = |length: &HeaderValue| {
            let length = length.to_str().ok();
            length.and_then(|length| length.parse().ok()) == Some(body.len())
        };
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

/// Returns the page of a service, with its body.
pub(crate) async fn of<S, B>(
    mut service: S,
    request: Request<Empty<Bytes>>,
) -> Result<Page, BoxError>
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body<Error: Into<BoxError>>,
{
    poll_fn(|cx| service.poll_ready(cx))
        .await
        .map_err(Into::into)?;
    let response = service.call(request).await.map_err(Into::into)?;
    let (head, body) = response.into_parts();
    let body = read(body, LIMIT).await?;
    Ok(Response::from_parts(head, body))
}

/// Reads a body of at most so many bytes.
pub(crate) async fn read<B>(body: B, limit: usize) -> Result<Bytes, BoxError>
where
    B: Body<Error: Into<BoxError>>,
{
    let mut body = pin!(body);
    // Most pages are one chunk, which is not copied.
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame.map_err(Into::into)?.into_data() else {
            continue;
        };
        if first.len() + more.len() + data.remaining() > limit {
            return Err(TooLarge(limit).into());
        }
        if first.is_empty() {
            first = data.copy_to_bytes(data.remaining());
        } else {
            more.put(data);
        }
    }
    if more.is_empty() {
        return Ok(first);
    }
    Ok([first, more.freeze()].concat().into())
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
    use http_body_util::Full;

    use super::*;

    #[tokio::test]
    async fn error_document_7_a_large_page_is_an_error() {
        let read = |size| read(Full::new(Bytes::from(vec![b'x'; size])), 9);
        assert_eq!(read(9).await.unwrap(), "xxxxxxxxx");
        let error = read(10).await.unwrap_err();
        assert_eq!(error.to_string(), "it has more than 9 bytes");
    }
}
