//! Which responses are rewritten: the rule, read from a response's head alone.

use std::{error::Error, fmt};

use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE},
    response::Parts,
};
use mediatype::{MediaType, ReadParams, names::CHARSET};

/// What is done to a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eligible {
    /// It passes untouched.
    No,
    /// It has no body, but stands for a response that would be rewritten (RFC 9110, sections 9.3.2 and
    /// 15.4.5), so that its headers change as that one's do.
    HeadersOnly,
    /// Headers and body.
    Yes,
}

/// What a response's request must tell, without keeping the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestMethod {
    Head,
    Connect,
    Other,
}

impl From<&Method> for RequestMethod {
    fn from(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Head,
            Method::CONNECT => Self::Connect,
            _ => Self::Other,
        }
    }
}

impl Eligible {
    pub(crate) fn of(method: RequestMethod, response: &Parts, types: &MediaTypes) -> Self {
        let headers = &response.headers;
        let status = response.status;
        // The type first, and its charset last: most responses are of another type, and reading parameters
        // takes an allocation.
        let Some(content_type) = types.content_type(headers) else {
            return Self::No;
        };
        let no_content_to_rewrite = status.is_informational()
            || matches!(
                status,
                StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT
            )
            || method == RequestMethod::Connect
            || headers.contains_key(CONTENT_RANGE);
        if no_content_to_rewrite
            || is_encoded(headers)
            || forbids_transformation(headers)
            || !has_line_feeds(content_type)
        {
            Self::No
        } else if method == RequestMethod::Head || status == StatusCode::NOT_MODIFIED {
            Self::HeadersOnly
        } else {
            Self::Yes
        }
    }
}

/// The media types whose bodies are rewritten, as `type/subtype`.
#[derive(Clone, Debug)]
pub(crate) struct MediaTypes(Vec<String>);

impl MediaTypes {
    pub(crate) fn parse<'a>(
        types: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, MediaTypeError> {
        types
            .into_iter()
            .map(|text| match MediaType::parse(text) {
                Ok(found) if !text.contains(['*', ';']) => Ok(found.essence().to_string()),
                _ => Err(MediaTypeError(text.to_owned())),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The response's Content-Type, if there is one, legible, and of one of these types.
    fn content_type<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let content_type = value.to_str().ok()?;
        let (essence, _) = content_type.split_once(';').unwrap_or((content_type, ""));
        let essence = essence.trim();
        let included = self
            .0
            .iter()
            .any(|media_type| media_type.eq_ignore_ascii_case(essence));
        included.then_some(content_type)
    }
}

impl Default for MediaTypes {
    fn default() -> Self {
        Self(vec!["text/plain".to_owned()])
    }
}

/// Whether the byte 0x0A is a line feed and nothing else in the type's charset. Where the parameters cannot
/// be read, nobody knows.
fn has_line_feeds(content_type: &str) -> bool {
    // IANA's names and aliases of what has more than one byte for each character, without `cs` in front and
    // without punctuation.
    const WIDE: [&str; 6] = ["utf16", "utf32", "ucs2", "ucs4", "iso10646", "unicode"];

    MediaType::parse(content_type).is_ok_and(|media_type| {
        media_type.get_param(CHARSET).is_none_or(|charset| {
            let name = charset
                .unquoted_str()
                .to_ascii_lowercase()
                .replace(['-', '_'], "");
            let name = name.strip_prefix("cs").unwrap_or(&name);
            !WIDE.iter().any(|wide| name.starts_with(wide))
        })
    })
}

/// A name that is not a media type of the form `type/subtype`, without wildcards and parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaTypeError(String);

impl fmt::Display for MediaTypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected a media type such as \"text/html\", without wildcards and parameters, found {:?}",
            self.0
        )
    }
}

impl Error for MediaTypeError {}

/// RFC 9110, section 8.4: the bytes are text only once every coding is taken off.
fn is_encoded(headers: &HeaderMap) -> bool {
    tokens(headers, CONTENT_ENCODING).any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}

/// RFC 9111, section 5.2.2.6.
fn forbids_transformation(headers: &HeaderMap) -> bool {
    tokens(headers, CACHE_CONTROL).any(|directive| directive.eq_ignore_ascii_case(b"no-transform"))
}

/// The members of a list header.
fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    fn eligible(method: Method, status: u16, headers: &[(&str, &str)]) -> Eligible {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let (parts, ()) = response.body(()).unwrap().into_parts();
        Eligible::of((&method).into(), &parts, &MediaTypes::default())
    }

    #[test]
    fn plain_text_is_rewritten_and_nothing_else() {
        let table = [
            ("text/plain", Eligible::Yes),
            ("text/plain; charset=utf-8", Eligible::Yes),
            ("text/plain;charset=\"ISO-8859-1\"", Eligible::Yes),
            ("TEXT/Plain", Eligible::Yes),
            ("text/plain; charset=UTF-16LE", Eligible::No),
            ("text/plain; charset=\"utf-32\"", Eligible::No),
            ("text/plain; charset=csUnicode", Eligible::No),
            ("text/plain; charset=ISO-10646-UCS-2", Eligible::No),
            ("text/plain; charset=us-ascii", Eligible::Yes),
            ("text/html", Eligible::No),
            ("text/event-stream", Eligible::No),
            ("text/plainish", Eligible::No),
            ("text/plain; charset", Eligible::No),
            ("multipart/byteranges; boundary=x", Eligible::No),
            ("text", Eligible::No),
            ("", Eligible::No),
        ];
        for (content_type, expected) in table {
            let found = eligible(Method::GET, 200, &[("content-type", content_type)]);
            assert_eq!(found, expected, "{content_type}");
        }
        assert_eq!(eligible(Method::GET, 200, &[]), Eligible::No);
        let twice = [
            ("content-type", "text/plain"),
            ("content-type", "text/html"),
        ];
        assert_eq!(eligible(Method::GET, 200, &twice), Eligible::No);
    }

    #[test]
    fn the_status_and_the_method_decide_whether_there_is_a_body_to_rewrite() {
        let table = [
            (Method::GET, 200, Eligible::Yes),
            (Method::POST, 201, Eligible::Yes),
            (Method::GET, 404, Eligible::Yes),
            (Method::GET, 500, Eligible::Yes),
            (Method::HEAD, 200, Eligible::HeadersOnly),
            (Method::GET, 304, Eligible::HeadersOnly),
            (Method::GET, 100, Eligible::No),
            (Method::GET, 101, Eligible::No),
            (Method::GET, 204, Eligible::No),
            (Method::POST, 205, Eligible::No),
            (Method::GET, 206, Eligible::No),
            (Method::CONNECT, 200, Eligible::No),
        ];
        for (method, status, expected) in table {
            let found = eligible(method.clone(), status, &[("content-type", "text/plain")]);
            assert_eq!(found, expected, "{method} {status}");
        }
    }

    #[test]
    fn encoded_partial_and_protected_bodies_are_left_alone() {
        let table = [
            ("content-encoding", "gzip", Eligible::No),
            ("content-encoding", "identity, br", Eligible::No),
            ("content-encoding", "identity", Eligible::Yes),
            ("content-encoding", "", Eligible::Yes),
            ("cache-control", "max-age=3, No-Transform", Eligible::No),
            ("cache-control", "max-age=3", Eligible::Yes),
            ("content-range", "bytes */3", Eligible::No),
        ];
        for (name, value, expected) in table {
            let headers = [("content-type", "text/plain"), (name, value)];
            assert_eq!(
                eligible(Method::GET, 200, &headers),
                expected,
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn no_transform_is_found_beside_what_cannot_be_read() {
        let mut response = Response::builder()
            .header("content-type", "text/plain")
            .header(
                "cache-control",
                b"private=\"\xe9\", no-transform".as_slice(),
            )
            .body(())
            .unwrap();
        let of = |response: &Response<()>| {
            let (parts, ()) = response.clone().into_parts();
            Eligible::of(RequestMethod::Other, &parts, &MediaTypes::default())
        };
        assert_eq!(of(&response), Eligible::No);
        response.headers_mut().remove(CACHE_CONTROL);
        assert_eq!(of(&response), Eligible::Yes);
    }

    #[test]
    fn a_name_that_is_not_a_media_type_is_refused() {
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
