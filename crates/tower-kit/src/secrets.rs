//! The values of a request that must not be shown: in a log, an error page or a trace.
//!
//! Names decide, and [`HeaderValue::is_sensitive`]. There is one list of names for headers,
//! parameters, fields and settings, so that a value which is hidden in one place is not shown in
//! another. The list can miss a name: mark the values of your own secrets as sensitive.

mod names;
mod text;

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, uri};
use percent_encoding::percent_decode_str;

use self::text::plain_fields;
pub use self::{
    names::is_secret,
    text::{fields, urls},
};

/// The text that replaces a value that must not be shown.
pub const REDACTED: &str = "[redacted]";

/// Returns the headers without secrets: values that are secret by name or marked as sensitive are
/// replaced by [`REDACTED`]. A value that is marked makes all values of its name secret. In other
/// values, secrets in fields and URLs are replaced, see [`fields`].
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::{ACCEPT, COOKIE}};
/// use tower_kit::secrets;
///
/// let mut headers = HeaderMap::new();
/// headers.insert(COOKIE, HeaderValue::from_static("session=1"));
/// headers.insert(ACCEPT, HeaderValue::from_static("text/html"));
/// let shown = secrets::headers(&headers);
/// assert_eq!(shown[COOKIE], secrets::REDACTED);
/// assert_eq!(shown[ACCEPT], "text/html");
/// ```
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
///
/// ```
/// use http::{HeaderMap, HeaderName, HeaderValue, header::{ACCEPT, AUTHORIZATION}};
/// use tower_kit::secrets::is_secret_header;
///
/// let mut headers = HeaderMap::new();
/// let mut value = HeaderValue::from_static("7");
/// value.set_sensitive(true);
/// headers.insert("x-own", value);
/// assert!(is_secret_header(&headers, &HeaderName::from_static("x-own")));
/// assert!(is_secret_header(&headers, &AUTHORIZATION));
/// assert!(!is_secret_header(&headers, &ACCEPT));
/// ```
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
///
/// ```
/// use http::Uri;
/// use tower_kit::secrets;
///
/// let uri = Uri::from_static("https://me:pass@example.org/a?token=1&page=2");
/// assert_eq!(secrets::uri(&uri), "https://example.org/a?token=redacted&page=2");
/// ```
#[must_use]
pub fn uri(uri: &Uri) -> Uri {
    let has_user = uri.authority().is_some_and(|it| it.as_str().contains('@'));
    let has_values = uri
        .path_and_query()
        .is_some_and(|it| it.as_str().contains('='));
    // As most have neither, they are not parsed again for a log.
    if !has_user && !has_values {
        return uri.clone();
    }
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

/// The most times that a text is decoded. A URL within a URL within a URL is encoded so often.
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

#[cfg(test)]
mod tests {
    use super::*;

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
