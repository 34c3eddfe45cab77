//! The media types whose bodies are rewritten.

use std::{error::Error, fmt};

use http::{HeaderMap, header::CONTENT_TYPE};

use crate::Tag;

/// The media types whose bodies are rewritten, as `type/subtype`.
#[derive(Clone, Debug)]
pub(crate) struct MediaTypes {
    names: Vec<String>,
    tag: Tag,
}

impl MediaTypes {
    pub(crate) fn parse<'a>(
        types: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, MediaTypeError> {
        let is_name = |part: &str| is_token(part) && !part.contains('*');
        let names = types.into_iter().map(|text| match text.split_once('/') {
            Some((kind, subtype)) if is_name(kind) && is_name(subtype) => {
                Ok(text.to_ascii_lowercase())
            }
            _ => Err(MediaTypeError {
                found: text.to_owned(),
                reason: MediaTypeErrorKind::NotAMediaType,
            }),
        });
        Ok(Self::new(names.collect::<Result<_, _>>()?))
    }

    fn new(names: Vec<String>) -> Self {
        let tag = Tag::of(names.iter().map(String::as_bytes));
        Self { names, tag }
    }

    /// Returns these types if all are `text/plain`, or otherwise an error with the first other one.
    pub(crate) fn only_plain_text(self) -> Result<Self, MediaTypeError> {
        match self.names.iter().find(|name| *name != "text/plain") {
            None => Ok(self),
            Some(found) => Err(MediaTypeError {
                found: found.clone(),
                reason: MediaTypeErrorKind::NotForRequestData,
            }),
        }
    }

    /// Returns the response's Content-Type if it is valid and one of these types.
    pub(crate) fn find_in<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let mut lines = headers.get_all(CONTENT_TYPE).iter();
        let value = lines.next()?;
        // Of two lines, clients may use either.
        if !self.include(value.as_bytes()) || lines.next().is_some() {
            return None;
        }
        value.to_str().ok()
    }

    /// Returns whether the response's Content-Type may be one of these types. Most responses have
    /// another type, and few fields: a comparison with each costs less than a lookup.
    #[inline]
    pub(crate) fn may_be_in(&self, headers: &HeaderMap) -> bool {
        let line = headers.iter().find(|(name, _)| **name == CONTENT_TYPE);
        line.is_some_and(|(_, value)| self.include(value.as_bytes()))
    }

    /// Returns whether the essence of a Content-Type is one of these types.
    #[inline]
    fn include(&self, content_type: &[u8]) -> bool {
        let content_type = content_type.trim_ascii_start();
        self.names.iter().any(|name| {
            let Some((start, rest)) = content_type.split_at_checked(name.len()) else {
                return false;
            };
            // The end is first, because most other types end elsewhere. Most are in lower case: for
            // `ratios` stack/five-layers and stack/text-of-64-lines.
            let name = name.as_bytes();
            matches!(rest.trim_ascii_start(), [] | [b';', ..])
                && (start == name || start.eq_ignore_ascii_case(name))
        })
    }

    /// Returns a tag of the types, which are part of what identifies a rewriting.
    pub(crate) fn tag(&self) -> Tag {
        self.tag
    }
}

impl Default for MediaTypes {
    fn default() -> Self {
        Self::new(vec!["text/plain".to_owned()])
    }
}

/// Returns the parameters of a media type as pairs of name and value (RFC 9110, section 5.6.6).
/// Empty parameters are left out, and a value keeps its quotes. `None` stands for a malformed
/// parameter.
pub(crate) fn parameters(content_type: &str) -> impl Iterator<Item = Option<(&str, &str)>> {
    let (mut quoted, mut escaped) = (false, false);
    let separates = move |char| {
        match char {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        char == ';' && !quoted
    };
    content_type
        .split(separates)
        .skip(1)
        .map(|parameter| parameter.trim_matches([' ', '\t']))
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            let is_value = is_token(value) || is_quoted(value);
            (is_token(name) && is_value).then_some((name, value))
        })
}

/// Returns whether a text is a token (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    let is_char = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_char)
}

/// Returns whether a text is a quoted string (RFC 9110, section 5.6.4).
fn is_quoted(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('"') else {
        return false;
    };
    let mut chars = rest.chars();
    loop {
        match chars.next() {
            Some('"') => return chars.next().is_none(),
            Some('\\') if chars.next().is_some() => {}
            Some('\\') | None => return false,
            Some(_) => {}
        }
    }
}

/// The error of a list of media types: a name in it is not accepted.
///
/// # Examples
///
/// ```
/// use tower_body_rewrite::{MediaTypeErrorKind, PrefixLayer};
///
/// let error = PrefixLayer::new("> ").types(["text/*"]).unwrap_err();
/// assert_eq!(error.kind(), MediaTypeErrorKind::NotAMediaType);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaTypeError {
    found: String,
    reason: MediaTypeErrorKind,
}

/// The kind of a [`MediaTypeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MediaTypeErrorKind {
    /// The name is not that of a media type without wildcards and parameters.
    NotAMediaType,
    /// The prefix is made of request data, and is not escaped for other types than `text/plain`.
    NotForRequestData,
}

impl MediaTypeError {
    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> MediaTypeErrorKind {
        self.reason
    }
}

impl fmt::Display for MediaTypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            MediaTypeErrorKind::NotAMediaType => {
                "expected a media type such as \"text/html\", without wildcards and parameters"
            }
            MediaTypeErrorKind::NotForRequestData => {
                "expected \"text/plain\", because a prefix made of request data is not escaped for another type"
            }
        })?;
        write!(f, ", found {:?}", self.found)
    }
}

impl Error for MediaTypeError {}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn body_rewrite_4_a_type_is_found_with_its_parameters() {
        let types = MediaTypes::parse(["text/plain", "text/x"]).unwrap();
        for (content_type, found) in [
            ("text/plain", true),
            ("\t TEXT/Plain \t", true),
            ("text/plain ;charset=utf-8", true),
            ("text/x;a", true),
            ("text/plainish", false),
            ("text/xml", false),
            ("text/", false),
            ("x text/plain", false),
            ("text/plain;a=\u{fc}", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_bytes(content_type.as_bytes()).unwrap();
            headers.insert(CONTENT_TYPE, value.clone());
            assert_eq!(types.find_in(&headers).is_some(), found, "{content_type:?}");
            headers.append(CONTENT_TYPE, value);
            assert_eq!(types.find_in(&headers), None);
        }
    }

    #[test]
    fn body_rewrite_5_parameters_may_be_empty_and_quoted() {
        let charset = Some(("charset", "utf-8"));
        let table: [(&str, &[Option<(&str, &str)>], &str); 17] = [
            ("text/plain", &[], "none"),
            ("text/plain;", &[], "an empty one"),
            ("text/plain; \t;", &[], "blank ones"),
            ("text/plain;charset=utf-8", &[charset], "one"),
            (
                "text/plain;;charset=utf-8",
                &[charset],
                "after an empty one",
            ),
            (
                "text/plain;charset=utf-8;",
                &[charset],
                "before an empty one",
            ),
            (
                "text/plain;charset=utf-8; ;",
                &[charset],
                "before blank ones",
            ),
            (
                "text/plain; ;a=b ; charset=utf-8",
                &[Some(("a", "b")), charset],
                "two",
            ),
            (
                "text/plain;a=~|`",
                &[Some(("a", "~|`"))],
                "letters of a token",
            ),
            (
                "text/plain;_a=b",
                &[Some(("_a", "b"))],
                "letters of a token",
            ),
            ("text/plain;a=\";=\"", &[Some(("a", "\";=\""))], "quoted"),
            (
                "text/plain;a=\"\\\";\"",
                &[Some(("a", "\"\\\";\""))],
                "escaped",
            ),
            ("text/plain;a", &[None], "no value"),
            ("text/plain;a=", &[None], "an empty value"),
            ("text/plain;a = b", &[None], "blanks around the sign"),
            ("text/plain;a=\"b;", &[None], "a quote too few"),
            ("text/plain;a=\"b\"c", &[None], "after the quotes"),
        ];
        for (content_type, expected, why) in table {
            let found: Vec<_> = parameters(content_type).collect();
            assert_eq!(found, expected, "{content_type}: {why}");
        }
    }

    #[test]
    fn body_rewrite_14_a_name_that_is_not_a_media_type() {
        for name in ["html", "", "text/*", "*/*", "text/html; charset=utf-8"] {
            let error = MediaTypes::parse(["text/html", name]).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "expected a media type such as \"text/html\", without wildcards and parameters, found {name:?}"
                )
            );
        }
    }
}
