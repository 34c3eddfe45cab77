use std::fmt;

use http::StatusCode;
use tower_kit::Rejection;

/// The reason of the layer's [`Rejection`], a 400.
///
/// It is for the log, because it has what was found. The client sees only which rule the request
/// broke.
///
/// # Examples
///
/// ```
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use tower::{BoxError, Layer, ServiceExt, service_fn};
/// use tower_kit::Rejection;
/// use tower_origin::{BadOrigin, OriginLayer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// async fn inner(_: Request<()>) -> Result<Response<Full<bytes::Bytes>>, BoxError> {
///     Ok(Response::default())
/// }
/// let app = OriginLayer::new().hosts(["example.org"])?.layer(service_fn(inner));
///
/// let request = Request::get("/").header("host", "evil.example").body(())?;
/// let response = app.oneshot(request).await?;
/// let reason: Option<&BadOrigin> = Rejection::of(&response).and_then(Rejection::reason);
/// assert_eq!(reason, Some(&BadOrigin::UnknownHost("evil.example".into())));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadOrigin {
    /// There are several `Host` headers (RFC 9112, section 3.2).
    SeveralHosts,
    /// In HTTP/2 and later, `Host` and `:authority` differ (RFC 9113, section 8.3.1). A port that
    /// is the scheme's own makes no difference.
    HostsDiffer,
    /// The value is not a host, or its port is not a port. The `&str` is the header's name, or
    /// `:authority`.
    MalformedHost(&'static str, Box<str>),
    /// The request names no host. The layer has a list of hosts, but no
    /// [`default_host`](crate::OriginLayer::default_host).
    NoHost,
    /// The host is not on the list of hosts.
    UnknownHost(Box<str>),
    /// The request of a trusted proxy has both `Forwarded` and X-Forwarded-* headers. One of them
    /// may be the client's own. [`only_forwarded`](crate::OriginLayer::only_forwarded) and
    /// [`only_x_forwarded`](crate::OriginLayer::only_x_forwarded) name the one that the proxy sets.
    TwoKinds,
    /// A header from a trusted proxy is malformed. The fields are, in this order:
    ///
    /// - the header's name
    /// - the part of the header line, or of the parameter, around the error
    /// - the position of the error in bytes
    /// - the text of what was expected there
    Malformed(&'static str, Box<str>, usize, &'static str),
}

impl BadOrigin {
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

    /// Returns the text for the client.
    fn detail(&self) -> &'static str {
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

    pub(crate) fn rejection(self) -> Rejection {
        let detail = self.detail();
        Rejection::new(StatusCode::BAD_REQUEST, self).with_detail(detail)
    }
}

/// Returns in one line, for the log, the part of a value that is around this byte.
fn shown(value: &[u8], at: usize) -> Box<str> {
    const MOST: usize = 256;
    let start = at.saturating_sub(MOST / 2);
    let end = value.len().min(start + MOST);
    let before = if start > 0 { "…" } else { "" };
    let after = if end < value.len() { "…" } else { "" };
    let part = value.get(start..end).unwrap_or_default();
    format!("{before}{}{after}", part.escape_ascii()).into()
}

impl fmt::Display for BadOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())?;
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

impl std::error::Error for BadOrigin {}
