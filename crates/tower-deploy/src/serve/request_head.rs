//! Which requests no app gets.

use http::{
    HeaderMap, Request, StatusCode, Version,
    header::{HOST, TRANSFER_ENCODING},
};

/// The status for a request that is refused.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<StatusCode> {
    if !has_host(request) {
        return Some(StatusCode::BAD_REQUEST);
    }
    refusal_of_codings(request.headers())
}

/// Whether it says once which host is asked for, as HTTP/1.1 has to (RFC 9112, section 3.2). Who sees
/// one and who sees the other would otherwise not agree.
fn has_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (first, more) = (hosts.next(), hosts.next());
    more.is_none() && (first.is_some() || request.version() != Version::HTTP_11)
}

/// An app gets a body without its chunks, and would take what is left of the codings for the body. hyper
/// refuses a request whose last coding is not `chunked`, and with HTTP/2 any (RFC 9112, sections 6.1 and
/// 6.3).
fn refusal_of_codings(headers: &HeaderMap) -> Option<StatusCode> {
    let lines = headers.get_all(TRANSFER_ENCODING).iter();
    let codings = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let mut chunked = 0;
    for coding in codings.map(<[u8]>::trim_ascii) {
        match coding {
            b"" => {}
            _ if coding.eq_ignore_ascii_case(b"chunked") => chunked += 1,
            _ => return Some(StatusCode::NOT_IMPLEMENTED),
        }
    }
    (chunked > 1).then_some(StatusCode::BAD_REQUEST)
}
