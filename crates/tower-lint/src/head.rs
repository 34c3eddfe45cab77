//! The rules for a response's head, which depend on the request.

use std::fmt;

use http::{
    HeaderMap, HeaderName, Method, Request, StatusCode, Version,
    header::{
        ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, TRANSFER_ENCODING, UPGRADE,
        WWW_AUTHENTICATE,
    },
    response::Parts,
};

use crate::Rule;

/// The parts of a request that the rules need.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) version: Version,
    path: String,
}

impl Asked {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        Self {
            method: request.method().clone(),
            version: request.version(),
            path: request.uri().path().to_owned(),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Returns the rule that forbids content in a response with this status, independent of its
/// headers.
pub(crate) fn forbids_content(asked: &Asked, status: StatusCode) -> Option<Rule> {
    match status {
        _ if opens_a_tunnel(asked, status) => Some(Rule::ContentOfConnect),
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Some(Rule::BodyNotAllowed),
        _ if asked.method == Method::HEAD || status.is_informational() => {
            Some(Rule::BodyNotAllowed)
        }
        StatusCode::RESET_CONTENT => Some(Rule::ContentOfReset),
        _ => None,
    }
}

fn opens_a_tunnel(asked: &Asked, status: StatusCode) -> bool {
    asked.method == Method::CONNECT && status.is_success()
}

/// Returns the number of bytes that Content-Length promises of this response's body.
pub(crate) fn content_length(asked: &Asked, response: &Parts) -> Option<u64> {
    match forbids_content(asked, response.status) {
        // In these it is the length of another body, or has no meaning.
        Some(Rule::BodyNotAllowed | Rule::ContentOfConnect) => None,
        _ => length(&response.headers),
    }
}

/// Returns the number of bytes that Content-Range promises of the body of a 206.
pub(crate) fn content_range(asked: &Asked, response: &Parts) -> Option<u64> {
    let status = response.status;
    if status != StatusCode::PARTIAL_CONTENT || forbids_content(asked, status).is_some() {
        return None;
    }
    let text = response.headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (unit, range) = text.split_once(' ')?;
    let (first, last) = range.split_once('/')?.0.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let length = last.checked_sub(first)?.checked_add(1)?;
    unit.eq_ignore_ascii_case("bytes").then_some(length)
}

/// Returns the Content-Length, if there is one and it is a number.
fn length(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(CONTENT_LENGTH)?.to_str().ok()?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Returns the violations of a head.
pub(crate) fn violations(asked: &Asked, response: &Parts) -> Vec<(Rule, String)> {
    let headers = &response.headers;
    let status = response.status;
    let mut violations = Vec::new();
    let mut lacks = |rule, name: HeaderName| {
        if !headers.contains_key(&name) {
            violations.push((rule, format!("{status} to {asked} without {name}")));
        }
    };
    match status {
        StatusCode::METHOD_NOT_ALLOWED => lacks(Rule::AllowMissing, ALLOW),
        StatusCode::UNAUTHORIZED => lacks(Rule::WwwAuthenticateMissing, WWW_AUTHENTICATE),
        StatusCode::PARTIAL_CONTENT if !is_multipart(headers) => {
            lacks(Rule::ContentRangeMissing, CONTENT_RANGE);
        }
        _ => {}
    }

    if opens_a_tunnel(asked, status) {
        for name in [CONTENT_LENGTH, TRANSFER_ENCODING] {
            if headers.contains_key(&name) {
                violations.push((
                    Rule::ContentOfConnect,
                    format!("{name} in the {status} to {asked}"),
                ));
            }
        }
    }

    let lengths: Vec<_> = headers.get_all(CONTENT_LENGTH).iter().collect();
    let malformed = lengths.len() > 1 || (!lengths.is_empty() && length(headers).is_none());
    if malformed {
        violations.push((
            Rule::ContentLengthMalformed,
            format!("{lengths:?} in the response to {asked}"),
        ));
    }
    if !lengths.is_empty() && headers.contains_key(TRANSFER_ENCODING) {
        violations.push((
            Rule::ContentLengthWithTransferEncoding,
            format!("both in the response to {asked}"),
        ));
    }

    if asked.version == Version::HTTP_2 {
        let about_the_connection = [
            CONNECTION,
            HeaderName::from_static("keep-alive"),
            HeaderName::from_static("proxy-connection"),
            TRANSFER_ENCODING,
            UPGRADE,
        ];
        for name in about_the_connection {
            if headers.contains_key(&name) {
                violations.push((
                    Rule::ConnectionHeaders,
                    format!("{name} in the response to {asked}"),
                ));
            }
        }
    }
    violations
}

fn is_multipart(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        value
            .as_bytes()
            .get(.."multipart/byteranges".len())
            .is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/byteranges"))
    })
}
