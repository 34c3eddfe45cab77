//! The rule of a mount: which paths are below it.
//!
//! Paths are compared segment by segment. Each segment is decoded once, so `/%61dmin` is `/admin`.
//! An encoded slash does not end a segment: `/wiki%2Fx` is not below `/wiki` (RFC 3986, section
//! 2.2).
//!
//! DIFFERENCE: Paste's URLMap takes several slashes for one, and decodes before it looks for
//! slashes.

use std::{error::Error, fmt, sync::Arc};

use percent_encoding::percent_decode_str;

/// The path of a mount, as decoded segments.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Prefix {
    segments: Arc<[Box<str>]>,
}

impl Prefix {
    pub(crate) fn parse(text: &str) -> Result<Self, MountError> {
        let error = |kind, position| MountError {
            kind,
            position,
            text: text.into(),
        };
        let Some(below_root) = text.strip_prefix('/') else {
            return Err(error(Kind::NoSlash, 0));
        };
        let mut segments = Vec::new();
        let mut position = 1;
        for segment in below_root
            .strip_suffix('/')
            .unwrap_or(below_root)
            .split('/')
        {
            if segment.is_empty() && text.len() > 1 {
                return Err(error(Kind::EmptySegment, position));
            }
            if matches!(segment, "." | "..") {
                return Err(error(Kind::DotSegment, position));
            }
            if let Some(at) = first_escape(segment) {
                return Err(error(Kind::Encoded, position + at));
            }
            position += segment.len() + 1;
            segments.push(segment.into());
        }
        if text == "/" {
            segments.clear();
        }
        Ok(Self {
            segments: segments.into(),
        })
    }

    /// Returns the length in bytes of the mount's part of a raw path, or `None` if the path is not
    /// below the mount.
    pub(crate) fn of(&self, path: &str) -> Option<usize> {
        let mut end = 0;
        for expected in &*self.segments {
            let rest = path[end..].strip_prefix('/')?;
            let segment = rest.split('/').next().unwrap_or(rest);
            if !decodes_to(segment, expected) {
                return None;
            }
            end += 1 + segment.len();
        }
        Some(end)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segments.is_empty() {
            return f.write_str("/");
        }
        self.segments
            .iter()
            .try_for_each(|segment| write!(f, "/{segment}"))
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// Returns whether a raw segment is this text, percent-encoded or not. A segment with a broken
/// escape is not equal to any text.
fn decodes_to(raw: &str, text: &str) -> bool {
    if !raw.contains('%') {
        return raw == text;
    }
    let mut pieces = raw.split('%').skip(1);
    pieces.all(|piece| starts_with_two_digits(piece.as_bytes()))
        && percent_decode_str(raw).eq(text.bytes())
}

/// Returns the position of the first `%` that is followed by two hexadecimal digits.
fn first_escape(text: &str) -> Option<usize> {
    let mut signs = text.match_indices('%');
    signs
        .find(|(at, _)| starts_with_two_digits(&text.as_bytes()[at + 1..]))
        .map(|(at, _)| at)
}

fn starts_with_two_digits(bytes: &[u8]) -> bool {
    matches!(bytes, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
}

/// An error of [`MountLayer::new`](crate::MountLayer::new): nothing can be mounted at this path.
///
/// # Examples
///
/// ```
/// use tower_environ::MountLayer;
///
/// let error = MountLayer::new("wiki").unwrap_err();
/// let text = "a mount starts with `/`, such as \"/wiki\" (found \"wiki\", at byte 0)";
/// assert_eq!(error.to_string(), text);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountError {
    kind: Kind,
    position: usize,
    text: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NoSlash,
    EmptySegment,
    DotSegment,
    Encoded,
}

impl MountError {
    /// Returns the position of the fault, in bytes from the start of the path.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }
}

impl fmt::Display for MountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = match self.kind {
            Kind::NoSlash => "a mount starts with `/`, such as \"/wiki\"",
            Kind::EmptySegment => "a mount has something between its slashes",
            Kind::DotSegment => "a mount has no `.` or `..` segment, which clients resolve",
            Kind::Encoded => {
                "a mount is compared with the decoded path: write the character and not its code"
            }
        };
        write!(
            f,
            "{message} (found {:?}, at byte {})",
            self.text, self.position
        )
    }
}

impl Error for MountError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environ_10_segments_are_compared_each_decoded_once() {
        let table = [
            ("/", "/", Some(0), "everything is below the root"),
            ("/", "", Some(0), "even a URI without a path"),
            ("/", "*", Some(0), "and a request for the whole server"),
            ("/a", "/a", Some(2), ""),
            ("/a/", "/a", Some(2), "a slash at the end has no effect"),
            ("/a", "/a/", Some(2), ""),
            ("/a", "/a/b", Some(2), ""),
            ("/a", "/a//b", Some(2), ""),
            ("/a", "/ab", None, "a segment is compared as a whole"),
            ("/ab", "/a", None, ""),
            ("/a", "/", None, ""),
            ("/a", "", None, ""),
            ("/a", "*", None, ""),
            ("/a", "a", None, ""),
            ("/a", "//a", None, "an empty segment is a segment"),
            ("/a/b", "/a//b", None, ""),
            ("/a/b", "/a/b/c", Some(4), ""),
            (
                "/a/b",
                "/a%2Fb/c",
                None,
                "an encoded slash does not end a segment",
            ),
            ("/a", "/a%2Fb", None, ""),
            ("/a", "/a%3Fb", None, ""),
            ("/admin", "/%61dmin/x", Some(8), ""),
            ("/admin", "/%61%64%6D%69%6e", Some(16), ""),
            ("/admin", "/%2561dmin", None, "decoded once"),
            ("/admin", "/Admin", None, ""),
            (
                "/admin",
                "/x/../admin",
                None,
                "dot segments stay as they are",
            ),
            ("/admin", "/admin/../x", Some(6), ""),
            ("/admin", "/%2e%2e/admin", None, ""),
            ("/Jörg", "/J%C3%B6rg/x", Some(10), ""),
            ("/a b", "/a%20b", Some(6), ""),
            ("/100%", "/100%25", Some(7), ""),
            ("/100%", "/100%", None, "a broken escape equals no text"),
            ("/a%zz", "/a%zz", None, "a broken escape equals no text"),
            ("/a%zz", "/a%25zz", Some(7), ""),
            ("/a", "/%FFa", None, ""),
        ];
        for (mount, path, expected, why) in table {
            let prefix = Prefix::parse(mount).unwrap();
            assert_eq!(prefix.of(path), expected, "{path} below {mount}: {why}");
        }
    }

    #[test]
    fn environ_10_an_error_has_the_fault_and_its_position() {
        let table = [
            (
                "",
                "a mount starts with `/`, such as \"/wiki\" (found \"\", at byte 0)",
            ),
            (
                "wiki",
                "a mount starts with `/`, such as \"/wiki\" (found \"wiki\", at byte 0)",
            ),
            (
                "//",
                "a mount has something between its slashes (found \"//\", at byte 1)",
            ),
            (
                "/a//b",
                "a mount has something between its slashes (found \"/a//b\", at byte 3)",
            ),
            (
                "/a/../b",
                "a mount has no `.` or `..` segment, which clients resolve (found \"/a/../b\", at byte 3)",
            ),
            (
                "/a/%41b%zz",
                "a mount is compared with the decoded path: write the character and not its code (found \"/a/%41b%zz\", at byte 3)",
            ),
            (
                "/a/b%zz%4a",
                "a mount is compared with the decoded path: write the character and not its code (found \"/a/b%zz%4a\", at byte 7)",
            ),
        ];
        for (mount, text) in table {
            let error = Prefix::parse(mount).unwrap_err();
            assert_eq!(error.to_string(), text);
            assert!(text.ends_with(&format!("at byte {})", error.position())));
        }
    }

    #[test]
    fn debug_of_a_mount_shows_its_path() {
        for (mount, shown) in [("/", "/"), ("/a/b/", "/a/b"), ("/J/", "/J")] {
            let prefix = Prefix::parse(mount).unwrap();
            assert_eq!(prefix.to_string(), shown);
            assert_eq!(format!("{prefix:?}"), format!("{shown:?}"));
        }
    }
}
