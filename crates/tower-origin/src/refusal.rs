//! The answers that the layer gives itself.

use std::fmt;

use bytes::Bytes;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};

/// Why the layer itself has answered, with 400. It is in that response's extensions, for the log; the client is not told
/// what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There are several `Host` headers (RFC 9112, section 3.2).
    SeveralHosts,
    /// In HTTP/2 and later, `Host` and `:authority` differ (RFC 9113, section 8.3.1). A port that
    /// is the scheme's own makes no difference.
    HostsDiffer,
    /// This is no host, or no port. The `&str` is the header's name, or `:authority`.
    MalformedHost(&'static str, Box<str>),
    /// The request names no host. The layer has a list of hosts, but no
    /// [`default_host`](crate::OriginLayer::default_host).
    NoHost,
    /// This host is none of those that are served.
    UnknownHost(Box<str>),
    /// A trusted proxy passes both `Forwarded` and X-Forwarded-* headers on: one of them may be the client's own. Which
    /// of them the proxy sets is said with [`only_forwarded`](crate::OriginLayer::only_forwarded) or
    /// [`only_x_forwarded`](crate::OriginLayer::only_x_forwarded).
    TwoKinds,
    /// A header from a trusted proxy is malformed: its name; the header line, or the one parameter, as much of it as
    /// tells; the byte in it at which it goes wrong; and what was expected there.
    Malformed(&'static str, Box<str>, usize, &'static str),
}

impl Refusal {
    pub(crate) fn malformed(
        name: &'static str,
        value: &[u8],
        at: usize,
        expected: &'static str,
    ) -> Self {
        Self::Malformed(name, shown(value, at), at, expected)
    }

    pub(crate) fn malformed_host(name: &'static str, value: &[u8]) -> Self {
        Self::MalformedHost(name, shown(value, 0))
    }

    /// What the client may know.
    fn words(&self) -> &'static str {
        match self {
            Self::SeveralHosts => "the request names several hosts",
            Self::HostsDiffer => "the request names two different hosts",
            Self::MalformedHost(..) => "the request's host is malformed",
            Self::NoHost => "the request names no host",
            Self::UnknownHost(_) => "this host is not served here",
            Self::TwoKinds => "the request has both Forwarded and X-Forwarded headers",
            Self::Malformed(..) => "a header of the proxy is malformed",
        }
    }

    /// The response; one to HEAD has no body.
    pub(crate) fn response(self, to: &Method) -> Response<Bytes> {
        let body = match *to {
            Method::HEAD => Bytes::new(),
            _ => format!("{}\n", self.words()).into(),
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::BAD_REQUEST;
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        // A cache would keep it for the URL, and give it to those who have done nothing wrong.
        let no_store = HeaderValue::from_static("no-store");
        response.headers_mut().insert(CACHE_CONTROL, no_store);
        response.extensions_mut().insert(self);
        response
    }
}

/// For the log, in one line: as much of a value around this byte as tells what it is.
fn shown(value: &[u8], at: usize) -> Box<str> {
    const MOST: usize = 256;
    let start = at.saturating_sub(MOST / 2);
    let end = value.len().min(start + MOST);
    let before = if start > 0 { "…" } else { "" };
    let after = if end < value.len() { "…" } else { "" };
    let part = value.get(start..end).unwrap_or_default();
    format!("{before}{}{after}", part.escape_ascii()).into()
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())?;
        match self {
            Self::MalformedHost(name, found) => write!(f, " ({name}: {found})"),
            Self::UnknownHost(found) => write!(f, " ({found})"),
            Self::Malformed(name, found, at, expected) => {
                write!(f, " ({name}: {found}, at byte {at}: {expected})")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}
