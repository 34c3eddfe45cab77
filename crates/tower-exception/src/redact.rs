//! What must not be shown of a request.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, Uri, uri};
use percent_encoding::percent_decode_str;

/// Takes the place of what is not shown.
pub(crate) const REDACTED: &str = "[redacted]";

/// Parts of the names of secrets, in lower case: of headers, of parameters, of fields.
const SECRET: [&str; 14] = [
    "auth",
    "cookie",
    "credential",
    "csrf",
    "jwt",
    "key",
    "pass",
    "private",
    "pwd",
    "secret",
    "session",
    "signature",
    "token",
    "xsrf",
];

/// Whole words, since as parts they are of many others.
const WORDS: [&str; 3] = ["otp", "sid", "sig"];

pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
    SECRET.iter().any(|secret| name.contains(secret)) || words.any(|word| WORDS.contains(&word))
}

/// Returns the headers without secrets. Values that are secret by name or marked as sensitive are
/// replaced, and so are secrets within URLs in the others. A value that is marked makes all values
/// of its name secret.
pub(crate) fn headers(headers: &HeaderMap) -> HeaderMap {
    let redacted = headers.iter().map(|(name, value)| {
        let mut values = headers.get_all(name).iter();
        let value = match is_secret(name.as_str()) || values.any(HeaderValue::is_sensitive) {
            true => HeaderValue::from_static(REDACTED),
            false => header(value),
        };
        (name.clone(), value)
    });
    redacted.collect()
}

fn header(value: &HeaderValue) -> HeaderValue {
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
    if parts.path_and_query.is_some() {
        let mut target = parameters(uri.path(), &['/', ';']);
        if let Some(query) = uri.query() {
            target = format!("{target}?{}", parameters(query, &['&', ';']));
        }
        parts.path_and_query = uri::PathAndQuery::from_maybe_shared(target).ok();
    }
    // Without its authority a URI has no scheme either.
    Uri::from_parts(parts).unwrap_or_default()
}

/// Parameters, without the values of those that are secret by name or have secrets within.
fn parameters(text: &str, separators: &[char]) -> String {
    let mut out = String::new();
    for part in text.split_inclusive(separators) {
        let (parameter, separator) = match part.strip_suffix(separators) {
            Some(parameter) => part.split_at(parameter.len()),
            None => (part, ""),
        };
        match parameter.split_once('=') {
            Some((name, value)) if is_secret(&decoded(name)) || has_secret(value) => {
                out.extend([name, "=redacted"]);
            }
            _ => out.push_str(parameter),
        }
        out.push_str(separator);
    }
    out
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// A value may be a URL, and be written as one in a URL.
fn has_secret(value: &str) -> bool {
    let once = decoded(value);
    let twice = decoded(&once).into_owned();
    let texts = [value, &once, &twice];
    texts
        .into_iter()
        .any(|text| matches!(fields(text), Cow::Owned(_)))
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
        let value = is_secret(&decoded(&text[at..end]))
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

/// How many bytes stand between a name and its value: quotes, spaces, and `:` or `=`, or in a list of pairs `,`, where the name may be in
/// a `Some(…)`.
fn separator_length(text: &[u8], quoted: bool) -> Option<usize> {
    let count =
        |from: usize, is: fn(&u8) -> bool| text[from..].iter().take_while(|byte| is(byte)).count();
    let quote = count(0, |byte| matches!(byte, b'"' | b'\'' | b'\\'));
    let close = quote
        + count(quote, |byte| {
            matches!(byte, b')' | b',') || byte.is_ascii_whitespace()
        });
    let sign = match text.get(close) {
        Some(b':' | b'=') => close,
        // What was taken for the end of a name had the sign in it.
        _ if quoted && quote > 0 && text[quote..close].contains(&b',') => {
            return Some(close);
        }
        _ => return None,
    };
    let plain = text[quote..sign].iter().all(u8::is_ascii_whitespace);
    plain.then(|| sign + 1 + count(sign + 1, u8::is_ascii_whitespace))
}

/// How many bytes a value has: to the end of the line, or to what ends a field, an element or a parameter outside of
/// quotes and brackets.
fn value_length(text: &[u8]) -> usize {
    // JSON within a string has escaped quotes.
    const QUOTES: [&[u8]; 2] = [b"\"", b"\\\""];
    // Elsewhere it is an apostrophe.
    if let Some(rest) = text.strip_prefix(b"'") {
        return 1 + quoted_length(rest, b"'");
    }
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
    let (mut out, mut done) = (String::new(), 0);
    let mut from = 0;
    while let Some(at) = text[from..].find("://") {
        let start = from + at + 3;
        let behind = &text[start..];
        let end = behind.find(|c: char| c.is_whitespace() || "\"'<>".contains(c));
        let url = &behind[..end.unwrap_or(behind.len())];
        from = start;
        if let Some(user) = user(url) {
            out.push_str(&text[done..start]);
            out.push_str(REDACTED);
            done = start + user;
            from = done;
        }
    }
    if done == 0 {
        return text.into();
    }
    out.push_str(&text[done..]);
    out.into()
}

/// How long user and password are at the start of a URL behind its scheme; a password may hold what ends an authority.
fn user(url: &str) -> Option<usize> {
    let authority = url.find(['/', '?', '#']).unwrap_or(url.len());
    if let Some(at) = url[..authority].rfind('@') {
        return Some(at);
    }
    let at = url.rfind('@')?;
    let (_, port) = url[..authority].rsplit_once(':')?;
    (!port.bytes().all(|byte| byte.is_ascii_digit())).then_some(at)
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
                "\"password, please\", he said",
                "\"password, please\", he said",
            ),
            ("a password\", he said", "a password\", he said"),
            (
                "postgres://me:x@db/y and http://z/",
                "postgres://[redacted]@db/y and http://z/",
            ),
            ("{\\\"token\\\": \\\"x\\\"}", "{\\\"token\\\": [redacted]}"),
            ("password='a,b', c", "password=[redacted], c"),
            (
                "(\n  \"authorization\",\n  \"Bearer x\",\n)",
                "(\n  \"authorization\",\n  [redacted],\n)",
            ),
            (
                "(Some(\"token\"), Some(\"x\"))",
                "(Some(\"token\"), [redacted])",
            ),
            (
                "(\n Some(\n  \"token\",\n ),\n Some(\n  \"x\",\n ),\n)",
                "(\n Some(\n  \"token\",\n ),\n [redacted],\n)",
            ),
            (
                "sig=x&design=y&inside=z",
                "sig=[redacted]&design=y&inside=z",
            ),
            (
                "a://me:pa/ss@db/x a://h:80/x@y",
                "a://[redacted]@db/x a://h:80/x@y",
            ),
            ("https://example.org/x@2", "https://example.org/x@2"),
        ];
        for (text, expected) in table {
            assert_eq!(fields(text), expected);
        }
    }

    #[test]
    fn every_word_of_a_secret_counts() {
        for name in [
            "authorization",
            "Proxy-Authorization",
            "x-auth",
            "oauth",
            "cookie",
            "set-cookie",
            "credentials",
            "X-CSRF",
            "jwt",
            "apikey",
            "x-api-key",
            "password",
            "passphrase",
            "private",
            "pwd",
            "client_secret",
            "sessionid",
            "x-signature",
            "access_token",
            "XSRF",
            "otp",
            "x-otp",
            "sid",
            "connect.sid",
            "sig",
            "SIG",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "", "accept", "host", "design", "inside", "stop", "hotpot", "user", "name", "id",
        ] {
            assert!(!is_secret(name), "{name}");
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
            ("/a?ids[]=1&q[name]=z", "/a?ids[]=1&q[name]=z"),
            ("/a?next=/cb?token=x&b", "/a?next=redacted&b"),
            ("/a?e=%2Fcb%3Ftoken%3Dx", "/a?e=redacted"),
            ("/a?e=%252Fcb%253Ftoken%253Dx", "/a?e=redacted"),
            ("/a?next=http://me:x@y/", "/a?next=redacted"),
            ("/a?next=http://y/z", "/a?next=http://y/z"),
            ("/a;jsessionid=x/b;c=d", "/a;jsessionid=redacted/b;c=d"),
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
        // One value that is marked hides the others of its name.
        let mut before = HeaderMap::new();
        before.insert("x-plain", HeaderValue::from_static("a"));
        let mut marked = HeaderValue::from_static("b");
        marked.set_sensitive(true);
        before.append("x-plain", marked);
        let hidden: Vec<_> = headers(&before)
            .get_all("x-plain")
            .iter()
            .cloned()
            .collect();
        assert_eq!(hidden, [REDACTED, REDACTED]);
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
