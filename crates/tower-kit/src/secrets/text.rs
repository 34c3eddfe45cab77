//! Secrets within texts: fields, as many formats write them, and URLs.

use std::borrow::Cow;

use super::{REDACTED, decoded, has_encoded_secret, is_secret};

/// Returns a text without the values of secret fields, as `Debug`, JSON, forms and queries write
/// fields, and without what [`urls`] removes. Parts that are encoded as in a URL are replaced as a
/// whole if they have a secret in them.
///
/// ```
/// use tower_kit::secrets::fields;
///
/// assert_eq!(fields("user=1&password=x&page=2"), "user=1&password=[redacted]&page=2");
/// ```
#[must_use]
pub fn fields(text: &str) -> Cow<'_, str> {
    replaced(text, has_encoded_secret)
}

/// Returns the same, and leaves encoded parts as they are.
pub(super) fn plain_fields(text: &str) -> Cow<'_, str> {
    replaced(text, |_| false)
}

fn replaced(text: &str, is_hidden: impl Fn(&str) -> bool) -> Cow<'_, str> {
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
        let word = &text[at..end];
        let name = decoded(word);
        let value = is_secret(&name)
            .then(|| separator_length(&bytes[end..], at > 0 && bytes[at - 1] == b'"'))
            .flatten();
        match value {
            None if is_hidden(word) => {
                out.push_str(&text[done..at]);
                out.push_str(REDACTED);
                at = end;
                done = at;
            }
            None => at = end,
            Some(separator) => {
                let start = end + separator;
                out.push_str(&text[done..start]);
                out.push_str(REDACTED);
                let value = &bytes[start..];
                at = start
                    + match is_header_line(&name, &bytes[end..], value) {
                        true => line_length(value),
                        false => value_length(value),
                    };
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

/// Returns how many bytes at the start may be a name.
fn name_length(text: &[u8]) -> usize {
    let name =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%');
    text.iter().take_while(|byte| name(byte)).count()
}

/// Returns how many bytes are between a name and its value: quotes, spaces, and `:` or `=`. In a
/// list of pairs it is `,`, and the name may be in a `Some(…)`.
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

/// Returns whether this is a line of a header whose value has commas or semicolons in it.
fn is_header_line(name: &str, separator: &[u8], value: &[u8]) -> bool {
    const NAMES: [&str; 4] = [
        "authorization",
        "cookie",
        "proxy-authorization",
        "set-cookie",
    ];
    let is_name = NAMES.iter().any(|known| name.eq_ignore_ascii_case(known));
    // Otherwise it is a field of a struct.
    let is_value = value.first().is_some_and(u8::is_ascii_alphanumeric);
    is_name && separator.first() == Some(&b':') && is_value
}

/// Returns how many bytes there are up to the end of the line.
fn line_length(text: &[u8]) -> usize {
    let end = text.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    end.unwrap_or(text.len())
}

/// Returns how many bytes a value has. It ends with the line, or with what ends a field, an element
/// or a parameter outside of quotes and brackets.
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

/// Returns how many bytes there are up to the end of the closing quote.
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

/// Returns a text without the user and password of URLs in it.
#[must_use]
pub fn urls(text: &str) -> Cow<'_, str> {
    let (mut out, mut done) = (String::new(), 0);
    let mut from = 0;
    while let Some(at) = text[from..].find("://") {
        let start = from + at + 3;
        let rest = &text[start..];
        let end = rest.find(|c: char| c.is_whitespace() || "\"'<>".contains(c));
        let url = &rest[..end.unwrap_or(rest.len())];
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

/// Returns the length of user and password at the start of a URL after its scheme. A password may
/// have in it what ends an authority.
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
    fn kit_9_fields_are_found_however_they_are_written() {
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
            (
                "Authorization: Digest username=\"x\", response=\"y\"\r\nHost: z",
                "Authorization: [redacted]\r\nHost: z",
            ),
            ("cookie: a=x; b=y\nb: 1", "cookie: [redacted]\nb: 1"),
            ("cookie: \"a=x; b=y\", b: 1", "cookie: [redacted], b: 1"),
            (
                "https://x/?a=%2Fcb%3Ftoken%3Dx&b",
                "https://x/?a=[redacted]&b",
            ),
            ("a=%252Fcb%253Ftoken%253Dx", "a=[redacted]"),
            ("a=%2Fcb%3Fpage%3Dx", "a=%2Fcb%3Fpage%3Dx"),
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
            // A quote that is not closed ends with the text.
            ("password=\"x", "password=[redacted]"),
            ("password='x\\", "password=[redacted]"),
        ];
        for (text, expected) in table {
            assert_eq!(fields(text), expected);
        }
    }
}
