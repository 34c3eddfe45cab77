use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE, response};
use tower_kit::{
    Format, Rejection,
    grpc::{self, Flavor, GRPC_STATUS},
};

/// How a request has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Outcome {
    kind: OutcomeKind,
    grpc_status: Option<u16>,
}

impl Outcome {
    pub(crate) fn new(kind: OutcomeKind, grpc_status: Option<u16>) -> Self {
        Self { kind, grpc_status }
    }

    /// Returns whether the response was taken whole, and what happened otherwise.
    #[must_use]
    pub fn kind(self) -> OutcomeKind {
        self.kind
    }

    /// Returns the `grpc-status` of the call, from the response's head or its trailers. 0 is
    /// success.
    ///
    /// Returns `None` if the call is not gRPC, or has ended before its status was seen. A call of
    /// gRPC is a POST whose response has a content type of gRPC. In gRPC-Web the status is known if
    /// it is that of a [`Rejection`] or in the head, because otherwise it is in the content.
    #[must_use]
    pub fn grpc_status(self) -> Option<u16> {
        self.grpc_status
    }

    /// Returns whether the response was taken whole, and, for a call of gRPC, reports no error.
    ///
    /// It is not the status of HTTP: a 404 that was taken whole is a success here.
    #[must_use]
    pub fn is_success(self) -> bool {
        let is_whole = matches!(self.kind, OutcomeKind::Completed | OutcomeKind::Aborted);
        is_whole && self.grpc_status.is_none_or(|status| status == 0)
    }
}

/// The kind of an [`Outcome`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutcomeKind {
    /// The inner service's response was taken whole: the end of its body was reached, or as many
    /// bytes as its size hint or its Content-Length state, or it has no content (to HEAD, with a
    /// 2xx to CONNECT, with 1xx, 204, 205 and 304).
    Completed,
    /// The response of a hook was taken whole.
    Aborted,
    /// The inner service returned an error, or its body did.
    Failed,
    /// The request or the response was dropped before its end: the client went away, a timeout
    /// elapsed, or an outer layer responded instead.
    Cancelled,
    /// The inner service, its body, a hook or their caller panicked.
    Panicked,
}

/// Returns the status of gRPC that a response's head has.
pub(crate) fn grpc_status_in_head(head: &response::Parts) -> Option<u16> {
    let rejection = Rejection::of_head(head);
    if let Some(rejection) = rejection
        && let Format::Grpc(_) = rejection.preferences().format()
    {
        return Some(grpc::code(rejection.status()));
    }
    is_grpc(&head.headers).then(|| grpc_status(&head.headers))?
}

/// Returns whether a response with these headers is gRPC.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type.and_then(Flavor::of).is_some()
}

/// Returns the status of gRPC in these headers or trailers.
pub(crate) fn grpc_status(headers: &HeaderMap) -> Option<u16> {
    headers.get(GRPC_STATUS)?.to_str().ok()?.parse().ok()
}
