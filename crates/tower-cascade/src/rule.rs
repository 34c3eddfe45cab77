//! The rule that decides which responses fall through to the next service.

use std::{error::Error, fmt, sync::Arc};

use http::{Method, Response, StatusCode, header::CONTENT_TYPE, response::Parts};
use tower_kit::{
    Rejection,
    grpc::{Flavor, GRPC_STATUS},
};

type Predicate = Arc<dyn Fn(&Parts) -> bool + Send + Sync>;

/// A response falls through if any part of the rule names it, and if nothing forbids it.
#[derive(Clone)]
pub(crate) struct Rule {
    pub(crate) statuses: Vec<StatusCode>,
    pub(crate) predicates: Vec<Predicate>,
    pub(crate) grpc_unimplemented: bool,
    pub(crate) auth_statuses: bool,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            statuses: vec![StatusCode::NOT_FOUND],
            predicates: Vec::new(),
            grpc_unimplemented: false,
            auth_statuses: false,
        }
    }
}

impl Rule {
    /// Returns whether the response, whose status is this one, falls through.
    #[inline]
    pub(crate) fn falls_through<B>(
        &self,
        method: &Method,
        status: StatusCode,
        response: &mut Response<B>,
    ) -> bool {
        let is_named = self.statuses.contains(&status);
        let sees_heads = self.grpc_unimplemented || !self.predicates.is_empty();
        (is_named || sees_heads)
            && self.may(method, status)
            && (is_named || self.head_falls_through(response))
    }

    /// The head is lent, so that a response is not moved.
    fn head_falls_through<B>(&self, response: &mut Response<B>) -> bool {
        let (mut head, ()) = Response::new(()).into_parts();
        head.status = response.status();
        head.version = response.version();
        std::mem::swap(&mut head.headers, response.headers_mut());
        std::mem::swap(&mut head.extensions, response.extensions_mut());
        let falls_through = self.grpc_unimplemented && is_unimplemented(&head)
            || self.predicates.iter().any(|predicate| predicate(&head));
        *response.headers_mut() = head.headers;
        *response.extensions_mut() = head.extensions;
        falls_through
    }

    /// Returns whether a response with this status may fall through at all.
    fn may(&self, method: &Method, status: StatusCode) -> bool {
        // After a 5xx, the server may have acted already. A request that is not idempotent must not
        // be done again (RFC 9110, section 9.2.2, and nginx's proxy_next_upstream).
        let is_safe = !status.is_server_error() || method.is_idempotent();
        is_safe && is_final(status).is_ok() && (self.auth_statuses || !is_auth(status))
    }

    /// Returns the error if the statuses contradict the rest of the rule.
    pub(crate) fn contradiction(&self) -> Option<StatusError> {
        let mut statuses = self.statuses.iter();
        let status = *statuses.find(|status| is_auth(**status) && !self.auth_statuses)?;
        let reason = "the next service would respond to a request that one has rejected; if this is \
            meant, call allow_auth_statuses()";
        Some(StatusError { status, reason })
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("statuses", &self.statuses)
            .field("predicates", &self.predicates.len())
            .field("grpc_unimplemented", &self.grpc_unimplemented)
            .field("auth_statuses", &self.auth_statuses)
            .finish()
    }
}

fn is_auth(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Checks a status that can never fall through.
pub(crate) fn is_final(status: StatusCode) -> Result<(), StatusError> {
    let reason = match status {
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => "it is a success",
        _ if status.is_informational() => "it is not the final response",
        _ => return Ok(()),
    };
    Err(StatusError { status, reason })
}

/// Returns whether gRPC's status 12 is in the head, so that no part of a message was sent. A
/// rejection for gRPC-Web has it in its body.
fn is_unimplemented(head: &Parts) -> bool {
    if let Some(rejection) = Rejection::of_head(head) {
        return rejection.status() == StatusCode::NOT_FOUND;
    }
    let content_type = head.headers.get(CONTENT_TYPE);
    content_type.is_some_and(|value| Flavor::of(value.as_bytes()).is_some())
        && head
            .headers
            .get(GRPC_STATUS)
            .is_some_and(|code| code == "12")
}

/// An error of [`CascadeLayer::statuses`](crate::CascadeLayer::statuses): a response with this
/// status cannot fall through.
///
/// ```
/// use http::StatusCode;
/// use tower_cascade::CascadeLayer;
///
/// let error = CascadeLayer::new(()).statuses([StatusCode::NO_CONTENT]).unwrap_err();
/// assert_eq!(error.status(), StatusCode::NO_CONTENT);
/// assert!(error.to_string().ends_with("it is a success"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusError {
    status: StatusCode,
    reason: &'static str,
}

impl StatusError {
    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, reason } = self;
        write!(
            f,
            "{status} cannot fall through to the next service: {reason}"
        )
    }
}

impl Error for StatusError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> StatusCode {
        StatusCode::from_u16(code).unwrap()
    }

    fn response(code: u16, headers: &[(&'static str, &'static str)]) -> Response<()> {
        let mut response = Response::builder().status(code);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(()).unwrap()
    }

    fn falls_through(rule: &Rule, method: &Method, mut response: Response<()>) -> bool {
        let headers = response.headers().clone();
        let found = rule.falls_through(method, response.status(), &mut response);
        assert_eq!(*response.headers(), headers);
        found
    }

    #[test]
    fn cascade_1_a_final_status_cannot_fall_through() {
        let table = [
            (
                204,
                "204 No Content cannot fall through to the next service: it is a success",
            ),
            (
                304,
                "304 Not Modified cannot fall through to the next service: it is a success",
            ),
            (
                100,
                "100 Continue cannot fall through to the next service: it is not the final response",
            ),
            (
                101,
                "101 Switching Protocols cannot fall through to the next service: it is not the \
                 final response",
            ),
        ];
        for (code, text) in table {
            let error = is_final(status(code)).unwrap_err();
            assert_eq!(
                (error.status(), error.to_string().as_str()),
                (status(code), text)
            );
        }
        for code in [200, 301, 401, 403, 404, 503] {
            assert_eq!(is_final(status(code)), Ok(()));
        }
    }

    #[test]
    fn cascade_10_auth_statuses_need_a_switch() {
        for code in [401, 403] {
            let mut rule = Rule {
                statuses: vec![status(404), status(code)],
                ..Rule::default()
            };
            rule.predicates.push(Arc::new(|_| true));
            let text = rule.contradiction().unwrap().to_string();
            let name = status(code);
            assert_eq!(
                text,
                format!(
                    "{name} cannot fall through to the next service: the next service would respond \
                     to a request that one has rejected; if this is meant, call allow_auth_statuses()"
                )
            );
            assert!(!falls_through(&rule, &Method::GET, response(code, &[])));
            rule.auth_statuses = true;
            assert_eq!(rule.contradiction(), None);
            assert!(falls_through(&rule, &Method::GET, response(code, &[])));
        }
    }

    #[test]
    fn cascade_10_after_a_5xx_only_idempotent_ones_fall_through() {
        let by_status = Rule {
            statuses: vec![status(404), status(503)],
            ..Rule::default()
        };
        let mut by_head = Rule {
            statuses: vec![],
            ..Rule::default()
        };
        by_head
            .predicates
            .push(Arc::new(|head| matches!(head.status.as_u16(), 404 | 503)));
        let table = [
            (Method::GET, 404, true),
            (Method::POST, 404, true),
            (Method::GET, 503, true),
            (Method::PUT, 503, true),
            (Method::DELETE, 503, true),
            (Method::POST, 503, false),
            (Method::PATCH, 503, false),
            (Method::CONNECT, 503, false),
            (Method::GET, 500, false),
            (Method::GET, 200, false),
        ];
        for (method, code, expected) in table {
            for rule in [&by_status, &by_head] {
                let found = falls_through(rule, &method, response(code, &[]));
                assert_eq!(found, expected, "{method} {code} {rule:?}");
            }
        }
    }

    #[test]
    fn cascade_16_unimplemented_is_in_the_head_of_a_grpc_response() {
        let rule = Rule {
            statuses: vec![],
            grpc_unimplemented: true,
            ..Rule::default()
        };
        let table = [
            ("application/grpc", "12", true),
            ("application/grpc+proto", "12", true),
            ("application/grpc-web-text", "12", true),
            ("application/grpc", "5", false),
            ("application/grpc", "0", false),
            ("text/plain", "12", false),
        ];
        for (content_type, code, expected) in table {
            let headers = [("content-type", content_type), ("grpc-status", code)];
            let found = falls_through(&rule, &Method::POST, response(200, &headers));
            assert_eq!(found, expected, "{content_type} {code}");
        }
        assert!(!falls_through(&rule, &Method::POST, response(404, &[])));
    }
}
