//! The answers that the dispatcher gives itself.

use std::fmt;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCEPT_RANGES, AGE, ALLOW, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE,
        CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED,
        TRAILER, TRANSFER_ENCODING,
    },
};
use tower_environ::{EnvironError, NotMounted};

use crate::{PathError, allow::Allow};

/// Why the dispatcher itself has refused. It is in that response's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// 400: the path cannot be decoded.
    UndecodablePath(PathError),
    /// 404: no route matches the path.
    NotFound,
    /// 405: routes match the path, with the methods in `Allow`.
    MethodNotAllowed,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UndecodablePath(error) => error.fmt(f),
            Self::NotFound => f.write_str("no route matches the path"),
            Self::MethodNotAllowed => f.write_str("the path does not allow this method"),
        }
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// The response; one to HEAD has no body.
    pub(crate) fn response(self, to: &Method) -> Response<Bytes> {
        let body = match to {
            &Method::HEAD => Bytes::new(),
            _ => format!("{self}\n").into(),
        };
        let mut response = Response::new(body);
        *response.status_mut() = match self {
            Self::UndecodablePath(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        };
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        response.extensions_mut().insert(self);
        response
    }
}

/// 405 with its `Allow` (RFC 9110, section 15.5.6).
pub(crate) fn method_not_allowed(to: &Method, allow: &Allow) -> Response<Bytes> {
    let mut response = Refusal::MethodNotAllowed.response(to);
    response.headers_mut().insert(ALLOW, allow.to_header());
    response
}

/// The fields that describe a response's content or its representation (RFC 9110, sections 8, 14.3
/// and 14.4; RFC 9111, section 5.1; RFC 9530 and its predecessors). In a replaced error they would
/// be wrong. All other fields are about the request, the connection or the client: CORS, cookies,
/// ids.
///
/// `Cache-Control`, `Expires` and `Vary` are not among them. They control who may keep a response
/// for this URL, and `no-store` must not get lost.
const OF_THE_CONTENT: [HeaderName; 17] = [
    ACCEPT_RANGES,
    AGE,
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_LOCATION,
    CONTENT_RANGE,
    CONTENT_TYPE,
    ETAG,
    LAST_MODIFIED,
    TRAILER,
    TRANSFER_ENCODING,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

/// Returns a 405 that replaces a 404. It keeps everything of the 404 that is not about the missing
/// page.
pub(crate) fn instead_of_not_found<B>(
    to: &Method,
    allow: &Allow,
    not_found: Response<B>,
) -> Response<Bytes> {
    let (mut parts, _) = not_found.into_parts();
    let (own, body) = method_not_allowed(to, allow).into_parts();
    parts.status = own.status;
    for name in OF_THE_CONTENT {
        parts.headers.remove(name);
    }
    parts.headers.extend(own.headers);
    // These are the reasons for a 404 that are known here. Extensions that others have left for
    // outer layers stay.
    parts.extensions.remove::<NotMounted>();
    parts.extensions.remove::<EnvironError>();
    parts.extensions.extend(own.extensions);
    Response::from_parts(parts, body)
}

/// The answer to OPTIONS (RFC 9110, section 9.3.7).
pub(crate) fn options(allow: &Allow) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, allow.to_header());
    response
}
