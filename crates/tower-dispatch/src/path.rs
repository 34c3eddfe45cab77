//! The path that patterns are matched against: decoded once, with an encoded slash kept inside its
//! segment.
//!
//! `/p/a%2Fb` has two segments (RFC 3986, section 2.2: a delimiter and its encoded form are not the
//! same), so while patterns are matched the encoded slash is another character, to which `/` does
//! not match and `.` and `[^/]` do. In the path parameters it is a slash again: they are data.

use std::{error::Error, fmt, sync::Arc};

use http::{Uri, uri::PathAndQuery};

use crate::class;

/// The byte that stands for an encoded slash while patterns are matched. It is one byte for one
/// byte, so that spans stay valid. It is the ASCII character made for that, SUB.
const STAND_IN: u8 = 0x1A;

/// A path in the form in which its parameters are read. A clone never copies the text.
#[derive(Clone, Debug)]
pub(crate) enum Path {
    /// The path of the request, in which nothing is encoded.
    Raw(Option<PathAndQuery>),
    Decoded(Arc<str>),
}

impl Path {
    /// Returns the path of a request in which nothing is encoded. It shares the text.
    pub(crate) fn raw(uri: &Uri) -> Self {
        Self::Raw(uri.path_and_query().cloned())
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Raw(Some(path)) => path.path(),
            // CONNECT has an authority and no path.
            Self::Raw(None) => "",
            Self::Decoded(path) => path,
        }
    }
}

/// Returns whether a path has to be decoded.
// `dispatch/github-app/axum-router`
#[inline]
pub(crate) fn is_encoded(raw: &str) -> bool {
    class::find(raw.as_bytes(), 0, b'%') < raw.len()
}

/// Decodes a URI's path and calls `find` with the form that patterns are matched against.
pub(crate) fn decode<T>(
    uri: &Uri,
    find: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<(T, Path)>, DecodePathError> {
    let raw = uri.path();
    if !is_encoded(raw) {
        return Ok(find(raw).map(|found| (found, Path::raw(uri))));
    }
    decode_text(raw, find)
}

/// Returns the segments of a path before the first that cannot be decoded, with their last slash.
pub(crate) fn decodable(raw: &str) -> &str {
    let mut end = 0;
    for segment in raw.split_inclusive('/') {
        if Decoded::new(segment).is_err() {
            break;
        }
        end += segment.len();
    }
    &raw[..end]
}

/// The same as [`decode`], for a part of a path.
pub(crate) fn decode_text<T>(
    raw: &str,
    find: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<(T, Path)>, DecodePathError> {
    let decoded = Decoded::new(raw)?;
    Ok(find(&decoded.matched).map(|found| (found, decoded.with_slashes())))
}

/// A path, decoded.
// Not a part of `decode_text`, so that a program has it once (`just cost`).
struct Decoded {
    /// The form that patterns are matched against.
    matched: String,
    /// The offsets of the stand-ins for encoded slashes.
    slashes: Vec<usize>,
}

impl Decoded {
    fn new(raw: &str) -> Result<Self, DecodePathError> {
        let (bytes, slashes) = decode_bytes(raw)?;
        match String::from_utf8(bytes) {
            Ok(matched) => Ok(Self { matched, slashes }),
            Err(error) => Err(DecodePathError::InvalidUtf8 {
                valid_up_to: error.utf8_error().valid_up_to(),
            }),
        }
    }

    /// Returns the form in which the parameters are read.
    fn with_slashes(self) -> Path {
        let mut bytes = self.matched.into_bytes();
        for at in self.slashes {
            bytes[at] = b'/';
        }
        let path = String::from_utf8(bytes).expect("one ASCII character has replaced another");
        Path::Decoded(path.into())
    }
}

/// Returns the decoded bytes, and the offsets of the stand-ins for encoded slashes.
fn decode_bytes(raw: &str) -> Result<(Vec<u8>, Vec<usize>), DecodePathError> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut slashes = Vec::new();
    let mut rest = raw.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let escaped = rest.split_first_chunk().and_then(|(&[high, low], after)| {
            rest = after;
            Some(hex(high)? << 4 | hex(low)?)
        });
        match escaped {
            Some(b'/') => {
                slashes.push(bytes.len());
                bytes.push(STAND_IN);
            }
            Some(byte) => bytes.push(byte),
            None => {
                let index = raw.len() - after.len() - 1;
                return Err(DecodePathError::InvalidEscape { index });
            }
        }
    }
    Ok((bytes, slashes))
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// An error of a path that cannot be percent-decoded.
///
/// ```
/// use tower_dispatch::DecodePathError;
///
/// fn index(error: &DecodePathError) -> Option<usize> {
///     match error {
///         DecodePathError::InvalidEscape { index, .. } => Some(*index),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodePathError {
    /// A `%` is not followed by two hexadecimal digits.
    #[non_exhaustive]
    InvalidEscape {
        /// The index of the `%` in the path as it was sent, in bytes.
        index: usize,
    },
    /// The decoded path is not UTF-8.
    #[non_exhaustive]
    InvalidUtf8 {
        /// The number of bytes of the decoded path that are UTF-8.
        valid_up_to: usize,
    },
}

impl fmt::Display for DecodePathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidEscape { index } => write!(
                f,
                "the path has a `%` without two hexadecimal digits after it, at byte {index}"
            ),
            Self::InvalidUtf8 { valid_up_to } => write!(
                f,
                "the path, percent-decoded, is not UTF-8 after its first {valid_up_to} bytes"
            ),
        }
    }
}

impl Error for DecodePathError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the path that patterns are matched against, and the one that parameters are read
    /// from.
    fn both(raw: &str) -> Result<(String, String), String> {
        let uri: Uri = raw.parse().unwrap();
        decode(&uri, |matched| Some(matched.to_owned()))
            .map(|found| found.unwrap())
            .map(|(matched, path)| (matched, path.as_str().to_owned()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn dispatch_5_a_path_is_decoded_once() {
        let table = [
            ("/", "/", "/"),
            ("/a/b?c=%2F", "/a/b", "/a/b"),
            ("/%61dmin", "/admin", "/admin"),
            ("/J%C3%B6rg", "/Jörg", "/Jörg"),
            ("/a%2Fb", "/a\u{1a}b", "/a/b"),
            ("/a%2fb/%2F", "/a\u{1a}b/\u{1a}", "/a/b//"),
            ("/%252F", "/%2F", "/%2F"),
            ("/%1A%2F", "/\u{1a}\u{1a}", "/\u{1a}/"),
            ("//a/../%2e%2e/.", "//a/../../.", "//a/../../."),
            ("/%00%0A%5c;x", "/\0\n\\;x", "/\0\n\\;x"),
            ("http://example.org/%61", "/a", "/a"),
            ("example.org:80", "", ""),
            ("*", "*", "*"),
        ];
        for (raw, matched, path) in table {
            assert_eq!(both(raw), Ok((matched.into(), path.into())), "{raw}");
        }
    }

    #[test]
    fn dispatch_11_the_first_segments_may_be_decodable() {
        let table = [
            ("/a/b", "/a/b"),
            ("/a/%zz/b", "/a/"),
            ("/a/b%", "/a/"),
            ("/%C3/%B6", "/"),
            ("/%C3%B6/%FF/%C3%B6", "/%C3%B6/"),
            ("/%zz", "/"),
        ];
        for (raw, expected) in table {
            assert_eq!(decodable(raw), expected, "{raw}");
        }
    }

    #[test]
    fn dispatch_5_an_undecodable_path_is_an_error_with_an_index() {
        let escape = "the path has a `%` without two hexadecimal digits after it, at byte";
        let utf8 = "the path, percent-decoded, is not UTF-8 after its first";
        let table = [
            ("/a%zz", format!("{escape} 2")),
            ("/%4", format!("{escape} 1")),
            ("/%41%", format!("{escape} 4")),
            ("/%+1", format!("{escape} 1")),
            ("/ab%ff", format!("{utf8} 3 bytes")),
            ("/%C3/x", format!("{utf8} 1 bytes")),
            ("/%ED%A0%80", format!("{utf8} 1 bytes")),
            ("/%C0%AF", format!("{utf8} 1 bytes")),
        ];
        for (raw, text) in table {
            assert_eq!(both(raw), Err(text), "{raw}");
        }
    }
}
