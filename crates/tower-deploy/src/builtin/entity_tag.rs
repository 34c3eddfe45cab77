//! Entity tags (RFC 9110, section 8.8.3), and the headers that list them.

use http::{HeaderMap, HeaderName, HeaderValue};

/// An entity tag in two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntityTag<'a> {
    pub(super) weak: bool,
    /// The text between the quotes.
    pub(super) opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let (weak, quoted) = match text.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, text),
        };
        let opaque = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        (!opaque.contains(&b'"')).then_some(Self { weak, opaque })
    }

    /// Returns the tag in a header. Of two tags neither counts.
    pub(super) fn of(headers: &'a HeaderMap, name: &HeaderName) -> Option<Self> {
        only(headers, name).and_then(|value| Self::parse(value.as_bytes()))
    }

    pub(super) fn equals_strongly(self, other: Self) -> bool {
        !self.weak && self == other
    }

    pub(super) fn equals_weakly(self, other: Self) -> bool {
        self.opaque == other.opaque
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        let weak: &[u8] = if self.weak { b"W/" } else { b"" };
        [weak, b"\"", self.opaque, b"\""].concat()
    }
}

/// Returns the value of a header that is not a list, unless it has several lines.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut lines = headers.get_all(name).into_iter();
    match (lines.next(), lines.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

/// Returns the members of a list of entity tags. Several lines are one list (RFC 9110, section
/// 5.3).
pub(super) fn members<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> {
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
    fn lines_are_one_list_and_quotes_hold_commas() {
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
            (&["\"a, \"b\""], &["\"a, \"b\""], "a quote too few: no tag"),
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
    fn a_tag_is_quoted() {
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
}
