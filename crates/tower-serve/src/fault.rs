use std::{error::Error, fmt};

use http::StatusCode;
use tower_kit::Rejection;

/// A fault of a request or a response, for which the client gets a response of the server itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The request does not name exactly one valid host.
    Host,
    /// The request's target has a form that its method cannot have.
    Target,
    /// The request has a transfer coding besides `chunked`.
    TransferCoding,
    /// The request is chunked twice.
    ChunkedTwice,
    /// The response is a 1xx.
    NotFinal,
    /// The response is a 2xx to CONNECT and has content.
    ContentInTunnel,
}

impl Fault {
    pub(crate) fn rejection(self) -> Rejection {
        let status = match self {
            Self::Host | Self::Target | Self::ChunkedTwice => StatusCode::BAD_REQUEST,
            Self::TransferCoding | Self::ContentInTunnel => StatusCode::NOT_IMPLEMENTED,
            Self::NotFinal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Rejection::new(status, self)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "the request does not name exactly one valid host",
            Self::Target => "the request's target has a form that its method cannot have",
            Self::TransferCoding => "the request has a transfer coding besides chunked",
            Self::ChunkedTwice => "the request has the transfer coding chunked twice",
            Self::NotFinal => "the response is not final",
            Self::ContentInTunnel => "the response to CONNECT has content",
        })
    }
}

impl Error for Fault {}
