//! The response of a hook, as the client understands it.

use std::{
    error::Error,
    fmt, mem,
    pin::Pin,
    str,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderValue, Response, header::CONTENT_TYPE, request};
use http_body::Body;
use http_body_util::Full;
use tower_kit::{
    Format, Preferences, Rejection,
    content::{self, RequestKind},
};

/// The reason of a [`Rejection`] that was made of a hook's own response, because the client speaks
/// gRPC. See "A hook's own response" in the [crate's documentation](crate#a-hooks-own-response).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HookResponse;

impl fmt::Display for HookResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a hook has responded instead of the inner service")
    }
}

impl Error for HookResponse {}

/// How much of a response's text becomes the detail of a rejection, in bytes. It is sent in a
/// header, percent-encoded.
const LONGEST_DETAIL: usize = 1024;

/// Returns a hook's response as this request needs it: without a body where there is none, and in
/// gRPC for a client of gRPC.
pub(crate) fn response_for(
    request: &request::Parts,
    kind: RequestKind,
    response: Response<Full<Bytes>>,
) -> Response<Full<Bytes>> {
    if !kind.has_content(response.status()) {
        return without_content(kind, response);
    }
    if !is_plain_error(&response) {
        return response;
    }
    let preferences = Preferences::from(request);
    match preferences.format() {
        Format::Grpc(_) => rejection(preferences, response),
        _ => response,
    }
}

/// Drops the body. A response to HEAD states the length that it had.
fn without_content(kind: RequestKind, response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let (mut head, body) = response.into_parts();
    if kind == RequestKind::Head {
        content::announce_length(head.status, &mut head.headers, &body);
    }
    Response::from_parts(head, Full::default())
}

/// Returns whether this is an error in plain text, and was not made for a certain protocol.
fn is_plain_error<B>(response: &Response<B>) -> bool {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_text = |content_type: &HeaderValue| {
        let mut parts = content_type.as_bytes().split(|byte| *byte == b';');
        let essence = parts.next().unwrap_or_default().trim_ascii();
        essence.eq_ignore_ascii_case(b"text/plain")
    };
    is_error
        && response.headers().get(CONTENT_TYPE).is_none_or(is_text)
        && Rejection::of(response).is_none()
}

/// Makes a rejection of a plain error. Headers that do not describe its content stay.
fn rejection(preferences: Preferences, response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let (mut head, body) = response.into_parts();
    let mut rejection = Rejection::new(head.status, HookResponse);
    if let Some(detail) = detail(body) {
        rejection = rejection.with_detail(detail);
    }
    let (rejected, body) = rejection.response_for(preferences).into_parts();
    content::remove_content_headers(&mut head.headers);
    head.status = rejected.status;
    let own = mem::replace(&mut head.headers, rejected.headers);
    head.headers.extend(own);
    head.extensions.extend(rejected.extensions);
    Response::from_parts(head, body)
}

/// Returns the text of a body, up to [`LONGEST_DETAIL`], or `None` if it has none.
fn detail(mut body: Full<Bytes>) -> Option<String> {
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) else {
        return None;
    };
    let data = frame.into_data().ok()?;
    let text = str::from_utf8(&data).ok()?.trim();
    let fits = |(at, c): &(usize, char)| at + c.len_utf8() <= LONGEST_DETAIL;
    let detail: String = text
        .char_indices()
        .take_while(fits)
        .map(|(_, c)| c)
        .collect();
    (!detail.is_empty()).then_some(detail)
}
