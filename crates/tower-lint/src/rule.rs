//! The rules: the text and the source of each.

use std::fmt;

/// A rule of tower, http-body or HTTP for a service, a body or a layer.
///
/// The numbers are stable. Rules 1xx are about calls of services, 2xx about bodies, 3xx about
/// response heads, 4xx about layers. Only [`contract::check`](crate::contract::check) checks rules
/// 4xx.
///
/// # Examples
///
/// ```
/// use tower_lint::Rule;
///
/// let rule = Rule::AllowMissing;
/// assert_eq!(
///     rule.to_string(),
///     "rule 305 (AllowMissing): a 405 has Allow (RFC 9110, section 15.5.6)"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// 101: a service is called only after it reported that it is ready.
    CallWithoutReady = 101,
    /// 102: one readiness is for one call.
    CallTwiceOnOneReady = 102,
    /// 103: a future is not polled after it is done.
    FuturePolledAfterDone = 103,
    /// 104: a service whose poll_ready failed is not used again.
    UsedAfterFailed = 104,
    /// 201: a body is not polled after it failed.
    BodyPolledAfterEnd = 201,
    /// 202: a body has no frame after its end.
    FrameAfterEnd = 202,
    /// 203: a size hint's lower bound is not above its upper bound.
    SizeHintOrder = 203,
    /// 204: a body has as many bytes as its size hints promise.
    SizeHintWrong = 204,
    /// 205: a body that reports its end has no further frame.
    EndStreamWrong = 205,
    /// 206: trailers are a body's last frame.
    FrameAfterTrailers = 206,
    /// 301: Content-Length is the number of bytes in the body.
    ContentLengthWrong = 301,
    /// 302: a response to HEAD, a 1xx, a 204 and a 304 have no body.
    BodyNotAllowed = 302,
    /// 303: Content-Length and Transfer-Encoding do not go together.
    ContentLengthWithTransferEncoding = 303,
    /// 304: Content-Length is one number.
    ContentLengthMalformed = 304,
    /// 305: a 405 has Allow.
    AllowMissing = 305,
    /// 306: a 401 has WWW-Authenticate.
    WwwAuthenticateMissing = 306,
    /// 307: a 206 has Content-Range, or is multipart/byteranges.
    ContentRangeMissing = 307,
    /// 308: a response over HTTP/2 has no header about the connection.
    ConnectionHeaders = 308,
    /// 309: a 205 has no content.
    ContentOfReset = 309,
    /// 310: a 2xx to CONNECT has no Content-Length, no Transfer-Encoding and no content.
    ContentOfConnect = 310,
    /// 311: a 206 has as many bytes as its Content-Range states.
    ContentRangeWrong = 311,
    /// 401: the inner service gets method, URI, version, headers and extensions of the request; a
    /// layer may add headers and extensions.
    RequestHead = 401,
    /// 402: the inner service gets the bytes and trailers of the request's body.
    RequestBody = 402,
    /// 403: the client gets status, version, headers and extensions of the inner service's
    /// response; a layer may add headers and extensions.
    ResponseHead = 403,
    /// 404: the client gets the bytes and trailers of the inner service's response body.
    ResponseBody = 404,
    /// 405: the inner service's error reaches the caller, itself or as a source.
    ServiceError = 405,
    /// 406: the error of the inner service's poll_ready reaches the caller.
    ReadyError = 406,
    /// 407: the inner body's error reaches the reader, after the data before it.
    BodyError = 407,
    /// 408: a request to an inner service that is not ready reaches it later, and once.
    ///
    /// A layer that is always ready, and calls the inner service at once, breaks other rules: 101,
    /// 102, 406 and 409.
    Readiness = 408,
    /// 409: a waiting task is woken when the inner future or body can continue.
    Wake = 409,
    /// 410: a future or a body that is dropped, at any point, drops its inner one, once.
    Drop = 410,
    /// 411: a response whose content a layer changes does not keep its strong entity tag.
    EntityTag = 411,
}

impl Rule {
    const ALL: [Self; 32] = [
        Self::CallWithoutReady,
        Self::CallTwiceOnOneReady,
        Self::FuturePolledAfterDone,
        Self::UsedAfterFailed,
        Self::BodyPolledAfterEnd,
        Self::FrameAfterEnd,
        Self::SizeHintOrder,
        Self::SizeHintWrong,
        Self::EndStreamWrong,
        Self::FrameAfterTrailers,
        Self::ContentLengthWrong,
        Self::BodyNotAllowed,
        Self::ContentLengthWithTransferEncoding,
        Self::ContentLengthMalformed,
        Self::AllowMissing,
        Self::WwwAuthenticateMissing,
        Self::ContentRangeMissing,
        Self::ConnectionHeaders,
        Self::ContentOfReset,
        Self::ContentOfConnect,
        Self::ContentRangeWrong,
        Self::RequestHead,
        Self::RequestBody,
        Self::ResponseHead,
        Self::ResponseBody,
        Self::ServiceError,
        Self::ReadyError,
        Self::BodyError,
        Self::Readiness,
        Self::Wake,
        Self::Drop,
        Self::EntityTag,
    ];

    /// Returns all rules in the order of their numbers. A later version may have more.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter()
    }

    /// Returns the rule's number.
    #[must_use]
    pub fn number(self) -> u16 {
        self as u16
    }

    /// Returns the text of the rule.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.entry().0
    }

    /// Returns the source of the rule: a document or a method of a trait.
    #[must_use]
    pub fn source(self) -> &'static str {
        self.entry().1
    }

    fn entry(self) -> (&'static str, &'static str) {
        const READY: &str = "tower_service::Service::poll_ready";
        const CALL: &str = "tower_service::Service::call";
        const FUTURE: &str = "std::future::Future::poll";
        const FRAME: &str = "http_body::Body::poll_frame";
        const HINT: &str = "http_body::Body::size_hint";
        const END: &str = "http_body::Body::is_end_stream";
        const LAYER: &str = "a layer changes only what it is responsible for";
        const DROP: &str = "std::ops::Drop::drop";
        match self {
            Self::CallWithoutReady => (
                "a service is called only after it reported that it is ready",
                CALL,
            ),
            Self::CallTwiceOnOneReady => ("one readiness is for one call", CALL),
            Self::FuturePolledAfterDone => ("a future is not polled after it is done", FUTURE),
            Self::UsedAfterFailed => ("a service whose poll_ready failed is not used again", READY),
            Self::BodyPolledAfterEnd => ("a body is not polled after it failed", FRAME),
            Self::FrameAfterEnd => ("a body has no frame after its end", FRAME),
            Self::SizeHintOrder => (
                "a size hint's lower bound is not above its upper bound",
                HINT,
            ),
            Self::SizeHintWrong => ("a body has as many bytes as its size hints promise", HINT),
            Self::EndStreamWrong => ("a body that reports its end has no further frame", END),
            Self::FrameAfterTrailers => {
                ("trailers are a body's last frame", "RFC 9110, section 6.5")
            }
            Self::ContentLengthWrong => (
                "Content-Length is the number of bytes in the body",
                "RFC 9110, section 8.6",
            ),
            Self::BodyNotAllowed => (
                "a response to HEAD, a 1xx, a 204 and a 304 have no body",
                "RFC 9110, section 6.4.1",
            ),
            Self::ContentLengthWithTransferEncoding => (
                "Content-Length and Transfer-Encoding do not go together",
                "RFC 9112, section 6.2",
            ),
            Self::ContentLengthMalformed => {
                ("Content-Length is one number", "RFC 9110, section 8.6")
            }
            Self::AllowMissing => ("a 405 has Allow", "RFC 9110, section 15.5.6"),
            Self::WwwAuthenticateMissing => {
                ("a 401 has WWW-Authenticate", "RFC 9110, section 15.5.2")
            }
            Self::ContentRangeMissing => (
                "a 206 has Content-Range, or is multipart/byteranges",
                "RFC 9110, section 15.3.7",
            ),
            Self::ConnectionHeaders => (
                "a response over HTTP/2 has no header about the connection",
                "RFC 9113, section 8.2.2",
            ),
            Self::ContentOfReset => ("a 205 has no content", "RFC 9110, section 15.3.6"),
            Self::ContentOfConnect => (
                "a 2xx to CONNECT has no Content-Length, no Transfer-Encoding and no content",
                "RFC 9110, section 9.3.6",
            ),
            Self::ContentRangeWrong => (
                "a 206 has as many bytes as its Content-Range states",
                "RFC 9110, section 15.3.7",
            ),
            Self::RequestHead => (
                "the inner service gets method, URI, version, headers and extensions of the request; \
                 a layer may add headers and extensions",
                LAYER,
            ),
            Self::RequestBody => (
                "the inner service gets the bytes and trailers of the request's body",
                LAYER,
            ),
            Self::ResponseHead => (
                "the client gets status, version, headers and extensions of the inner service's response; \
                 a layer may add headers and extensions",
                LAYER,
            ),
            Self::ResponseBody => (
                "the client gets the bytes and trailers of the inner service's response body",
                LAYER,
            ),
            Self::ServiceError => (
                "the inner service's error reaches the caller, itself or as a source",
                LAYER,
            ),
            Self::ReadyError => (
                "the error of the inner service's poll_ready reaches the caller",
                READY,
            ),
            Self::BodyError => (
                "the inner body's error reaches the reader, after the data before it",
                FRAME,
            ),
            Self::Readiness => (
                "a request to an inner service that is not ready reaches it later, and once",
                READY,
            ),
            Self::Wake => (
                "a waiting task is woken when the inner future or body can continue",
                FUTURE,
            ),
            Self::Drop => (
                "a future or a body that is dropped, at any point, drops its inner one, once",
                // DIFFERENCE: in WSGI (PEP 3333), each middleware calls close() itself.
                DROP,
            ),
            Self::EntityTag => (
                "a response whose content a layer changes does not keep its strong entity tag",
                "RFC 9110, section 8.8.3",
            ),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "rule {} ({self:?}): {} ({})",
            self.number(),
            self.text(),
            self.source()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rules_are_listed_once_by_number_and_in_rules_md() {
        assert!(
            Rule::ALL
                .windows(2)
                .all(|pair| pair[0].number() < pair[1].number())
        );
        let rules = include_str!("../RULES.md");
        for rule in Rule::all() {
            let row = format!(
                "| LINT-{} | `{rule:?}` | {} | {} |",
                rule.number(),
                rule.text(),
                rule.source()
            );
            assert!(rules.contains(&row), "RULES.md lacks this row:\n{row}");
        }
    }
}
