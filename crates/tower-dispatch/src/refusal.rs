//! The answers that the dispatcher gives itself.

use std::fmt;

use bytes::Bytes;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};

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

/// The answer to OPTIONS (RFC 9110, section 9.3.7).
pub(crate) fn options(allow: &Allow) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, allow.to_header());
    response
}
