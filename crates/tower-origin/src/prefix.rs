//! The grammar of a path prefix. A link that begins with it cannot lead to another host or path.

/// The part of an error message that describes a prefix.
pub(crate) const EXPECTED: &str =
    "expected a path such as `/app`, without empty or dot segments, query or fragment";

/// Reads a prefix as it is in a URL: `/app`, `/a/b/` or `/`. Returns it without the slash at the
/// end, so `/` is empty.
pub(crate) fn parse(text: &str) -> Option<&str> {
    let segments = text.strip_suffix('/').unwrap_or(text);
    if segments.is_empty() && text == "/" {
        return Some("");
    }
    let are_segments = segments.strip_prefix('/')?.split('/').all(is_segment);
    are_segments.then_some(segments)
}

/// Returns whether a segment has only the characters of RFC 3986, section 3.3, and is not `.` or
/// `..`, encoded or not.
fn is_segment(segment: &str) -> bool {
    let mut rest = segment.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let legal = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
        rest = match (byte, after) {
            (b'%', [a, b, after @ ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => after,
            _ if legal => after,
            _ => return false,
        };
    }
    let dots = segment.to_ascii_lowercase().replace("%2e", ".");
    !(segment.is_empty() || dots == "." || dots == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_6_a_prefix_is_a_path_of_legal_segments() {
        let table = [
            ("/", Some("")),
            ("/app", Some("/app")),
            ("/app/", Some("/app")),
            ("/a/b.c/~d", Some("/a/b.c/~d")),
            ("/a%20b", Some("/a%20b")),
            ("/...", Some("/...")),
            ("", None),
            ("app", None),
            ("//", None),
            ("//evil.example", None),
            ("/a//b", None),
            ("/a//", None),
            ("/..", None),
            ("/a/../b", None),
            ("/%2e%2E/b", None),
            ("/.%2e", None),
            ("/./a", None),
            ("/a?b", None),
            ("/a#b", None),
            ("/\\evil.example", None),
            ("/a b", None),
            ("/a%zz", None),
            ("/a%2", None),
            ("/a%2z", None),
            ("/a%z2", None),
            ("/J\u{f6}rg", None),
            ("/\"><script>", None),
            ("https://evil.example", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
