//! The answers that the proxy gives itself.

use std::{error::Error, fmt};

use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE},
};

use crate::Body;

/// Why the proxy itself has answered. It is in that response's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 400: several hosts, or one that is none.
    MalformedHost,
    /// 400: the client's body broke off.
    BrokenRequest,
    /// 405: not one of the methods that are passed on.
    MethodNotAllowed,
    /// 408: the client's body stopped.
    StalledRequest,
    /// 400: dots in the target could lead out of the address's own path.
    LeadsOut,
    /// 414: with the address's own path it is too long.
    TargetTooLong,
    /// 501: a transfer coding besides `chunked`.
    UnknownCoding,
    /// 501: CONNECT asks for a tunnel, which is a forward proxy's work.
    NoTunnel,
    /// 502: no connection.
    Unreachable,
    /// 502: the connection broke, or what came was no answer.
    NoAnswer,
    /// 504: no connection in time.
    ConnectTimeout,
    /// 504: no head in time.
    HeaderTimeout,
}

impl Refusal {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::MalformedHost | Self::BrokenRequest | Self::LeadsOut => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::StalledRequest => StatusCode::REQUEST_TIMEOUT,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::NoTunnel | Self::UnknownCoding => StatusCode::NOT_IMPLEMENTED,
            Self::Unreachable | Self::NoAnswer => StatusCode::BAD_GATEWAY,
            Self::ConnectTimeout | Self::HeaderTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The response; one to HEAD has no body. A 405 says which methods there are.
    pub(crate) fn response(self, to: &Method, allow: &HeaderValue) -> Response<Body> {
        let body = match *to {
            Method::HEAD => Body::default(),
            _ => format!("{self}\n").into(),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        if self == Self::MethodNotAllowed {
            headers.insert(ALLOW, allow.clone());
        }
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(CONTENT_TYPE, text);
        // 405, 414 and 501 may be kept by a cache otherwise (RFC 9110, section 15.1).
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(self);
        response
    }
}

/// What the client may know: nothing of where the upstream is.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MalformedHost => "the request's host is malformed",
            Self::BrokenRequest => "the request broke off",
            Self::MethodNotAllowed => "this method is not allowed here",
            Self::StalledRequest => "the rest of the request did not come in time",
            Self::LeadsOut => "the request's path has a segment of dots",
            Self::TargetTooLong => "the request's target is too long",
            Self::UnknownCoding => "this transfer coding is not known here",
            Self::NoTunnel => "there are no tunnels here",
            Self::Unreachable => "the server behind this one cannot be reached",
            Self::NoAnswer => "the server behind this one gave no answer",
            Self::ConnectTimeout => "the server behind this one could not be reached in time",
            Self::HeaderTimeout => "the server behind this one did not answer in time",
        })
    }
}

impl Error for Refusal {}

/// An error with all its causes, for the log.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_in_the_extensions_of_its_response() {
        let allow = HeaderValue::from_static("GET, HEAD");
        for refusal in [
            Refusal::MalformedHost,
            Refusal::BrokenRequest,
            Refusal::MethodNotAllowed,
            Refusal::StalledRequest,
            Refusal::LeadsOut,
            Refusal::TargetTooLong,
            Refusal::UnknownCoding,
            Refusal::NoTunnel,
            Refusal::Unreachable,
            Refusal::NoAnswer,
            Refusal::ConnectTimeout,
            Refusal::HeaderTimeout,
        ] {
            let response = refusal.response(&Method::GET, &allow);
            assert_eq!(response.extensions().get(), Some(&refusal));
            assert_eq!(response.status(), refusal.status());
            assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
            let is_405 = refusal == Refusal::MethodNotAllowed;
            assert_eq!(response.headers().contains_key(ALLOW), is_405);
            let to_head = refusal.response(&Method::HEAD, &allow);
            assert!(http_body::Body::is_end_stream(to_head.body()));
        }
    }
}
