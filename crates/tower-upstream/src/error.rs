//! The reasons why an upstream has no response, and the responses to the client.

use std::{error::Error, fmt};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{ACCEPT, ALLOW, CONTENT_TYPE},
    request::Parts,
};
use http_body_util::Full;
use tower_kit::{Preferences, Rejection};

use crate::fields::Fields;

/// Any error.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// The reason of a [`Rejection`](tower_kit::Rejection) that an [`Upstream`](crate::Upstream) has
/// responded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UpstreamError {
    /// 400: the request has several hosts, or a malformed one.
    MalformedHost,
    /// 400: the client's body broke off.
    BrokenRequest,
    /// 405: the method is not one of those that are passed on.
    MethodNotAllowed,
    /// 408: the client's body stopped.
    StalledRequest,
    /// 400: dots in the target could lead out of the address's own path.
    DotSegment,
    /// 414: the target is too long with the address's own path.
    TargetTooLong,
    /// 501: the request has a transfer coding besides `chunked`.
    UnknownCoding,
    /// 501: CONNECT asks for a tunnel that is no WebSocket, which is the work of a forward proxy.
    NoTunnel,
    /// 502: no connection to the upstream could be made.
    Unreachable,
    /// 502: the upstream's certificate is not one that is trusted. The log has the reason.
    Untrusted,
    /// 502: the connection broke, or the upstream's response is malformed, or it opens a tunnel
    /// that was not asked for.
    NoResponse,
    /// 504: no connection to the upstream could be made in time.
    ConnectTimeout,
    /// 504: the upstream sent no response head in time.
    HeaderTimeout,
}

impl UpstreamError {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::MalformedHost | Self::BrokenRequest | Self::DotSegment => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::StalledRequest => StatusCode::REQUEST_TIMEOUT,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::NoTunnel | Self::UnknownCoding => StatusCode::NOT_IMPLEMENTED,
            Self::Unreachable | Self::Untrusted | Self::NoResponse => StatusCode::BAD_GATEWAY,
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
            Self::DotSegment => "the request's path has a segment of dots",
            Self::TargetTooLong => "the request's target is too long",
            Self::UnknownCoding => "this transfer coding is not known here",
            Self::NoTunnel => "there are no tunnels here",
            Self::Unreachable => "the server behind this one cannot be reached",
            Self::Untrusted => "the server behind this one is not trusted",
            Self::NoResponse => "the server behind this one sent no valid response",
            Self::ConnectTimeout => "the server behind this one could not be reached in time",
            Self::HeaderTimeout => "the server behind this one did not respond in time",
        }
    }

    /// Returns the response. A 405 states the methods that are allowed.
    pub(crate) fn response(
        self,
        client: &Client,
        allow: Option<&HeaderValue>,
    ) -> Response<Full<Bytes>> {
        let mut rejection = Rejection::new(self.status(), self).with_detail(self.detail());
        if let (Self::MethodNotAllowed, Some(allow)) = (self, allow) {
            rejection = rejection.with_header(ALLOW, allow.clone());
        }
        rejection.response_for(client)
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())
    }
}

impl Error for UpstreamError {}

/// The parts of a request that [`Preferences`] are made of. They are read only for a rejection,
/// when the rest of the request is gone.
pub(crate) struct Client {
    pub(crate) method: Method,
    content_type: Option<HeaderValue>,
    accept: Option<HeaderValue>,
    /// All lines of `Accept` after the first one. Usually there are none.
    more: Vec<HeaderValue>,
}

impl Client {
    /// Returns these parts of a request, which has these fields.
    pub(crate) fn of(head: &Parts, fields: Fields) -> Self {
        let mut client = Self {
            method: head.method.clone(),
            content_type: None,
            accept: None,
            more: Vec::new(),
        };
        if fields.have(Fields::CONTENT_TYPE) {
            client.content_type = head.headers.get(CONTENT_TYPE).cloned();
        }
        if fields.have(Fields::ACCEPT) {
            let mut accept = head.headers.get_all(ACCEPT).iter().cloned();
            client.accept = accept.next();
            client.more.extend(accept);
        }
        client
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

/// Prints an error with all its causes, for the log.
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
        let (head, ()) = request.body(()).unwrap().into_parts();
        Client::of(&head, Fields::of(&head.headers))
    }

    #[test]
    fn upstream_12_an_error_is_the_reason_of_its_rejection() {
        let allow = HeaderValue::from_static("GET, HEAD");
        for error in [
            UpstreamError::MalformedHost,
            UpstreamError::BrokenRequest,
            UpstreamError::MethodNotAllowed,
            UpstreamError::StalledRequest,
            UpstreamError::DotSegment,
            UpstreamError::TargetTooLong,
            UpstreamError::UnknownCoding,
            UpstreamError::NoTunnel,
            UpstreamError::Unreachable,
            UpstreamError::Untrusted,
            UpstreamError::NoResponse,
            UpstreamError::ConnectTimeout,
            UpstreamError::HeaderTimeout,
        ] {
            let response = error.response(&client(Request::get("/")), Some(&allow));
            let rejection = Rejection::of(&response).unwrap();
            assert_eq!(rejection.reason(), Some(&error));
            assert_eq!(rejection.detail(), Some(&*error.to_string()));
            assert_eq!(response.status(), error.status());
            let is_405 = error == UpstreamError::MethodNotAllowed;
            assert_eq!(response.headers().contains_key(ALLOW), is_405);
            let to_head = error.response(&client(Request::head("/")), Some(&allow));
            assert!(http_body::Body::is_end_stream(to_head.body()));
        }
    }

    #[test]
    fn upstream_12_a_client_has_its_requests_preferences() {
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
            let client = Client::of(&head, Fields::of(&head.headers));
            let preferences = Preferences::from(&client);
            assert_eq!(preferences, Preferences::from(&head), "{head:?}");
        }
    }
}
