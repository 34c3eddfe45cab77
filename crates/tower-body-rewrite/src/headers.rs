//! The header fields that change with a body.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT_RANGES, CONTENT_LENGTH, ETAG, LAST_MODIFIED},
};
use tower_kit::entity_tag::only;

use crate::Tag;

/// Adapts the headers of a response to its new body. It is for any middleware that changes bodies.
///
/// `length` is the length of the new body in bytes, if it is known. `tag` identifies the change,
/// see [`Tag`]. Without a tag, no validator is kept.
///
/// | field | effect | source |
/// |---|---|---|
/// | `Content-Length` | the new length, or removed; hyper then sends the body in chunks | RFC 9110, section 8.6 |
/// | `ETag` | weak and with the tag mixed in, or removed, because a strong one stands for the bytes | RFC 9110, sections 8.8.1 and 8.8.3 |
/// | `Last-Modified` | removed, because a date cannot identify the rewriting | RFC 9110, section 8.8.2 |
/// | `Accept-Ranges` | removed, because ranges would count other bytes | RFC 9110, section 14.3 |
/// | `Content-Digest`, `Repr-Digest` | removed, because they are checksums of other bytes | RFC 9530, sections 2 and 3 |
/// | `Digest`, `Content-MD5` | removed, as the predecessors of these | RFC 3230, RFC 1864 |
///
/// All other fields are kept. The middleware is responsible for `Content-Type`, `Vary` and
/// `Cache-Control`, the server for `Transfer-Encoding`.
///
/// Adapt the head of a response to HEAD and of a 304, too, because they describe the response to
/// GET (RFC 9110, sections 9.3.2 and 15.4.5). Adapt trailers, because they may have digests. Do not
/// change a body that is encoded, or that is a part of one.
///
/// # Examples
///
/// ```
/// # use http::{HeaderMap, HeaderValue, header};
/// # use tower_body_rewrite::{Tag, adapt_headers};
/// let mut headers = HeaderMap::new();
/// headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("10"));
/// headers.insert(header::ETAG, HeaderValue::from_static("\"abc\""));
///
/// adapt_headers(&mut headers, Some(17), Some(Tag::of([&b"my footer, version 1"[..]])));
/// assert_eq!(headers[header::CONTENT_LENGTH], "17");
/// assert_eq!(headers[header::ETAG], "W/\"abc~sed5042e42a11a051\"");
/// ```
pub fn adapt_headers(headers: &mut HeaderMap, length: Option<u64>, tag: Option<Tag>) {
    const STALE: [HeaderName; 6] = [
        ACCEPT_RANGES,
        LAST_MODIFIED,
        HeaderName::from_static("content-digest"),
        HeaderName::from_static("content-md5"),
        HeaderName::from_static("digest"),
        HeaderName::from_static("repr-digest"),
    ];
    let is_stale = |name: &&HeaderName| STALE.contains(name);
    while let Some(name) = headers.keys().find(is_stale).cloned() {
        headers.remove(name);
    }
    match length {
        Some(length) => drop(headers.insert(CONTENT_LENGTH, decimal(length))),
        None => drop(headers.remove(CONTENT_LENGTH)),
    }
    if has(headers, &ETAG) {
        let etag = only(headers, &ETAG).zip(tag);
        match etag.and_then(|(etag, tag)| tag.mix_into(etag)) {
            Some(etag) => drop(headers.insert(ETAG, etag)),
            None => drop(headers.remove(ETAG)),
        }
    }
}

/// Returns whether there is a field of this name. Most responses have few fields, and a comparison
/// with each costs less than a lookup: for `ratios` stack/text-of-64-lines.
#[inline]
pub(crate) fn has(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.keys().any(|found| found == name)
}

/// Returns a number as a value. `HeaderValue::from` makes two allocations for it.
fn decimal(mut number: u64) -> HeaderValue {
    let mut digits = [0; 20];
    let mut start = digits.len();
    while start == digits.len() || number > 0 {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    HeaderValue::from_bytes(&digits[start..]).expect("a value may have digits")
}

/// Adapts the headers of a response to a change, such as PUT. Its validators are those of the
/// changed resource, not of the body (RFC 9110, section 8.8), so they are kept.
pub(crate) fn adapt_outcome(headers: &mut HeaderMap, length: Option<u64>) {
    let validators = [ETAG, LAST_MODIFIED].map(|name| {
        let value = only(headers, &name).cloned();
        (name, value)
    });
    adapt_headers(headers, length, None);
    for (name, value) in validators {
        headers.extend(value.map(|value| (name, value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_rewrite_6_a_length_is_written_in_digits() {
        for number in [0, 1, 9, 10, 4096, u64::MAX] {
            assert_eq!(decimal(number), HeaderValue::from(number));
        }
    }
}
