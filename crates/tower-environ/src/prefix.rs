//! The rule of a mount: which paths are below it.
//!
//! Paths are compared segment by segment, each decoded once, so that `/%61dmin` and `/admin` are the same
//! place. An encoded slash stays inside its segment: `/wiki%2Fx` is not below `/wiki` (RFC 3986, section 2.2).

use std::{error::Error, fmt, sync::Arc};

use percent_encoding::percent_decode_str;

/// Where something is mounted, as decoded segments.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Prefix {
    segments: Arc<[Box<str>]>,
}

impl Prefix {
    pub(crate) fn parse(text: &str) -> Result<Self, MountError> {
        let offence = |offence, position| MountError {
            offence,
            position,
            text: text.into(),
        };
        let Some(below_root) = text.strip_prefix('/') else {
            return Err(offence(Offence::NoSlash, 0));
        };
        let mut segments = Vec::new();
        let mut position = 1;
        for segment in below_root
            .strip_suffix('/')
            .unwrap_or(below_root)
            .split('/')
        {
            if segment.is_empty() && text.len() > 1 {
                return Err(offence(Offence::EmptySegment, position));
            }
            if matches!(segment, "." | "..") {
                return Err(offence(Offence::DotSegment, position));
            }
            if let Some(at) = first_escape(segment) {
                return Err(offence(Offence::Encoded, position + at));
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

    /// How many bytes of a raw path are the mount's; `None` if the path is not below it.
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

/// Whether a raw segment is this text, percent-encoded or not. One with a broken escape is no text.
fn decodes_to(raw: &str, text: &str) -> bool {
    if !raw.contains('%') {
        return raw == text;
    }
    let mut pieces = raw.split('%').skip(1);
    pieces.all(|piece| starts_with_two_digits(piece.as_bytes()))
        && percent_decode_str(raw).eq(text.bytes())
}

/// Where `%` and two hexadecimal digits stand in the text.
fn first_escape(text: &str) -> Option<usize> {
    let mut signs = text.match_indices('%');
    signs
        .find(|(at, _)| starts_with_two_digits(&text.as_bytes()[at + 1..]))
        .map(|(at, _)| at)
}

fn starts_with_two_digits(bytes: &[u8]) -> bool {
    matches!(bytes, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
}

/// Why nothing can be mounted at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountError {
    offence: Offence,
    position: usize,
    text: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offence {
    NoSlash,
    EmptySegment,
    DotSegment,
    Encoded,
}

impl MountError {
    /// Where in the mount the offence is, in bytes from its start.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }
}

impl fmt::Display for MountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self.offence {
            Offence::NoSlash => "a mount starts with `/`, such as \"/wiki\"",
            Offence::EmptySegment => "a mount has something between its slashes",
            Offence::DotSegment => "a mount has no `.` or `..` segment, which clients resolve",
            Offence::Encoded => {
                "a mount is compared with the decoded path: write the character and not its code"
            }
        };
        write!(
            f,
            "{words} (found {:?}, at byte {})",
            self.text, self.position
        )
    }
}

impl Error for MountError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_compared_segment_by_segment_each_decoded_once() {
        let table = [
            ("/", "/", Some(0), "everything is below the root"),
            ("/", "", Some(0), "even what has no path"),
            ("/", "*", Some(0), "and what asks for the whole server"),
            ("/a", "/a", Some(2), ""),
            ("/a/", "/a", Some(2), "a slash at the end says nothing more"),
            ("/a", "/a/", Some(2), ""),
            ("/a", "/a/b", Some(2), ""),
            ("/a", "/a//b", Some(2), ""),
            ("/a", "/ab", None, "a segment is compared whole"),
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
            ("/100%", "/100%", None, "a broken escape is nothing"),
            ("/a%zz", "/a%zz", None, "a broken escape is nothing"),
            ("/a%zz", "/a%25zz", Some(7), ""),
            ("/a", "/%FFa", None, ""),
        ];
        for (mount, path, expected, why) in table {
            let prefix = Prefix::parse(mount).unwrap();
            assert_eq!(prefix.of(path), expected, "{path} below {mount}: {why}");
        }
    }

    #[test]
    fn a_malformed_mount_says_what_is_wrong_and_where() {
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
    fn a_mount_is_shown_as_it_is_meant() {
        for (mount, shown) in [("/", "/"), ("/a/b/", "/a/b"), ("/J/", "/J")] {
            let prefix = Prefix::parse(mount).unwrap();
            assert_eq!(prefix.to_string(), shown);
            assert_eq!(format!("{prefix:?}"), format!("{shown:?}"));
        }
    }
}
