//! The responses that have content, and the fields that describe it (RFC 9110, RFC 9112).

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCEPT_RANGES, AGE, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE,
        CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED,
        TRAILER, TRANSFER_ENCODING,
    },
};
use http_body::Body;

/// The part of a request that decides whether its response has content.
///
/// It is made from the method that the client sent. An inner layer may change the method. For
/// the client and the server the original one decides.
///
/// ```
/// use http::Method;
/// use tower_kit::content::RequestKind;
///
/// assert_eq!(RequestKind::of(&Method::HEAD), RequestKind::Head);
/// assert_eq!(RequestKind::of(&Method::PUT), RequestKind::Other);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// The method is HEAD. No response to it has content.
    Head,
    /// The method is CONNECT. A 2xx response to it begins a tunnel and has no content.
    Connect,
    /// The method is another one.
    #[default]
    Other,
}

impl RequestKind {
    /// Returns the kind of a request with this method.
    #[inline]
    #[must_use]
    pub fn of(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Head,
            Method::CONNECT => Self::Connect,
            _ => Self::Other,
        }
    }

    /// Returns whether a response with this status has content (RFC 9110, sections 6.4.1, 9.3.6 and
    /// 15.3.6).
    ///
    /// ```
    /// use http::{Method, StatusCode};
    /// use tower_kit::content::RequestKind;
    ///
    /// assert!(RequestKind::of(&Method::GET).has_content(StatusCode::NOT_FOUND));
    /// assert!(!RequestKind::of(&Method::HEAD).has_content(StatusCode::NOT_FOUND));
    /// assert!(!RequestKind::of(&Method::GET).has_content(StatusCode::RESET_CONTENT));
    /// assert!(RequestKind::of(&Method::CONNECT).has_content(StatusCode::NOT_FOUND));
    /// ```
    #[inline]
    #[must_use]
    pub fn has_content(self, status: StatusCode) -> bool {
        let none = match self {
            Self::Head => true,
            Self::Connect => status.is_success(),
            Self::Other => false,
        };
        !none && status_has_content(status)
    }
}

#[inline]
fn status_has_content(status: StatusCode) -> bool {
    !status.is_informational()
        && !matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        )
}

/// Returns the length that `Content-Length` states, in bytes.
///
/// Several lines count if they are equal. Returns `None` if there is no line, if lines differ, or
/// if the value is not a number in decimal digits (RFC 9110, section 8.6; RFC 9112, section 6.3).
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::CONTENT_LENGTH};
/// use tower_kit::content::content_length;
///
/// let mut headers = HeaderMap::new();
/// headers.append(CONTENT_LENGTH, HeaderValue::from_static("7"));
/// assert_eq!(content_length(&headers), Some(7));
/// headers.append(CONTENT_LENGTH, HeaderValue::from_static("8"));
/// assert_eq!(content_length(&headers), None);
/// ```
#[must_use]
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let first = lines.next()?;
    let length = first.to_str().ok()?;
    let is_number = length.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || lines.any(|line| line != first) {
        return None;
    }
    length.parse().ok()
}

/// Sets the length in the response to a HEAD that a GET would have got, if the body knows it
/// (RFC 9110, section 9.3.2). Call it before the body is dropped.
///
/// The head stays as it is if it states a length or a transfer coding already, and if a response
/// with this status has no content. An empty body does not count, because some services drop the
/// content of a HEAD themselves.
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use tower_kit::content::announce_length;
///
/// let mut headers = HeaderMap::new();
/// announce_length(StatusCode::OK, &mut headers, &"a page".to_owned());
/// assert_eq!(headers["content-length"], "6");
/// ```
pub fn announce_length(status: StatusCode, headers: &mut HeaderMap, body: &impl Body) {
    if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
        announce(status, headers, length);
    }
}

// Apart, so that a program has it once for all bodies (`just cost`).
fn announce(status: StatusCode, headers: &mut HeaderMap, length: u64) {
    if status_has_content(status)
        && !headers.contains_key(CONTENT_LENGTH)
        && !headers.contains_key(TRANSFER_ENCODING)
    {
        set(headers, CONTENT_LENGTH, HeaderValue::from(length));
    }
}

/// Sets a header.
// Apart: the code of `HeaderMap::insert` is long, and would be a part of each caller (`just cost`).
#[inline(never)]
pub(crate) fn set(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.insert(name, value);
}

/// Returns whether a field describes a response's content or its representation (RFC 9110, sections
/// 8, 14.3 and 14.4; RFC 9111, section 5.1; RFC 9530 and its predecessors).
fn is_of_the_content(name: &HeaderName) -> bool {
    match *name {
        ACCEPT_RANGES | AGE | CONTENT_DISPOSITION | CONTENT_ENCODING | CONTENT_LANGUAGE
        | CONTENT_LENGTH | CONTENT_LOCATION | CONTENT_RANGE | CONTENT_TYPE | ETAG
        | LAST_MODIFIED | TRAILER | TRANSFER_ENCODING => true,
        _ => matches!(
            name.as_str(),
            "content-digest" | "content-md5" | "digest" | "repr-digest"
        ),
    }
}

/// Removes the fields that describe a response's content, for a response whose content is replaced.
///
/// All other fields stay. They are about the request, the connection or the client: CORS, cookies,
/// request ids. `Cache-Control`, `Expires` and `Vary` stay too. They control who may keep a
/// response for this URL, and `no-store` must not get lost.
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::{ETAG, SET_COOKIE}};
/// use tower_kit::content::remove_content_headers;
///
/// let mut headers = HeaderMap::new();
/// headers.insert(ETAG, HeaderValue::from_static("\"1\""));
/// headers.insert(SET_COOKIE, HeaderValue::from_static("a=b"));
/// remove_content_headers(&mut headers);
/// assert!(!headers.contains_key(ETAG) && headers.contains_key(SET_COOKIE));
/// ```
pub fn remove_content_headers(headers: &mut HeaderMap) {
    // Most responses have few fields, and a pass over these costs less than a lookup of each name.
    let is_meant = |name: &&HeaderName| is_of_the_content(name);
    while let Some(name) = headers.keys().find(is_meant).cloned() {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{Empty, Full};

    use super::*;

    #[test]
    fn kit_1_one_table_decides_whether_a_response_has_content() {
        // Status, and whether a response to GET, HEAD and CONNECT has content.
        let table = [
            (100, [false, false, false]),
            (101, [false, false, false]),
            (103, [false, false, false]),
            (200, [true, false, false]),
            (201, [true, false, false]),
            (204, [false, false, false]),
            (205, [false, false, false]),
            (206, [true, false, false]),
            (299, [true, false, false]),
            (300, [true, false, true]),
            (304, [false, false, false]),
            (404, [true, false, true]),
            (500, [true, false, true]),
            (999, [true, false, true]),
        ];
        for (status, expected) in table {
            let status = StatusCode::from_u16(status).unwrap();
            let methods = [Method::GET, Method::HEAD, Method::CONNECT];
            let found = methods.map(|method| RequestKind::of(&method).has_content(status));
            assert_eq!(found, expected, "{status}");
        }
        for method in [
            Method::POST,
            Method::OPTIONS,
            Method::from_bytes(b"head").unwrap(),
        ] {
            assert_eq!(RequestKind::of(&method), RequestKind::Other, "{method}");
        }
    }

    #[test]
    fn kit_2_a_length_is_digits_and_equal_in_all_lines() {
        let table: [(&[&[u8]], Option<u64>); 12] = [
            (&[], None),
            (&[b"0"], Some(0)),
            (&[b"10"], Some(10)),
            (&[b"010"], Some(10)),
            (&[b"10", b"10"], Some(10)),
            (&[b"10", b"11"], None),
            (&[b"10", b"010"], None),
            (&[b"+10"], None),
            (&[b"-1"], None),
            (&[b""], None),
            (&[b"1\xe9"], None),
            (&[b"18446744073709551616"], None),
        ];
        for (lines, expected) in table {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(CONTENT_LENGTH, HeaderValue::from_bytes(line).unwrap());
            }
            assert_eq!(content_length(&headers), expected, "{lines:?}");
        }
    }

    #[test]
    fn kit_3_a_head_states_the_length_of_a_get() {
        let five = || Full::new(Bytes::from("12345"));
        let announced = |status: u16, given: Option<(HeaderName, &'static str)>, body| {
            let mut headers = HeaderMap::new();
            if let Some((name, value)) = given {
                headers.insert(name, HeaderValue::from_static(value));
            }
            announce_length(StatusCode::from_u16(status).unwrap(), &mut headers, &body);
            headers.get(CONTENT_LENGTH).cloned()
        };
        assert_eq!(announced(200, None, five()).unwrap(), "5");
        assert_eq!(announced(404, None, five()).unwrap(), "5");
        assert_eq!(announced(200, None, Full::default()), None);
        for status in [101, 204, 205, 304] {
            assert_eq!(announced(status, None, five()), None, "{status}");
        }
        let stated = Some((CONTENT_LENGTH, "7"));
        assert_eq!(announced(200, stated, five()).unwrap(), "7");
        let chunked = Some((TRANSFER_ENCODING, "chunked"));
        assert_eq!(announced(200, chunked, five()), None);
        let mut headers = HeaderMap::new();
        announce_length(StatusCode::OK, &mut headers, &Empty::<Bytes>::new());
        assert!(headers.is_empty());
    }

    /// The names are written out here, so that none can get lost in the code.
    #[test]
    fn kit_4_fields_of_the_content_are_removed_with_it() {
        let gone = [
            "accept-ranges",
            "age",
            "content-digest",
            "content-disposition",
            "content-encoding",
            "content-language",
            "content-length",
            "content-location",
            "content-md5",
            "content-range",
            "content-type",
            "digest",
            "etag",
            "last-modified",
            "repr-digest",
            "trailer",
            "transfer-encoding",
        ];
        let kept = [
            "access-control-allow-origin",
            "allow",
            "cache-control",
            "expires",
            "retry-after",
            "set-cookie",
            "vary",
            "www-authenticate",
            "x-request-id",
        ];
        let mut headers = HeaderMap::new();
        for name in gone.into_iter().chain(kept) {
            let name = HeaderName::from_static(name);
            headers.append(&name, HeaderValue::from_static("1"));
            headers.append(&name, HeaderValue::from_static("2"));
        }
        remove_content_headers(&mut headers);
        assert_eq!(headers.len(), 2 * kept.len());
        assert!(kept.iter().all(|name| headers.contains_key(*name)));
    }
}
