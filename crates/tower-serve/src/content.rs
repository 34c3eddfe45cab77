//! The content of responses, and the length that their heads state.
//!
//! hyper removes content over HTTP/1 only. Over HTTP/2 it would send it, and clients would end the
//! stream with an error.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING, UPGRADE},
};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_kit::{
    EitherBody, Preferences,
    content::{RequestKind, announce_length},
};

use crate::fault::Fault;

/// The part of a request that decides what its response may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseRules {
    kind: RequestKind,
    is_http_2: bool,
    /// Whether the response may be a 101. There is none over HTTP/1.0 (RFC 9110, section 7.8) and
    /// HTTP/2 (RFC 9113, section 8.6).
    is_upgrade: bool,
}

impl ResponseRules {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        Self {
            kind: RequestKind::of(request.method()),
            is_http_2: request.version() == Version::HTTP_2,
            // hyper leaves an extension for it.
            is_upgrade: request.version() == Version::HTTP_11
                && !request.extensions().is_empty()
                && request.headers().contains_key(UPGRADE),
        }
    }

    /// Returns the service's response in the form that hyper sends.
    pub(crate) fn fit<B: Body<Data = Bytes>>(
        self,
        response: Response<B>,
    ) -> Response<ResponseBody<B>> {
        let Some(fault) = self.fault(&response) else {
            return self.strip(response.map(EitherBody::inner));
        };
        if fault == Fault::NotFinal {
            let status = response.status().as_u16();
            tracing::error!(status, "{fault}: the client gets a 500");
        }
        // The request is gone, and with it the format that the client prefers.
        let response = fault.rejection().response_for(Preferences::default());
        self.strip(response.map(EitherBody::own))
    }

    /// Returns the reason why the response cannot be sent, if there is one.
    fn fault<B: Body>(self, response: &Response<B>) -> Option<Fault> {
        let status = response.status();
        if status.is_informational() {
            let is_switch = status == StatusCode::SWITCHING_PROTOCOLS && self.is_upgrade;
            return (!is_switch).then_some(Fault::NotFinal);
        }
        // A tunnel has no content (RFC 9110, section 9.3.6). A service that sends some has not
        // looked at the method.
        let opens_tunnel = self.kind == RequestKind::Connect && status.is_success();
        (opens_tunnel && !response.body().is_end_stream()).then_some(Fault::ContentInTunnel)
    }

    pub(crate) fn has_no_content(self, status: StatusCode) -> bool {
        !self.kind.has_content(status)
    }

    /// Returns whether bytes other than HTTP follow on the connection, or on the stream in HTTP/2.
    pub(crate) fn opens_tunnel(self, status: StatusCode) -> bool {
        status == StatusCode::SWITCHING_PROTOCOLS
            || self.kind == RequestKind::Connect && status.is_success()
    }

    /// Removes the content of a response that has none, and makes its head consistent with that.
    pub(crate) fn strip<B: Body<Data = Bytes>>(
        self,
        response: Response<EitherBody<B>>,
    ) -> Response<ResponseBody<B>> {
        let (mut head, body) = response.into_parts();
        let headers = &mut head.headers;
        if self.kind == RequestKind::Connect && !self.is_http_2 && !head.status.is_success() {
            // A client may have sent bytes for the tunnel already, and they are no request.
            close(headers);
        }
        if self.kind.has_content(head.status) {
            return Response::from_parts(head, ResponseBody::Sent { body });
        }
        let mut content = ResponseBody::Sent {
            body: EitherBody::default(),
        };
        match (head.status, self.kind) {
            (StatusCode::NOT_MODIFIED, _) => {
                // Frameworks state the length of the content that is missing here, and not that of
                // the response to a GET (RFC 9110, section 8.6).
                let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
                if lengths.any(|length| length == "0") {
                    headers.remove(CONTENT_LENGTH);
                }
                if !self.is_http_2 {
                    content = ResponseBody::Described;
                }
            }
            // RFC 9110, section 15.3.6.
            (StatusCode::RESET_CONTENT, RequestKind::Head | RequestKind::Other) => {
                remove_framing(headers);
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            // The length is that of the response to a GET.
            (status, RequestKind::Head) if RequestKind::Other.has_content(status) => {
                announce_length(status, headers, &body);
            }
            // RFC 9110, section 8.6.
            _ => remove_framing(headers),
        }
        Response::from_parts(head, content)
    }
}

/// Has hyper close the connection after this response of HTTP/1.
pub(crate) fn close(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
}

fn remove_framing(headers: &mut HeaderMap) {
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING, TRAILER] {
        headers.remove(name);
    }
}

pin_project! {
    /// A response's body in the form that hyper sends.
    #[project = Projected]
    pub(crate) enum ResponseBody<B> {
        Sent {
            #[pin]
            body: EitherBody<B>,
        },
        // No content, but the body does not report that before it is polled. Otherwise hyper would
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
            Projected::Sent { body } => body.poll_frame(cx),
            Projected::Described => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Sent { body } => body.is_end_stream(),
            Self::Described => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Sent { body } => body.size_hint(),
            Self::Described => SizeHint::default(),
        }
    }
}
