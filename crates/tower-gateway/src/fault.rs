//! The reasons for which a program responds without its service.

use std::{error::Error, fmt};

use http::StatusCode;

/// The reason why a program of this crate responds itself, without the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Variables,
    Method,
    Uri,
    Name,
    Value,
    Length,
    Hosts,
    TooLarge,
    NoTunnel,
    NoRole,
    Overloaded,
    Failed,
}

impl Fault {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Variables
            | Self::Method
            | Self::Uri
            | Self::Name
            | Self::Value
            | Self::Length
            | Self::Hosts => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NoTunnel | Self::NoRole => StatusCode::NOT_IMPLEMENTED,
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the sentence for the client.
    pub(crate) fn detail(self) -> &'static str {
        match self {
            Self::Variables => "the variables of the request are cut",
            Self::Method => "the request has no valid method",
            Self::Uri => "the request has no valid path",
            Self::Name => "the request has a header with an invalid name",
            Self::Value => "the request has a header with an invalid value",
            Self::Length => "the request has an invalid length",
            Self::Hosts => "the request has several hosts",
            Self::TooLarge => "the head of the request is too large",
            Self::NoTunnel => "there are no tunnels here",
            Self::NoRole => "this program only responds, and neither authorizes nor filters",
            Self::Overloaded => "this program has no room for a further request",
            Self::Failed => "this program has failed",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())
    }
}

impl Error for Fault {}
