//! Entity tags (RFC 9110, section 8.8.3), and the headers that list them.

use http::{HeaderMap, HeaderName, HeaderValue};

/// An entity tag in its two parts.
///
/// ```
/// use tower_kit::entity_tag::EntityTag;
///
/// let tag = EntityTag::parse(b"W/\"v1\"").unwrap();
/// assert_eq!((tag.weak, tag.opaque), (true, &b"v1"[..]));
/// assert_eq!(tag.to_bytes(), b"W/\"v1\"");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntityTag<'a> {
    /// Whether the tag is weak: `W/` stands before the quotes.
    pub weak: bool,
    /// The text between the quotes.
    pub opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// Reads one entity tag. Returns `None` if the text is not a tag in quotes.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let (weak, quoted) = match text.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, text),
        };
        let opaque = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        (!opaque.contains(&b'"')).then_some(Self { weak, opaque })
    }

    /// Returns the tag in a header that is not a list. Of two lines neither counts.
    #[must_use]
    pub fn of(headers: &'a HeaderMap, name: &HeaderName) -> Option<Self> {
        only(headers, name).and_then(|value| Self::parse(value.as_bytes()))
    }

    /// Returns whether both tags are strong and equal (RFC 9110, section 8.8.3.2).
    #[must_use]
    pub fn equals_strongly(self, other: EntityTag<'_>) -> bool {
        !self.weak && self == other
    }

    /// Returns whether the tags are equal, weak or not (RFC 9110, section 8.8.3.2).
    #[must_use]
    pub fn equals_weakly(self, other: EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }

    /// Returns the tag as it stands in a header.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let weak: &[u8] = if self.weak { b"W/" } else { b"" };
        [weak, b"\"", self.opaque, b"\""].concat()
    }
}

/// Returns the value of a header that is not a list, such as `ETag` or `If-Range`. Returns `None`
/// if it has several lines.
#[must_use]
pub fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut lines = headers.get_all(name).into_iter();
    match (lines.next(), lines.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

/// Returns the members of a list of entity tags, such as `If-None-Match`. Several lines are one
/// list (RFC 9110, section 5.3).
pub fn members<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|line| {
            // A comma within quotes is part of the entity tag.
            let mut quoted = false;
            line.as_bytes().split(move |&byte| {
                quoted ^= byte == b'"';
                byte == b',' && !quoted
            })
        })
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use http::header::IF_NONE_MATCH;

    use super::*;

    #[test]
    fn kit_16_lines_are_one_list_and_quotes_hold_commas() {
        let table: [(&[&str], &[&str], &str); 6] = [
            (&["\"a\""], &["\"a\""], "one"),
            (&["\"a\", W/\"b\""], &["\"a\"", "W/\"b\""], "two"),
            (
                &["\"a\"", "\"b\",\"c\""],
                &["\"a\"", "\"b\"", "\"c\""],
                "lines",
            ),
            (
                &["\"a,b\",\t\"c\""],
                &["\"a,b\"", "\"c\""],
                "a comma in quotes",
            ),
            (&[",, \"a\" ,", ""], &["\"a\""], "empty members"),
            (&["\"a, \"b\""], &["\"a, \"b\""], "a missing quote: no tag"),
        ];
        for (lines, expected, why) in table {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(IF_NONE_MATCH, HeaderValue::from_str(line).unwrap());
            }
            let found: Vec<_> = members(&headers, &IF_NONE_MATCH).collect();
            let expected: Vec<_> = expected.iter().map(|text| text.as_bytes()).collect();
            assert_eq!(found, expected, "{why}");
        }
    }

    #[test]
    fn kit_16_a_tag_is_quoted() {
        for (text, expected) in [
            ("\"a\"", Some((false, "a"))),
            ("W/\"a\"", Some((true, "a"))),
            ("\"\"", Some((false, ""))),
            ("w/\"a\"", None),
            ("a", None),
            ("\"", None),
            ("\"a\"b\"", None),
            ("*", None),
        ] {
            let found = EntityTag::parse(text.as_bytes());
            let expected = expected.map(|(weak, opaque)| EntityTag {
                weak,
                opaque: opaque.as_bytes(),
            });
            assert_eq!(found, expected, "{text}");
            if let Some(found) = found {
                assert_eq!(found.to_bytes(), text.as_bytes());
            }
        }
    }

    #[test]
    fn kit_16_tags_are_compared_strongly_or_weakly() {
        for (one, other, strongly, weakly) in [
            ("\"a\"", "\"a\"", true, true),
            ("\"a\"", "\"b\"", false, false),
            ("W/\"a\"", "\"a\"", false, true),
            ("\"a\"", "W/\"a\"", false, true),
            ("W/\"a\"", "W/\"a\"", false, true),
        ] {
            let [a, b] = [one, other].map(|text| EntityTag::parse(text.as_bytes()).unwrap());
            assert_eq!(a.equals_strongly(b), strongly, "{one} {other}");
            assert_eq!(a.equals_weakly(b), weakly, "{one} {other}");
        }
    }

    #[test]
    fn kit_16_of_two_lines_neither_counts() {
        let etag = http::header::ETAG;
        let mut headers = HeaderMap::new();
        assert_eq!(EntityTag::of(&headers, &etag), None);
        headers.append(&etag, HeaderValue::from_static("\"a\""));
        assert!(EntityTag::of(&headers, &etag).is_some());
        headers.append(&etag, HeaderValue::from_static("\"a\""));
        assert_eq!(EntityTag::of(&headers, &etag), None);
    }
}
