//! The response of a hook, as the client understands it.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    str,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Response, request};
use http_body::Body;
use http_body_util::Full;
use tower_kit::{
    Format, Preferences, Rejection,
    content::{self, RequestKind},
    is_plain_error,
};

/// The reason of a [`Rejection`] that was made of a hook's own response, because the client speaks
/// gRPC. See rule HOOKS-11 in [`rules`](crate::rules).
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

/// Makes a rejection of a plain error. Headers that do not describe its content stay.
fn rejection(preferences: Preferences, response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let (head, body) = response.into_parts();
    let mut rejection = Rejection::of_plain_error(&head, HookResponse);
    if rejection.reason::<HookResponse>().is_some()
        && let Some(detail) = detail(body)
    {
        rejection = rejection.with_detail(detail);
    }
    rejection.response_instead_of(head, preferences)
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
