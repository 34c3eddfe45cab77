//! The head of a response, as web servers read it (RFC 3875, section 6).

use http::{HeaderMap, StatusCode};

/// The name of a field that would be taken for the status.
const STATUS: &str = "status";

/// Writes a head, with the empty line at its end.
///
/// `Status` is always there and the first line, with the reason: nginx adds none, and Apache takes
/// `Location` without a status for something else.
pub(crate) fn write(status: StatusCode, headers: &HeaderMap, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Status: ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    let reason = status.canonical_reason().unwrap_or("Unknown");
    out.extend_from_slice(reason.as_bytes());
    for (name, value) in headers {
        if name != STATUS {
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n\r\n");
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn gateway_39_the_status_is_always_the_first_line() {
        for (status, headers, expected) in [
            (200, &[][..], "Status: 200 OK\r\n\r\n"),
            (299, &[], "Status: 299 Unknown\r\n\r\n"),
            (
                302,
                &[("location", "/a"), ("status", "200"), ("x", "")],
                "Status: 302 Found\r\nlocation: /a\r\nx: \r\n\r\n",
            ),
            (
                404,
                &[("set-cookie", "a=1"), ("set-cookie", "b=2")],
                "Status: 404 Not Found\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\n",
            ),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                );
            }
            let mut out = Vec::new();
            write(StatusCode::from_u16(status).unwrap(), &map, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
