//! The rule for the responses that are rewritten. It needs only a response's head.

use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE},
    response::Parts,
};
use tower_kit::content::RequestKind;

use crate::{
    headers::has,
    media_types::{MediaTypes, parameters},
};

/// The kind of a response for a rewriter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eligible {
    /// A response that passes unchanged.
    No,
    /// A part of a body that would be rewritten.
    Part,
    /// The head of a response that would be rewritten, without the body (RFC 9110, sections 9.3.2
    /// and 15.4.5).
    HeadOnly,
    /// Head and body.
    Whole,
}

impl Eligible {
    pub(crate) fn of(request: RequestKind, response: &Parts, types: &MediaTypes) -> Self {
        // The type is first, because most responses have another one.
        match types.find_in(&response.headers) {
            Some(content_type) => Self::of_type(request, response, content_type),
            None => Self::No,
        }
    }

    /// Returns the kind of a 304 that confirms a rewritten copy. If it names no type, its type is
    /// one of these.
    pub(crate) fn of_copy(request: RequestKind, response: &Parts, types: &MediaTypes) -> Self {
        if response.headers.contains_key(CONTENT_TYPE) {
            Self::of(request, response, types)
        } else {
            Self::of_type(request, response, "text/plain")
        }
    }

    fn of_type(request: RequestKind, response: &Parts, content_type: &str) -> Self {
        let headers = &response.headers;
        let status = response.status;
        // A 304 and a response to HEAD stand for a response to GET.
        let has_content =
            status == StatusCode::NOT_MODIFIED || RequestKind::Other.has_content(status);
        // The charset is last, because it takes the longest.
        if !has_content
            || request == RequestKind::Connect
            || is_encoded(headers)
            || forbids_transformation(headers)
            || !has_line_feeds(content_type)
        {
            Self::No
        } else if status == StatusCode::PARTIAL_CONTENT || has(headers, &CONTENT_RANGE) {
            Self::Part
        } else if request == RequestKind::Head || status == StatusCode::NOT_MODIFIED {
            Self::HeadOnly
        } else {
            Self::Whole
        }
    }
}

/// Returns whether the byte 0x0A is always a line feed in the type's charset. It is not in UTF-16
/// and UTF-32. It is unknown if the parameters are malformed or name two charsets.
fn has_line_feeds(content_type: &str) -> bool {
    // IANA's names and aliases of charsets with more than one byte for each character, without a
    // prefix `cs` and without punctuation.
    const WIDE: [&str; 6] = ["utf16", "utf32", "ucs2", "ucs4", "iso10646", "unicode"];

    // Most types have this parameter alone: for `ratios` stack/text-of-64-lines.
    let essence = content_type.strip_suffix("; charset=utf-8");
    if essence.is_some_and(|essence| !essence.as_bytes().contains(&b';')) {
        return true;
    }
    let mut charset = None;
    for parameter in parameters(content_type) {
        let Some((name, value)) = parameter else {
            return false;
        };
        if name.eq_ignore_ascii_case("charset") && charset.replace(value).is_some() {
            return false;
        }
    }
    charset.is_none_or(|charset: &str| {
        let letters = || {
            let is_letter = |byte: &u8| !matches!(byte, b'-' | b'_' | b'"' | b'\\');
            let letters = charset.bytes().filter(is_letter);
            letters.map(|byte| byte.to_ascii_lowercase())
        };
        let begins_with =
            |skip: usize, wide: &str| letters().skip(skip).take(wide.len()).eq(wide.bytes());
        if begins_with(0, "unicode11utf8") {
            return true;
        }
        let skip = if begins_with(0, "cs") { 2 } else { 0 };
        !WIDE.iter().any(|wide| begins_with(skip, wide))
    })
}

/// Returns whether the body is encoded. Then its bytes are text only after decoding (RFC 9110,
/// section 8.4).
fn is_encoded(headers: &HeaderMap) -> bool {
    has(headers, &CONTENT_ENCODING)
        && tokens(headers, CONTENT_ENCODING).any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}

/// Returns whether `Cache-Control` has `no-transform` (RFC 9111, section 5.2.2.6).
fn forbids_transformation(headers: &HeaderMap) -> bool {
    has(headers, &CACHE_CONTROL)
        && tokens(headers, CACHE_CONTROL)
            .any(|directive| directive.eq_ignore_ascii_case(b"no-transform"))
}

/// Returns the members of a list header.
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
    use http::{Method, Response};

    use super::*;

    fn eligible(method: Method, status: u16, headers: &[(&str, &str)]) -> Eligible {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let (parts, ()) = response.body(()).unwrap().into_parts();
        Eligible::of(RequestKind::of(&method), &parts, &MediaTypes::default())
    }

    #[test]
    fn body_rewrite_4_only_plain_text_is_rewritten() {
        let table = [
            ("text/plain", Eligible::Whole),
            ("text/plain; charset=utf-8", Eligible::Whole),
            ("text/plain;charset=\"ISO-8859-1\"", Eligible::Whole),
            ("TEXT/Plain", Eligible::Whole),
            ("text/plain; charset=UTF-16LE", Eligible::No),
            ("text/plain; charset=\"utf-32\"", Eligible::No),
            ("text/plain; charset=csUnicode", Eligible::No),
            ("text/plain; charset=csUTF16LE", Eligible::No),
            ("text/plain; charset=UTF_16", Eligible::No),
            ("text/plain; charset=ut", Eligible::Whole),
            ("text/plain; charset=unicode-1-1-utf-8", Eligible::Whole),
            ("text/plain; charset=utf-16; charset=utf-8", Eligible::No),
            ("text/plain; charset=ISO-10646-UCS-2", Eligible::No),
            ("text/plain; charset=UTF-32BE", Eligible::No),
            ("text/plain; charset=ucs-2", Eligible::No),
            ("text/plain; charset=ucs-4", Eligible::No),
            ("text/plain; charset=csUCS4", Eligible::No),
            ("text/plain; charset=ISO-10646-J-1", Eligible::No),
            ("text/plain; charset=UNICODE-1-1", Eligible::No),
            ("text/plain; charset=us-ascii", Eligible::Whole),
            ("text/html", Eligible::No),
            ("text/event-stream", Eligible::No),
            ("text/plainish", Eligible::No),
            ("text/plain; charset", Eligible::No),
            ("text/plain;", Eligible::Whole),
            ("text/plain;;charset=utf-8", Eligible::Whole),
            ("text/plain; ; charset=utf-8 ; ;", Eligible::Whole),
            ("text/plain;;charset=utf-16", Eligible::No),
            ("text/plain; charset=utf-16;;", Eligible::No),
            ("text/plain; charset=\"utf\\-16\"", Eligible::No),
            ("text/plain; a=\";charset=utf-16\"", Eligible::Whole),
            ("text/plain; a=~", Eligible::Whole),
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
    fn body_rewrite_5_the_status_and_the_method_decide() {
        let table = [
            (Method::GET, 200, Eligible::Whole),
            (Method::POST, 201, Eligible::Whole),
            (Method::GET, 404, Eligible::Whole),
            (Method::GET, 500, Eligible::Whole),
            (Method::HEAD, 200, Eligible::HeadOnly),
            (Method::GET, 304, Eligible::HeadOnly),
            (Method::GET, 100, Eligible::No),
            (Method::GET, 101, Eligible::No),
            (Method::GET, 204, Eligible::No),
            (Method::POST, 205, Eligible::No),
            (Method::GET, 206, Eligible::Part),
            (Method::CONNECT, 200, Eligible::No),
        ];
        for (method, status, expected) in table {
            let found = eligible(method.clone(), status, &[("content-type", "text/plain")]);
            assert_eq!(found, expected, "{method} {status}");
        }
    }

    #[test]
    fn body_rewrite_5_encoded_and_protected_bodies_pass() {
        let table = [
            ("content-encoding", "gzip", Eligible::No),
            ("content-encoding", "identity, br", Eligible::No),
            ("content-encoding", "identity", Eligible::Whole),
            ("content-encoding", "", Eligible::Whole),
            ("cache-control", "max-age=3, No-Transform", Eligible::No),
            ("cache-control", "max-age=3", Eligible::Whole),
            ("content-range", "bytes */3", Eligible::Part),
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
    fn body_rewrite_5_no_transform_is_found_beside_other_bytes() {
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
            Eligible::of(RequestKind::Other, &parts, &MediaTypes::default())
        };
        assert_eq!(of(&response), Eligible::No);
        response.headers_mut().remove(CACHE_CONTROL);
        assert_eq!(of(&response), Eligible::Whole);
    }
}
