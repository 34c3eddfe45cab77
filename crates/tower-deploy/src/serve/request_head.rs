//! Which requests no app gets.

use http::{
    HeaderMap, Request, StatusCode, Version,
    header::{HOST, TRANSFER_ENCODING},
};

/// Returns the status for a request that is refused.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<StatusCode> {
    if !has_host(request) {
        return Some(StatusCode::BAD_REQUEST);
    }
    refusal_of_codings(request.headers())
}

/// Returns whether exactly one host is named, as HTTP/1.1 requires (RFC 9112, section 3.2). Two
/// readers of two hosts would not agree.
fn has_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (first, more) = (hosts.next(), hosts.next());
    more.is_none() && (first.is_some() || request.version() != Version::HTTP_11)
}

/// Returns the status for a request whose transfer codings hyper does not decode. hyper removes
/// only `chunked`, so the app would get an encoded body. A request whose last coding is not
/// `chunked` never comes here: hyper responds with 400 (RFC 9112, sections 6.1 and 6.3). Over
/// HTTP/2 no request with a coding comes here.
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
