//! The head of a program's response (RFC 3875, section 6).

use std::{error::Error, fmt};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::LOCATION};
use tower_kit::content::content_length;

use super::one_hop;

/// The head of a program's response.
#[derive(Debug)]
pub(crate) struct Head {
    /// `None` if the program leaves it to the server.
    pub(crate) status: Option<StatusCode>,
    pub(crate) headers: HeaderMap,
}

/// The meaning of a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It is the head of a response with this status.
    Response(StatusCode),
    /// It asks the server for the response to another path of its own (RFC 3875, section 6.2.2).
    LocalRedirect,
}

impl Head {
    /// Returns the meaning of the head.
    pub(crate) fn meaning(&self) -> Meaning {
        let location = self.headers.get(LOCATION).map(HeaderValue::as_bytes);
        match (self.status, location) {
            (Some(status), _) => Meaning::Response(status),
            // A network-path reference (`//host`) is not a path of this server.
            (None, Some([b'/', rest @ ..])) if rest.first() != Some(&b'/') => {
                Meaning::LocalRedirect
            }
            (None, Some(_)) => Meaning::Response(StatusCode::FOUND),
            (None, None) => Meaning::Response(StatusCode::OK),
        }
    }
}

/// Reads the head of a response, which may be cut anywhere.
#[derive(Debug)]
pub(crate) struct HeadReader {
    bytes: BytesMut,
    /// The index of the last line that is not whole.
    line: usize,
    /// The index up to which that line has no end.
    searched: usize,
    limit: usize,
}

impl HeadReader {
    /// Returns a reader for a head of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            bytes: BytesMut::new(),
            line: 0,
            searched: 0,
            limit,
        }
    }

    /// Takes the next bytes. Returns the head and the bytes after it, once it is whole.
    pub(crate) fn feed(&mut self, bytes: Bytes) -> Result<Option<(Head, Bytes)>, HeadError> {
        // Mostly the first piece has the whole head, so nothing is copied.
        let mut bytes = match self.bytes.is_empty() {
            true => bytes,
            false => {
                self.bytes.extend_from_slice(&bytes);
                std::mem::take(&mut self.bytes).freeze()
            }
        };
        match self.end(&bytes) {
            Some(end) if end <= self.limit => {
                let head = parse(&bytes[..end])?;
                bytes.advance(end);
                Ok(Some((head, bytes)))
            }
            None if bytes.len() <= self.limit => {
                self.bytes = BytesMut::from(bytes);
                Ok(None)
            }
            _ => Err(HeadError::TooLarge(self.limit)),
        }
    }

    /// Returns whether nothing was taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the index after the empty line, once there is one.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let is_end = |byte: &u8| *byte == b'\n';
        while let Some(found) = bytes[self.searched..].iter().position(is_end) {
            let end = self.searched + found;
            let is_empty = matches!(&bytes[self.line..end], b"" | b"\r");
            self.searched = end + 1;
            self.line = self.searched;
            if is_empty {
                return Some(self.line);
            }
        }
        self.searched = bytes.len();
        None
    }
}

/// Parses a head that ends with an empty line.
fn parse(bytes: &[u8]) -> Result<Head, HeadError> {
    let mut head = Head {
        status: None,
        headers: HeaderMap::new(),
    };
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let mut is_empty = true;
    for (index, line) in lines.enumerate() {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        is_empty = false;
        // A program that takes itself for a server ("non-parsed headers").
        if index == 0 && line.starts_with(b"HTTP/") {
            let status = line
                .splitn(2, |byte| *byte == b' ')
                .nth(1)
                .unwrap_or_default();
            head.status = Some(self::status(status)?);
            continue;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return Err(HeadError::Line(shown(line)));
        };
        // A folded line begins with a space, and so has no name.
        let Ok(name) = HeaderName::from_bytes(&line[..colon]) else {
            return Err(HeadError::Name(shown(&line[..colon])));
        };
        let value = line[colon + 1..].trim_ascii();
        if name == "status" {
            if head.status.is_some() {
                return Err(HeadError::SeveralStatuses);
            }
            head.status = Some(self::status(value)?);
            continue;
        }
        let Ok(value) = HeaderValue::from_bytes(value) else {
            return Err(HeadError::Value(name));
        };
        if head.headers.try_append(name, value).is_err() {
            return Err(HeadError::TooMany);
        }
    }
    if is_empty {
        return Err(HeadError::Empty);
    }
    one_hop::remove_from_response(&mut head.headers);
    Ok(head)
}

/// Parses `404` or `404 Not Found`.
fn status(value: &[u8]) -> Result<StatusCode, HeadError> {
    let wrong = || HeadError::Status(shown(value));
    let (digits, rest) = value.split_at_checked(3).ok_or_else(wrong)?;
    if !rest.first().is_none_or(u8::is_ascii_whitespace) {
        return Err(wrong());
    }
    let status = StatusCode::from_bytes(digits).map_err(|_| wrong())?;
    // An interim response is not the response, and there are no upgrades here.
    if status.is_informational() || status.as_u16() > 599 {
        return Err(wrong());
    }
    Ok(status)
}

/// Returns the length that the head states.
pub(crate) fn length(headers: &HeaderMap) -> Result<Option<u64>, HeadError> {
    match (
        content_length(headers),
        headers.contains_key("content-length"),
    ) {
        (Some(length), _) => Ok(Some(length)),
        (None, false) => Ok(None),
        (None, true) => Err(HeadError::Length),
    }
}

/// Returns the beginning of a text of the program, for the log.
fn shown(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(40)].escape_ascii().to_string()
}

/// Bytes that are not the head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeadError {
    TooLarge(usize),
    Empty,
    Line(String),
    Name(String),
    Value(HeaderName),
    Status(String),
    SeveralStatuses,
    TooMany,
    Length,
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(limit) => write!(f, "the head has more than {limit} bytes"),
            Self::Empty => f.write_str("the head has no line"),
            Self::Line(line) => {
                write!(
                    f,
                    "the head has the line `{line}`, expected a name and a colon"
                )
            }
            Self::Name(name) => write!(f, "the head has the invalid name `{name}`"),
            Self::Value(name) => write!(f, "the head has an invalid value of `{name}`"),
            Self::Status(status) => {
                write!(
                    f,
                    "the head has the status `{status}`, expected 200 to 599 and a space"
                )
            }
            Self::SeveralStatuses => f.write_str("the head has several statuses"),
            Self::TooMany => f.write_str("the head has too many names"),
            Self::Length => f.write_str("the head has an invalid or several lengths"),
        }
    }
}

impl Error for HeadError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a response in pieces of each size, with the same result.
    fn read(response: &str) -> Result<Option<(Head, Bytes)>, HeadError> {
        let whole = || HeadReader::new(100).feed(Bytes::from(response.to_owned()));
        let in_lines = whole().map(|read| read.map(|(head, rest)| (format!("{head:?}"), rest)));
        for size in 1..response.len() {
            let mut reader = HeadReader::new(100);
            let mut result = Ok(None);
            let mut pieces = response.as_bytes().chunks(size);
            while let Ok(None) = result
                && let Some(piece) = pieces.next()
            {
                result = reader.feed(Bytes::copy_from_slice(piece));
            }
            let result = result.map(|read| {
                read.map(|(head, rest)| {
                    let rest = [&rest[..], &pieces.collect::<Vec<_>>().concat()].concat();
                    (format!("{head:?}"), Bytes::from(rest))
                })
            });
            assert_eq!(result, in_lines, "{response:?} in pieces of {size}");
        }
        whole()
    }

    fn line(head: &Head) -> String {
        let mut line = format!("{:?}", head.meaning());
        for (name, value) in &head.headers {
            line += &format!(" {name}={}", value.to_str().unwrap());
        }
        line
    }

    #[test]
    fn gateway_14_a_head_has_a_status_and_headers() {
        for (response, expected, rest) in [
            (
                "Content-Type: a/b\r\n\r\nbody",
                "Response(200) content-type=a/b",
                "body",
            ),
            (
                "Content-Type: a/b\n\n\nbody",
                "Response(200) content-type=a/b",
                "\nbody",
            ),
            // The line ends may differ from line to line.
            ("A: 1\r\nB: 2\n\r\n", "Response(200) a=1 b=2", ""),
            (
                "A: 1\r\nStatus: 404 Not Found\r\n\r\n",
                "Response(404) a=1",
                "",
            ),
            ("status:204\n\n", "Response(204)", ""),
            ("Status: 599\n\n", "Response(599)", ""),
            (
                "HTTP/1.1 403 Forbidden\r\nA: 1\r\n\r\n",
                "Response(403) a=1",
                "",
            ),
            ("HTTP/1.0 200\r\n\r\n", "Response(200)", ""),
            (
                "Set-Cookie: a\nSet-Cookie: b\n\n",
                "Response(200) set-cookie=a set-cookie=b",
                "",
            ),
            (
                "Location: http://a/\n\n",
                "Response(302) location=http://a/",
                "",
            ),
            ("Location: //a/\n\n", "Response(302) location=//a/", ""),
            ("Location: a\n\n", "Response(302) location=a", ""),
            ("Location: /a\n\n", "LocalRedirect location=/a", ""),
            ("Location: /\n\n", "LocalRedirect location=/", ""),
            (
                "Status: 201\nLocation: /a\n\n",
                "Response(201) location=/a",
                "",
            ),
            ("A:\n\n", "Response(200) a=", ""),
            ("A: \t x y \t\n\n", "Response(200) a=x y", ""),
        ] {
            let (head, found) = read(response).unwrap().unwrap();
            assert_eq!(line(&head), expected, "{response:?}");
            assert_eq!(found, rest, "{response:?}");
        }
    }

    #[test]
    fn gateway_14_headers_about_one_hop_are_removed() {
        let response = "Connection: X-A\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\
            Upgrade: x\r\nKeep-Alive: x\r\nX-B: 2\r\n\r\n";
        let (head, _) = HeadReader::new(1000)
            .feed(response.into())
            .unwrap()
            .unwrap();
        assert_eq!(line(&head), "Response(200) x-b=2");
    }

    #[test]
    fn gateway_15_a_head_that_is_not_valid_is_an_error() {
        for (response, error) in [
            ("\r\nbody", "the head has no line"),
            ("\n", "the head has no line"),
            (
                "<html>\n\n",
                "the head has the line `<html>`, expected a name and a colon",
            ),
            ("A b: 1\n\n", "the head has the invalid name `A b`"),
            (
                "A: 1\n folded: x\n\n",
                "the head has the invalid name ` folded`",
            ),
            (": 1\n\n", "the head has the invalid name ``"),
            ("A: \u{1}\n\n", "the head has an invalid value of `a`"),
            ("A: 1\r2\n\n", "the head has an invalid value of `a`"),
            (
                "Status: 99\n\n",
                "the head has the status `99`, expected 200 to 599 and a space",
            ),
            (
                "Status: 103\n\n",
                "the head has the status `103`, expected 200 to 599 and a space",
            ),
            (
                "Status: 2000\n\n",
                "the head has the status `2000`, expected 200 to 599 and a space",
            ),
            (
                "Status: 600\n\n",
                "the head has the status `600`, expected 200 to 599 and a space",
            ),
            (
                "Status:\n\n",
                "the head has the status ``, expected 200 to 599 and a space",
            ),
            (
                "HTTP/1.1\n\n",
                "the head has the status ``, expected 200 to 599 and a space",
            ),
            (
                "Status: 200\nStatus: 200\n\n",
                "the head has several statuses",
            ),
            (
                "HTTP/1.1 200\nStatus: 200\n\n",
                "the head has several statuses",
            ),
            (
                "A: 23456789012345678901234567890123456789012345678901\n\
                 B: 23456789012345678901234567890123456789012345678901\n\n",
                "the head has more than 100 bytes",
            ),
        ] {
            assert_eq!(
                read(response).unwrap_err().to_string(),
                error,
                "{response:?}"
            );
        }
        let mut reader = HeadReader::new(100);
        assert!(reader.is_empty());
        assert!(reader.feed("A".into()).unwrap().is_none() && !reader.is_empty());
        let endless = "A: ".to_owned() + &"x".repeat(98);
        assert_eq!(read(&endless).unwrap_err(), HeadError::TooLarge(100));
        assert!(read(&endless[1..]).unwrap().is_none());
        let ends = |length: usize| "A: ".to_owned() + &"x".repeat(length - 5) + "\n\n";
        assert!(read(&ends(100)).unwrap().is_some());
        assert_eq!(read(&ends(101)).unwrap_err(), HeadError::TooLarge(100));
    }

    #[test]
    fn gateway_15_the_number_of_names_is_limited() {
        let lines: String = (0..40_000).map(|name| format!("n{name}: 1\n")).collect();
        let found = HeadReader::new(1 << 20).feed((lines + "\n").into());
        assert_eq!(found.unwrap_err(), HeadError::TooMany);
    }

    #[test]
    fn gateway_16_a_length_is_one_number() {
        for (lines, expected) in [
            (&[][..], Ok(None)),
            (&["7"], Ok(Some(7))),
            (&["7", "7"], Ok(Some(7))),
            (&["7", "8"], Err(HeadError::Length)),
            (&["-7"], Err(HeadError::Length)),
            (&[""], Err(HeadError::Length)),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("content-length", HeaderValue::from_static(line));
            }
            assert_eq!(length(&headers), expected);
        }
    }
}
