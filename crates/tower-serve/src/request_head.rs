//! Requests that no service gets.

use std::net::Ipv6Addr;

use http::{
    HeaderMap, HeaderValue, Method, Request, Version,
    header::{EXPECT, HOST, TRANSFER_ENCODING},
    uri::Authority,
};
use hyper::ext::Protocol;

use crate::fault::Fault;

/// Returns the reason why a request is rejected, if there is one. A request without content has no
/// transfer coding.
pub(crate) fn fault<B>(request: &Request<B>, has_content: bool) -> Option<Fault> {
    if !has_host(request) {
        return Some(Fault::Host);
    }
    if !has_target(request) {
        return Some(Fault::Target);
    }
    match has_content {
        true => fault_of_codings(request.headers()),
        false => None,
    }
}

/// Returns whether the client waits for a 100 before it sends content (RFC 9110, section 10.1.1).
pub(crate) fn expects_100<B>(request: &Request<B>) -> bool {
    let expects = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    request.version() == Version::HTTP_11 && request.headers().get(EXPECT).is_some_and(expects)
}

/// Returns whether exactly one host is named, as HTTP/1.1 requires, and is a host (RFC 9112,
/// section 3.2). Two readers of two hosts would not agree.
fn has_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_host(host.as_bytes()),
        (None, None) => request.version() != Version::HTTP_11,
        _ => false,
    }
}

/// Returns whether the target has a form that its method may have: a host and a port for CONNECT
/// alone, `*` for OPTIONS alone, and otherwise a path or a URL (RFC 9112, section 3.2). Extended
/// CONNECT has a URL (RFC 8441, section 4).
fn has_target<B>(request: &Request<B>) -> bool {
    let (method, uri) = (request.method(), request.uri());
    // Its user name would be taken for a host (RFC 9110, section 4.2.4; RFC 9113, section 8.3.1).
    let is_valid = |authority: &Authority| is_host(authority.as_str().as_bytes());
    if !uri.authority().is_none_or(is_valid) {
        return false;
    }
    if method == Method::CONNECT && request.extensions().get::<Protocol>().is_none() {
        // RFC 9110, section 9.3.6.
        return uri.path().is_empty() && uri.port_u16().is_some_and(|port| port > 0);
    }
    match uri.path() {
        "*" => method == Method::OPTIONS,
        path => path.starts_with('/'),
    }
}

/// Returns whether this is `uri-host [ ":" port ]` (RFC 9110, section 7.2; RFC 3986, section
/// 3.2.2). The host may be empty, and so may the port.
fn is_host(text: &[u8]) -> bool {
    let (is_name, port) = match text.strip_prefix(b"[") {
        Some(rest) => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else {
                return false;
            };
            let address = std::str::from_utf8(&rest[..end]);
            let address = address.map(str::parse::<Ipv6Addr>);
            (matches!(address, Ok(Ok(_))), &rest[end + 1..])
        }
        None => {
            let end = text.iter().position(|byte| *byte == b':');
            let (name, port) = text.split_at(end.unwrap_or(text.len()));
            (name.iter().all(|&byte| OF_NAME[usize::from(byte)]), port)
        }
    };
    let is_port = |port: &[u8]| {
        let number = port.iter().try_fold(0_u16, |number, byte| match byte {
            b'0'..=b'9' => number.checked_mul(10)?.checked_add(u16::from(byte - b'0')),
            _ => None,
        });
        number.is_some()
    };
    is_name && (port.is_empty() || port.strip_prefix(b":").is_some_and(is_port))
}

/// Whether a byte of this value may be in a name (RFC 3986, section 3.2.2). Each request's host is
/// looked up in it.
const OF_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let others = b"-._~%!$&'()*+,;=";
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    let mut byte = 0;
    while byte < 128 {
        table[byte] |= (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    table
};

/// Returns the same for transfer codings that hyper does not decode. hyper removes only `chunked`,
/// so the service would get an encoded body. A request whose last coding is not `chunked` never
/// comes here: hyper responds with 400 (RFC 9112, sections 6.1 and 6.3). Over HTTP/2 no request
/// with a coding comes here.
fn fault_of_codings(headers: &HeaderMap) -> Option<Fault> {
    let lines = headers.get_all(TRANSFER_ENCODING).iter();
    let codings = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let mut chunked = 0;
    for coding in codings.map(<[u8]>::trim_ascii) {
        match coding {
            b"" => {}
            _ if coding.eq_ignore_ascii_case(b"chunked") => chunked += 1,
            _ => return Some(Fault::TransferCoding),
        }
    }
    (chunked > 1).then_some(Fault::ChunkedTwice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serve_4_a_host_is_a_name_or_an_address_and_maybe_a_port() {
        let table = [
            ("", true),
            ("example.org", true),
            ("example.org:8080", true),
            ("example.org:", true),
            ("my_host", true),
            ("192.0.2.1:80", true),
            ("[2001:db8::9]", true),
            ("[2001:db8::9]:8080", true),
            ("caf%C3%A9.example", true),
            ("a b", false),
            ("user@example.org", false),
            ("example.org/a", false),
            ("example.org:99999", false),
            ("example.org:+80", false),
            ("example.org:80:80", false),
            ("[::1", false),
            ("[::1]a", false),
            ("[example.org]", false),
            ("::1", false),
            ("a\\b", false),
        ];
        for (text, expected) in table {
            assert_eq!(is_host(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn serve_27_a_target_has_a_form_of_its_method() {
        let table = [
            ("GET", "/a?b", true),
            ("GET", "http://a", true),
            ("GET", "http://a:80/b", true),
            ("GET", "*", false),
            ("GET", "a", false),
            ("GET", "a:80", false),
            ("GET", "http://user@a/", false),
            ("GET", "http://a:99999/", false),
            ("OPTIONS", "*", true),
            ("OPTIONS", "/a", true),
            ("OPTIONS", "a:80", false),
            ("CONNECT", "a:80", true),
            ("CONNECT", "[::1]:80", true),
            ("CONNECT", "a", false),
            ("CONNECT", "a:", false),
            ("CONNECT", "a:0", false),
            ("CONNECT", "a:65536", false),
            ("CONNECT", "user@a:80", false),
            ("CONNECT", "/a", false),
            ("CONNECT", "*", false),
            ("CONNECT", "http://a:80/", false),
        ];
        for (method, target, expected) in table {
            let request = Request::builder().method(method).uri(target).body(());
            let seen = has_target(&request.unwrap());
            assert_eq!(seen, expected, "{method} {target}");
        }
    }

    #[test]
    fn serve_27_extended_connect_has_a_url() {
        let request = Request::connect("http://a/b").extension(Protocol::from_static("websocket"));
        assert!(has_target(&request.body(()).unwrap()));
    }
}
