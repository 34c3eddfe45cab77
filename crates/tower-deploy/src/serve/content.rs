//! Which responses have content, and what their heads state about its length.
//!
//! hyper strips content over HTTP/1 only. Over HTTP/2 it would be sent, and clients would end the
//! stream with an error.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{
        CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, TRAILER, TRANSFER_ENCODING,
        UPGRADE,
    },
};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// The part of a request that decides what its response may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    is_head: bool,
    is_connect: bool,
    is_http_2: bool,
    /// Whether the response may be a 101. There is none over HTTP/1.0 (RFC 9110, section 7.8) and
    /// HTTP/2 (RFC 9113, section 8.6).
    is_upgrade: bool,
}

impl Asked {
    pub(super) fn by<B>(request: &Request<B>) -> Self {
        Self {
            is_head: request.method() == Method::HEAD,
            is_connect: request.method() == Method::CONNECT,
            is_http_2: request.version() == Version::HTTP_2,
            is_upgrade: request.version() == Version::HTTP_11
                && request.headers().contains_key(UPGRADE),
        }
    }

    /// Returns the response as hyper gets it.
    pub(super) fn fit<B: Body>(self, response: Response<B>) -> Response<ResponseBody<B>> {
        let (mut head, body) = response.into_parts();
        if self.is_connect && !self.is_http_2 && !head.status.is_success() {
            // A client may have sent bytes for the tunnel already, and they are no request.
            close(&mut head.headers);
        }
        match self.content(head.status, &mut head.headers, &body) {
            Content::AsItIs => Response::from_parts(head, ResponseBody::Content { body }),
            Content::None => Response::from_parts(head, ResponseBody::None),
            Content::Described => Response::from_parts(head, ResponseBody::Described),
            Content::Instead(status) if self.is_connect => self.refuse(status),
            Content::Instead(status) => self.plain(status),
        }
    }

    /// Returns the response to a request that no app gets. The connection is closed after it: what
    /// comes next on it may be no request.
    pub(super) fn refuse<B>(self, status: StatusCode) -> Response<ResponseBody<B>> {
        let mut response = self.plain(status);
        if !self.is_http_2 {
            close(response.headers_mut());
        }
        response
    }

    /// Returns a response of the server itself.
    fn plain<B>(self, status: StatusCode) -> Response<ResponseBody<B>> {
        let reason = status.canonical_reason().unwrap_or_default();
        let text = format!("{} {reason}\n", status.as_str());
        let length = HeaderValue::from(text.len());
        let mut response = Response::new(match self.is_head {
            true => ResponseBody::None,
            false => ResponseBody::Text { text: text.into() },
        });
        *response.status_mut() = status;
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, plain);
        response.headers_mut().insert(CONTENT_LENGTH, length);
        // A cache may keep a 501 otherwise (RFC 9110, section 15.1).
        let no_store = HeaderValue::from_static("no-store");
        response.headers_mut().insert(CACHE_CONTROL, no_store);
        response
    }

    /// Decides which content of a response is sent, and changes the head to fit.
    fn content<B: Body>(self, status: StatusCode, headers: &mut HeaderMap, body: &B) -> Content {
        match status {
            StatusCode::SWITCHING_PROTOCOLS if self.is_upgrade => {
                remove_framing(headers);
                Content::None
            }
            _ if status.is_informational() => {
                tracing::error!(
                    status = status.as_u16(),
                    "the app's response is not a final one: the client gets a 500"
                );
                Content::Instead(StatusCode::INTERNAL_SERVER_ERROR)
            }
            // A tunnel has no content (RFC 9110, section 9.3.6). An app that sends some has not
            // looked at the method.
            _ if self.is_connect && status.is_success() => {
                if !body.is_end_stream() {
                    return Content::Instead(StatusCode::NOT_IMPLEMENTED);
                }
                remove_framing(headers);
                Content::None
            }
            // RFC 9110, section 8.6.
            StatusCode::NO_CONTENT => {
                remove_framing(headers);
                Content::None
            }
            // RFC 9110, section 15.3.6.
            StatusCode::RESET_CONTENT => {
                remove_framing(headers);
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
                Content::None
            }
            StatusCode::NOT_MODIFIED => {
                // Frameworks state the length of the content that is missing here, and not that of
                // the response to a GET (RFC 9110, section 8.6).
                let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
                if lengths.any(|length| length == "0") {
                    headers.remove(CONTENT_LENGTH);
                }
                match self.is_http_2 {
                    true => Content::None,
                    false => Content::Described,
                }
            }
            _ if self.is_head => {
                // hyper does the same for content that is sent.
                let length = body.size_hint().exact().filter(|length| *length > 0);
                if let Some(length) = length
                    && !headers.contains_key(CONTENT_LENGTH)
                    && !headers.contains_key(TRANSFER_ENCODING)
                {
                    headers.insert(CONTENT_LENGTH, length.into());
                }
                Content::None
            }
            _ => Content::AsItIs,
        }
    }
}

enum Content {
    AsItIs,
    None,
    /// None, though the head may state the length of some.
    Described,
    /// The response is replaced by one with this status.
    Instead(StatusCode),
}

fn close(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
}

fn remove_framing(headers: &mut HeaderMap) {
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING, TRAILER] {
        headers.remove(name);
    }
}

pin_project! {
    /// A response's body as hyper gets it.
    #[project = Projected]
    pub(super) enum ResponseBody<B> {
        Content {
            #[pin]
            body: B,
        },
        Text {
            text: Bytes,
        },
        None,
        // Also none, but the body does not report that before it is polled. Otherwise hyper would
        // drop the length that a 304 states over HTTP/1.
        Described,
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project() {
            Projected::Content { body } => body.poll_frame(cx),
            Projected::Text { text } if !text.is_empty() => {
                Poll::Ready(Some(Ok(Frame::data(mem::take(text)))))
            }
            Projected::Text { .. } | Projected::None | Projected::Described => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Content { body } => body.is_end_stream(),
            Self::Text { text } => text.is_empty(),
            Self::None => true,
            Self::Described => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Content { body } => body.size_hint(),
            Self::Text { text } => SizeHint::with_exact(text.len() as u64),
            Self::None => SizeHint::with_exact(0),
            Self::Described => SizeHint::default(),
        }
    }
}
