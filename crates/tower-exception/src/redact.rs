//! What must not be shown of a request.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, uri};
use percent_encoding::percent_decode_str;

/// Takes the place of what is not shown.
pub(crate) const REDACTED: &str = "[redacted]";

/// Parts of the names of secrets, in lower case: of headers, of parameters, of fields.
const SECRET: [&str; 16] = [
    "auth",
    "cookie",
    "credential",
    "csrf",
    "jwt",
    "key",
    "otp",
    "pass",
    "pwd",
    "secret",
    "session",
    "sid",
    "signature",
    "token",
    "xsrf",
    "private",
];

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|secret| name.contains(secret))
}

/// The headers, with the values of those that are secret by name replaced, and secrets within URLs in the others.
pub(crate) fn headers(headers: &HeaderMap) -> HeaderMap {
    let redacted = headers
        .iter()
        .map(|(name, value)| (name.clone(), header(name, value)));
    redacted.collect()
}

fn header(name: &HeaderName, value: &HeaderValue) -> HeaderValue {
    if is_secret(name.as_str()) {
        return HeaderValue::from_static(REDACTED);
    }
    let text = String::from_utf8_lossy(value.as_bytes());
    match fields(&text) {
        Cow::Borrowed(_) => value.clone(),
        Cow::Owned(text) => {
            HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(REDACTED))
        }
    }
}

/// The URI without user and password, and without the values of secret parameters.
pub(crate) fn uri(uri: &Uri) -> Uri {
    let mut parts = uri.clone().into_parts();
    if let Some(authority) = &parts.authority
        && let Some((_, host)) = authority.as_str().rsplit_once('@')
    {
        parts.authority = host.parse().ok();
    }
    if let Some(query) = uri.query() {
        let target = format!("{}?{}", uri.path(), self::query(query));
        parts.path_and_query = uri::PathAndQuery::from_maybe_shared(target).ok();
    }
    // Without its authority a URI has no scheme either.
    Uri::from_parts(parts).unwrap_or_else(|_| uri.path().parse().unwrap_or_default())
}

/// A query string without the values of its secret parameters.
fn query(query: &str) -> String {
    let parameter = |parameter: &str| match parameter.split_once('=') {
        Some((name, _)) if is_secret(&percent_decode_str(name).decode_utf8_lossy()) => {
            format!("{name}={REDACTED}")
        }
        _ => parameter.to_owned(),
    };
    // Some write `;` for `&`.
    let redacted: Vec<_> = query
        .split('&')
        .map(|part| part.split(';').map(parameter).collect::<Vec<_>>().join(";"))
        .collect();
    redacted.join("&").replace(['[', ']'], "")
}

/// A text in which things are named, as `Debug`, JSON and forms name them: without the values of those whose name is
/// a secret's, and without what [`urls`] hides.
pub(crate) fn fields(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    let mut at = 0;
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let name = name_length(&bytes[at..]);
        if name == 0 {
            at += 1;
            continue;
        }
        let end = at + name;
        let value = (is_secret(&percent_decode_str(&text[at..end]).decode_utf8_lossy()))
            .then(|| separator_length(&bytes[end..], at > 0 && bytes[at - 1] == b'"'))
            .flatten();
        match value {
            None => at = end,
            Some(separator) => {
                let start = end + separator;
                out.push_str(&text[done..start]);
                out.push_str(REDACTED);
                at = start + value_length(&bytes[start..]);
                done = at;
            }
        }
    }
    if done == 0 {
        return urls(text);
    }
    out.push_str(&text[done..]);
    match urls(&out) {
        Cow::Borrowed(_) => out.into(),
        Cow::Owned(out) => out.into(),
    }
}

/// How many bytes at the start may be a name.
fn name_length(text: &[u8]) -> usize {
    let name =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%');
    text.iter().take_while(|byte| name(byte)).count()
}

/// How many bytes stand between a name and its value: quotes, spaces, and `:` or `=`, or in a list of pairs `,`.
fn separator_length(text: &[u8], quoted: bool) -> Option<usize> {
    let quote = text
        .iter()
        .take_while(|byte| matches!(byte, b'"' | b'\'' | b'\\'))
        .count();
    let spaces = |from: usize| {
        text[from..]
            .iter()
            .take_while(|byte| **byte == b' ')
            .count()
    };
    let sign = quote + spaces(quote);
    match text.get(sign)? {
        b':' | b'=' => {}
        b',' if quoted && quote > 0 => {}
        _ => return None,
    }
    Some(sign + 1 + spaces(sign + 1))
}

/// How many bytes a value has: to the end of the line, or to what ends a field, an element or a parameter outside of
/// quotes and brackets.
fn value_length(text: &[u8]) -> usize {
    // JSON within a string has escaped quotes.
    const QUOTES: [&[u8]; 2] = [b"\"", b"\\\""];
    let (mut at, mut depth) = (0, 0_u32);
    while let Some(byte) = text.get(at) {
        let rest = &text[at..];
        if let Some(quote) = QUOTES.iter().find(|quote| rest.starts_with(quote)) {
            at += quote.len() + quoted_length(&rest[quote.len()..], quote);
            continue;
        }
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth > 0 => depth -= 1,
            b')' | b']' | b'}' | b',' | b'&' | b';' | b'\n' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// How many bytes there are to the end of a closing quote.
fn quoted_length(text: &[u8], quote: &[u8]) -> usize {
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(quote) {
            return at + quote.len();
        }
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    text.len()
}

/// A text without the user and password of URLs in it.
pub(crate) fn urls(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, behind) = rest.split_at(at + 3);
        let end = behind.find(|c: char| c.is_whitespace() || "/?#\"'<>".contains(c));
        let authority = &behind[..end.unwrap_or(behind.len())];
        out.push_str(before);
        rest = behind;
        if let Some(user) = authority.rfind('@') {
            out.push_str(REDACTED);
            rest = &behind[user..];
        }
    }
    if out.is_empty() {
        return text.into();
    }
    out.push_str(rest);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_however_they_are_written() {
        let table = [
            ("no names here", "no names here"),
            (
                "User { name: \"Ann\", password: \"a, b\", age: 3 }",
                "User { name: \"Ann\", password: [redacted], age: 3 }",
            ),
            (
                "{\"a\":{\"api_key\":\"x\\\"y\",\"b\":[1]}}",
                "{\"a\":{\"api_key\":[redacted],\"b\":[1]}}",
            ),
            (
                "token: Some(Token { inner: \"x\" }), b: 1",
                "token: [redacted], b: 1",
            ),
            ("secret=[\"x\", \"y\"]", "secret=[redacted]"),
            ("a=1&access_token=x&b=2", "a=1&access_token=[redacted]&b=2"),
            ("to%6ben=x;b", "to%6ben=[redacted];b"),
            (
                "[(\"authorization\", \"Bearer x\"), (\"a\", \"b\")]",
                "[(\"authorization\", [redacted]), (\"a\", \"b\")]",
            ),
            (
                "Authorization: Bearer x\nHost: y",
                "Authorization: [redacted]\nHost: y",
            ),
            ("the key is under the mat", "the key is under the mat"),
            (
                "postgres://me:x@db/y and http://z/",
                "postgres://[redacted]@db/y and http://z/",
            ),
            ("{\\\"token\\\": \\\"x\\\"}", "{\\\"token\\\": [redacted]}"),
        ];
        for (text, expected) in table {
            assert_eq!(fields(text), expected);
        }
    }

    #[test]
    fn a_uri_keeps_its_shape() {
        let table = [
            ("/a?b=c&token=x&d", "/a?b=c&token=redacted&d"),
            ("/a?To%4ben=x;k=1", "/a?To%4ben=redacted;k=1"),
            (
                "http://me:x@example.org:80/a?b",
                "http://example.org:80/a?b",
            ),
            ("/a", "/a"),
            ("*", "*"),
        ];
        for (text, expected) in table {
            assert_eq!(uri(&text.parse().unwrap()).to_string(), expected);
        }
    }

    #[test]
    fn headers_are_secret_by_name_and_within() {
        let mut before = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Basic x"),
            ("proxy-authorization", "Basic x"),
            ("cookie", "a=x"),
            ("set-cookie", "a=x"),
            ("x-api-key", "x"),
            ("referer", "https://me:x@example.org/?a=b&session=x"),
            ("accept", "text/html"),
        ] {
            before.insert(name, HeaderValue::from_static(value));
        }
        let after = headers(&before);
        assert_eq!(after.len(), before.len());
        assert_eq!(
            after["referer"],
            "https://[redacted]@example.org/?a=b&session=[redacted]"
        );
        assert_eq!(after["accept"], "text/html");
        for name in [
            "authorization",
            "proxy-authorization",
            "cookie",
            "set-cookie",
            "x-api-key",
        ] {
            assert_eq!(after[name], REDACTED);
        }
    }
}
