//! Which values of a request must not be shown: in a log, an error page or a trace.
//!
//! Names decide, and [`HeaderValue::is_sensitive`]. There is one list of names for headers,
//! parameters, fields and settings, so that a value which is hidden in one place is not shown in
//! another. The list can miss a name: mark the values of your own secrets as sensitive.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, uri};
use percent_encoding::percent_decode_str;

/// Replaces what is not shown.
pub const REDACTED: &str = "[redacted]";

/// Parts of names that mark a secret, whatever else is in the name.
const ALWAYS: [&str; 15] = [
    "accesskey",
    "apikey",
    "credential",
    "csrf",
    "jwt",
    "motdepasse",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "pwd",
    "secret",
    "signingkey",
    "xsrf",
];

/// Parts of names that mark a secret, except in the names of settings about one.
const USUALLY: [&str; 7] = [
    "auth",
    "cookie",
    "private",
    "sessid",
    "session",
    "signature",
    "token",
];

/// Whole words, because as parts they are in many other words: `design`, `inside`.
const WORDS: [&str; 12] = [
    "bearer", "cred", "creds", "cvc", "cvv", "hmac", "hotp", "otp", "psk", "sid", "sig", "totp",
];

/// Starts and ends of words: `keypair`, `sshkey`, `passconfirm`, `dbpass`.
const EDGES: [&str; 3] = ["key", "keys", "pass"];

/// English words with such a start or end.
const ENGLISH: [&str; 41] = [
    "bypass",
    "compass",
    "donkey",
    "donkeys",
    "encompass",
    "hockey",
    "jockey",
    "keyboard",
    "keyboards",
    "keycode",
    "keydown",
    "keyframe",
    "keyframes",
    "keymap",
    "keynote",
    "keypad",
    "keypress",
    "keyspace",
    "keystroke",
    "keystrokes",
    "keyup",
    "keyword",
    "keywords",
    "monkey",
    "monkeys",
    "overpass",
    "passage",
    "passages",
    "passed",
    "passenger",
    "passengers",
    "passes",
    "passing",
    "passion",
    "passive",
    "passthrough",
    "passthru",
    "surpass",
    "trespass",
    "turkey",
    "whiskey",
];

/// Standard headers that have such a part and no secret, in one word.
const HARMLESS: [&str; 5] = [
    "accesscontrolallowcredentials",
    "accesscontrolallowprivatenetwork",
    "accesscontrolrequestprivatenetwork",
    "idempotencykey",
    "secwebsocketkey",
];

/// The last words of settings about a secret, which are not secret: `cookie_path`, `auth_url`.
const SETTINGS: [&str; 15] = [
    "dir", "file", "headers", "host", "length", "limit", "path", "port", "size", "status",
    "statuses", "timeout", "type", "uri", "url",
];

/// Returns whether this is the name of a secret: of a header, a parameter, a field or a setting.
///
/// Case and separators do not matter. A name in camel case has the words that it has with
/// underscores.
///
/// ```
/// use tower_kit::secrets::is_secret;
///
/// assert!(is_secret("X-Api-Key") && is_secret("dbPassword") && is_secret("sessionid"));
/// assert!(!is_secret("monkey") && !is_secret("author") && !is_secret("session_timeout"));
/// ```
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let words = words(name);
    let joined = words.concat();
    if HARMLESS.contains(&joined.as_str()) {
        return false;
    }
    if ALWAYS.iter().any(|part| joined.contains(part)) {
        return true;
    }
    let last = words.last().map_or("", String::as_str);
    if words.len() > 1 && SETTINGS.contains(&last) {
        return false;
    }
    words.iter().any(|word| is_secret_word(word))
        || USUALLY.iter().any(|part| has_part(&joined, part))
}

fn is_secret_word(word: &str) -> bool {
    let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let has_edge = |edge: &&str| word.starts_with(*edge) || word.ends_with(*edge);
    WORDS.contains(&word) || EDGES.iter().any(has_edge) && !ENGLISH.contains(&word)
}

/// Returns whether the name has this part. An author and a URL's authority are not about
/// authentication.
fn has_part(name: &str, part: &str) -> bool {
    name.match_indices(part).any(|(at, _)| {
        let rest = &name[at..];
        !rest.starts_with("author") || rest.starts_with("authori") && !rest.starts_with("authorit")
    })
}

/// Returns the words of a name in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let begins = c.is_ascii_uppercase() && before.is_ascii_lowercase();
        if (begins || !c.is_ascii_alphanumeric())
            && words.last().is_some_and(|word| !word.is_empty())
        {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Returns the headers without secrets: values that are secret by name or marked as sensitive are
/// replaced by [`REDACTED`]. A value that is marked makes all values of its name secret. In other
/// values, secrets in fields and URLs are replaced, see [`fields`].
#[must_use]
pub fn headers(headers: &HeaderMap) -> HeaderMap {
    let redacted = headers.iter().map(|(name, value)| {
        let value = match is_secret_header(headers, name) {
            true => HeaderValue::from_static(REDACTED),
            false => header(value),
        };
        (name.clone(), value)
    });
    redacted.collect()
}

/// Returns whether the values of this header must not be shown: by its name, or because one of them
/// is marked as sensitive.
#[must_use]
pub fn is_secret_header(headers: &HeaderMap, name: &HeaderName) -> bool {
    let mut values = headers.get_all(name).iter();
    is_secret(name.as_str()) || values.any(HeaderValue::is_sensitive)
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

/// Returns a URI without user and password, and without the values of parameters that are secret by
/// name or that have a secret in them. Names are decoded before they are compared.
#[must_use]
pub fn uri(uri: &Uri) -> Uri {
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

/// Returns parameters without the values of those that are secret by name or have a secret in them.
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

/// A URL within a URL within a URL is encoded as many times.
const MOST_DECODINGS: usize = 3;

fn decoded(text: &str) -> Cow<'_, str> {
    let mut text = Cow::from(text);
    for _ in 0..MOST_DECODINGS {
        match decoded_once(&text) {
            None => break,
            Some(next) => text = next.into(),
        }
    }
    text
}

/// Returns `None` if there is nothing to decode.
fn decoded_once(text: &str) -> Option<String> {
    match percent_decode_str(text).into() {
        Cow::Borrowed(_) => None,
        Cow::Owned(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// Returns whether a value has a secret in it. It may be a URL, and may be encoded as one in a URL.
fn has_secret(value: &str) -> bool {
    let is_redacted = |text: &str| matches!(plain_fields(text), Cow::Owned(_));
    is_redacted(value) || has_encoded_secret(value)
}

/// Returns whether a value has a secret in it that is seen when it is decoded.
fn has_encoded_secret(value: &str) -> bool {
    let mut text = decoded_once(value);
    for _ in 0..MOST_DECODINGS {
        let Some(decoded) = text else { break };
        if matches!(plain_fields(&decoded), Cow::Owned(_)) {
            return true;
        }
        text = decoded_once(&decoded);
    }
    false
}

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
fn plain_fields(text: &str) -> Cow<'_, str> {
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

/// Returns how many bytes are between a name and its value: quotes, spaces, and `:` or `=`. In a list
/// of pairs it is `,`, and the name may be in a `Some(…)`.
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

    /// The words are written out here, so that none can get lost in the code.
    #[test]
    fn kit_9_every_word_of_a_secret_counts() {
        for word in [
            "accesskey",
            "apikey",
            "auth",
            "authorization",
            "bearer",
            "bearertoken",
            "cookie",
            "cred",
            "credential",
            "credentials",
            "creds",
            "csrf",
            "cvc",
            "cvv",
            "dbpass",
            "hmac",
            "hotp",
            "jwt",
            "key",
            "keymaterial",
            "keypair",
            "keys",
            "motdepasse",
            "oauth",
            "otp",
            "pass",
            "passcode",
            "passconfirm",
            "passphrase",
            "passwd",
            "password",
            "passwort",
            "private",
            "privatekey",
            "psk",
            "pwd",
            "secret",
            "sessid",
            "session",
            "sid",
            "sig",
            "signature",
            "signingkey",
            "sshkey",
            "token",
            "tokens",
            "totp",
            "xsrf",
        ] {
            let (first, rest) = word.split_at(1);
            let capital = format!("{}{rest}", first.to_uppercase());
            for name in [
                word.to_owned(),
                word.to_uppercase(),
                format!("db_{word}"),
                format!("db.{word}"),
                format!("db {word}"),
                format!("X-Db-{capital}"),
                format!("db{capital}"),
                format!("DB_{}", word.to_uppercase()),
                format!("{word}-id"),
                format!("{word}_1"),
                format!("{word}2"),
            ] {
                assert!(is_secret(&name), "{name}");
            }
        }
        for name in [
            "Proxy-Authorization",
            "set-cookie",
            "sessionid",
            "connect.sid",
            "client_secret_path",
            "passwords_file",
            "api-key-id",
            "authority-token",
            "x-authorised-by",
            "authorToken",
            "storageaccountkey1",
            "aesKey256",
            "tls_keypem",
            "mot_de_passe",
            "newpass2",
            "PHPSESSID",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "",
            "-",
            "accept",
            "access-control-allow-credentials",
            "access-control-allow-private-network",
            "access-control-request-private-network",
            "host",
            "design",
            "inside",
            "stop",
            "hotpot",
            "idempotency-key",
            "sec-websocket-key",
            "user",
            "name",
            "id",
            "monkey",
            "author",
            "authority",
            "authoritative-server",
            "co_author",
            "compass",
            "bypass_cache",
            "keyboard",
            "keywords",
            "keep-alive",
            "passenger",
            "passive",
            "passthrough2",
            "x-forwarded-for",
            "forward",
        ] {
            assert!(!is_secret(name), "{name}");
        }
        for last in [
            "dir", "file", "headers", "host", "length", "limit", "path", "port", "size", "status",
            "statuses", "timeout", "type", "uri", "url",
        ] {
            for first in [
                "auth", "cookie", "key", "pass", "private", "session", "sig", "token",
            ] {
                assert!(!is_secret(&format!("{first}_{last}")), "{first}_{last}");
            }
            assert!(is_secret(&format!("password_{last}")), "{last}");
        }
    }

    #[test]
    fn kit_9_a_uri_keeps_its_shape() {
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
            ("/a?e=%25252Fcb%25253Ftoken%25253Dx", "/a?e=redacted"),
            ("/a?to%256ben=x", "/a?to%256ben=redacted"),
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
    fn kit_9_headers_are_secret_by_name_and_within() {
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
