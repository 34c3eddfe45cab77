//! Why the proxy responds itself.

use std::{error::Error, fmt};

use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{ACCEPT, ALLOW, CONTENT_TYPE},
    request::Parts,
};
use tower_kit::{Preferences, Rejection};

use crate::Body;

/// Why the proxy itself has responded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyError {
    /// 400: several hosts, or a malformed one.
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
    /// 502: the connection broke, or the response is malformed.
    NoAnswer,
    /// 504: no connection in time.
    ConnectTimeout,
    /// 504: no head in time.
    HeaderTimeout,
}

impl ProxyError {
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

    /// Returns the sentence for the client, which does not name the upstream.
    fn detail(self) -> &'static str {
        match self {
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
        }
    }

    /// Returns the response. A 405 states the methods that are allowed.
    pub(crate) fn response(self, client: &Client, allow: &HeaderValue) -> Response<Body> {
        let mut rejection = Rejection::new(self.status(), self).with_detail(self.detail());
        if self == Self::MethodNotAllowed {
            rejection = rejection.with_header(ALLOW, allow.clone());
        }
        rejection.response_for(client).map(Body::new)
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())
    }
}

impl Error for ProxyError {}

/// What [`Preferences`] are made of. They are read only for a rejection, when the rest of the
/// request is gone.
pub(crate) struct Client {
    pub(crate) method: Method,
    content_type: Option<HeaderValue>,
    accept: Option<HeaderValue>,
    /// All lines of `Accept` after the first one. Usually there are none.
    more: Vec<HeaderValue>,
}

impl Client {
    pub(crate) fn of(head: &Parts) -> Self {
        let mut accept = head.headers.get_all(ACCEPT).iter().cloned();
        Self {
            method: head.method.clone(),
            content_type: head.headers.get(CONTENT_TYPE).cloned(),
            accept: accept.next(),
            more: accept.collect(),
        }
    }
}

impl From<&Client> for Preferences {
    fn from(client: &Client) -> Self {
        let mut headers = HeaderMap::new();
        for line in client.accept.iter().chain(&client.more) {
            headers.append(ACCEPT, line.clone());
        }
        headers.extend(
            client
                .content_type
                .clone()
                .map(|value| (CONTENT_TYPE, value)),
        );
        Self::new(&client.method, &headers)
    }
}

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
    use http::{Request, request};

    use super::*;

    fn client(request: request::Builder) -> Client {
        Client::of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn an_error_is_the_reason_of_its_rejection() {
        let allow = HeaderValue::from_static("GET, HEAD");
        for error in [
            ProxyError::MalformedHost,
            ProxyError::BrokenRequest,
            ProxyError::MethodNotAllowed,
            ProxyError::StalledRequest,
            ProxyError::LeadsOut,
            ProxyError::TargetTooLong,
            ProxyError::UnknownCoding,
            ProxyError::NoTunnel,
            ProxyError::Unreachable,
            ProxyError::NoAnswer,
            ProxyError::ConnectTimeout,
            ProxyError::HeaderTimeout,
        ] {
            let response = error.response(&client(Request::get("/")), &allow);
            let rejection = Rejection::of(&response).unwrap();
            assert_eq!(rejection.reason(), Some(&error));
            assert_eq!(rejection.detail(), Some(&*error.to_string()));
            assert_eq!(response.status(), error.status());
            let is_405 = error == ProxyError::MethodNotAllowed;
            assert_eq!(response.headers().contains_key(ALLOW), is_405);
            let to_head = error.response(&client(Request::head("/")), &allow);
            assert!(http_body::Body::is_end_stream(to_head.body()));
        }
    }

    #[test]
    fn a_client_has_the_preferences_of_its_request() {
        let grpc = "application/grpc-web+proto";
        for request in [
            Request::get("/"),
            Request::head("/").header(ACCEPT, "text/html"),
            Request::get("/")
                .header(ACCEPT, "text/html;q=0.5")
                .header(ACCEPT, "application/json;q=0.7")
                .header(ACCEPT, "application/problem+json"),
            Request::post("/").header(CONTENT_TYPE, grpc),
            Request::put("/").header(CONTENT_TYPE, grpc),
        ] {
            let (head, ()) = request.body(()).unwrap().into_parts();
            let preferences = Preferences::from(&Client::of(&head));
            assert_eq!(preferences, Preferences::from(&head), "{head:?}");
        }
    }
}
