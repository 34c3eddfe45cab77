//! The head of a request as a web server sends it in SCGI: a netstring.

use std::{error::Error, fmt};

use bytes::{Buf, Bytes, BytesMut};

/// The most digits of a length that is taken. No limit needs more.
const DIGITS: usize = 9;

/// Reads the head of an SCGI request, which may be cut anywhere.
#[derive(Debug)]
pub(crate) struct ScgiHeadReader {
    limit: usize,
}

impl ScgiHeadReader {
    /// Returns a reader for a head of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit }
    }

    /// Returns the content of the head, and removes its bytes. Returns `None` if more bytes are
    /// needed. What follows is the body.
    pub(crate) fn read(&self, bytes: &mut BytesMut) -> Result<Option<Bytes>, ScgiHeadError> {
        let start = &bytes[..bytes.len().min(DIGITS + 1)];
        let digits = start.iter().take_while(|byte| byte.is_ascii_digit());
        let digits = digits.count();
        match start.get(digits) {
            Some(b':') if digits > 0 => {}
            None if digits <= DIGITS => return Ok(None),
            _ => return Err(ScgiHeadError::Length),
        }
        let length = start[..digits]
            .iter()
            .fold(0, |length, digit| 10 * length + usize::from(digit - b'0'));
        if length > self.limit {
            return Err(ScgiHeadError::TooLarge(self.limit));
        }
        let comma = digits + 1 + length;
        match bytes.get(comma) {
            Some(b',') => {}
            Some(_) => return Err(ScgiHeadError::Comma),
            None => return Ok(None),
        }
        bytes.advance(digits + 1);
        let content = bytes.split_to(length).freeze();
        bytes.advance(1);
        Ok(Some(content))
    }
}

/// Bytes that are not the head of an SCGI request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScgiHeadError {
    Length,
    TooLarge(usize),
    Comma,
}

impl fmt::Display for ScgiHeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => {
                f.write_str("the head of the request does not begin with a length and a colon")
            }
            Self::TooLarge(limit) => {
                write!(f, "the head of the request has more than {limit} bytes")
            }
            Self::Comma => f.write_str("the head of the request does not end with a comma"),
        }
    }
}

impl Error for ScgiHeadError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(request: &[u8], size: usize) -> Result<Option<(Bytes, usize)>, ScgiHeadError> {
        let (reader, mut bytes) = (ScgiHeadReader::new(1000), BytesMut::new());
        let mut left = request.len();
        for piece in request.chunks(size) {
            bytes.extend_from_slice(piece);
            left -= piece.len();
            if let Some(head) = reader.read(&mut bytes)? {
                return Ok(Some((head, bytes.len() + left)));
            }
        }
        Ok(None)
    }

    #[test]
    fn gateway_35_a_head_is_a_netstring() {
        use ScgiHeadError::{Comma, Length, TooLarge};
        for (request, expected) in [
            (&b"0:,"[..], Ok(Some(("", 0)))),
            (b"3:abc,body", Ok(Some(("abc", 4)))),
            (b"003:abc,", Ok(Some(("abc", 0)))),
            (b"3:abc", Ok(None)),
            (b"12", Ok(None)),
            (b"", Ok(None)),
            (b"3:abcd", Err(Comma)),
            (b":,", Err(Length)),
            (b"-1:,", Err(Length)),
            (b"GET / HTTP/1.1\r\n", Err(Length)),
            (b"12345678901234567890:", Err(Length)),
            // It is known before any of it is read.
            (b"1001:", Err(TooLarge(1000))),
            (b"999999999:", Err(TooLarge(1000))),
        ] {
            let expected = expected.map(|read| {
                read.map(|(head, rest)| (Bytes::from_static(str::as_bytes(head)), rest))
            });
            for size in 1..=request.len().max(1) {
                assert_eq!(read(request, size), expected, "{request:?} by {size}");
            }
        }
    }
}
