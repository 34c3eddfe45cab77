//! The head of a request as it was written to a connection.
//!
//! A request that is sent a second time needs its head again, and hyper takes the first one apart.
//! Few requests are sent twice. So the connection keeps the bytes that it writes, which is cheaper
//! than a copy of the headers, and here they become a head again.

use http::{HeaderMap, HeaderName, HeaderValue, Method, uri::PathAndQuery};

use crate::outgoing::Head;

/// Returns the head in these bytes, which hyper has written for a request without a body. Returns
/// `None` if they are not a whole head.
pub(crate) fn head(bytes: &[u8]) -> Option<Head> {
    let mut rest = bytes;
    let line = take_line(&mut rest)?;
    let mut words = line.split(|byte| *byte == b' ');
    let method = Method::from_bytes(words.next()?).ok()?;
    let target = PathAndQuery::try_from(words.next()?).ok()?;
    let mut headers = HeaderMap::new();
    loop {
        let line = take_line(&mut rest)?;
        if line.is_empty() {
            break;
        }
        let at = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..at]).ok()?;
        let value = HeaderValue::from_bytes(line[at..].strip_prefix(b": ")?).ok()?;
        headers.append(name, value);
    }
    rest.is_empty().then_some(Head {
        method,
        target,
        headers,
        metadata: None,
    })
}

/// Takes a line with its end, and returns it without that.
fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = rest.windows(2).position(|end| end == b"\r\n")?;
    let (line, after) = rest.split_at(length);
    *rest = &after[2..];
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstream_10_a_head_is_that_which_was_written() {
        let lines = b"GET /a%20b?c=d:e HTTP/1.1\r\nhost: h:81\r\nx-a: 1: 2\r\nx-a: \xe9, \"\r\nx-b: \r\n\r\n";
        let found = head(lines).unwrap();
        assert_eq!(
            (found.method, found.target.as_str()),
            (Method::GET, "/a%20b?c=d:e")
        );
        let found: Vec<_> = found
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let expected: [(&str, &[u8]); 4] = [
            ("host", b"h:81"),
            ("x-a", b"1: 2"),
            ("x-a", b"\xe9, \""),
            ("x-b", b""),
        ];
        assert_eq!(found, expected);
        let star = head(b"OPTIONS * HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!((star.method, star.target.as_str()), (Method::OPTIONS, "*"));
    }

    #[test]
    fn upstream_10_a_part_of_a_head_is_none() {
        let whole = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n";
        assert!(head(whole).is_some());
        for length in 0..whole.len() {
            assert!(head(&whole[..length]).is_none(), "{length}");
        }
        assert!(head(b"GET / HTTP/1.1\r\nhost: h\r\n\r\nbody").is_none());
    }
}
