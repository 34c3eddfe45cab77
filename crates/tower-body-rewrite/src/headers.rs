//! The header fields that change with a body.

use http::{
    HeaderMap, HeaderName,
    header::{ACCEPT_RANGES, CONTENT_LENGTH, ETAG, LAST_MODIFIED},
};
use tower_kit::entity_tag::only;

use crate::Tag;

/// Makes the headers of a response true again after its body has been changed, for any middleware that changes bodies.
///
/// `length` is the new body's, in bytes, if it is known. `tag` says what was done to the body, see [`Tag`]; without one no validator
/// can be kept.
///
/// | field | what becomes of it | source |
/// |---|---|---|
/// | `Content-Length` | the new length, or removed: hyper then sends the body in chunks | RFC 9110, section 8.6 |
/// | `ETag` | weak and with the tag mixed in, or removed: a strong one speaks of the bytes | RFC 9110, sections 8.8.1 and 8.8.3 |
/// | `Last-Modified` | removed: a date cannot say with what the body was rewritten | RFC 9110, section 8.8.2 |
/// | `Accept-Ranges` | removed: ranges would count other bytes | RFC 9110, section 14.3 |
/// | `Content-Digest`, `Repr-Digest` | removed: checksums of other bytes | RFC 9530, sections 2 and 3 |
/// | `Digest`, `Content-MD5` | removed: their forerunners | RFC 3230, RFC 1864 |
///
/// Everything else is kept: `Content-Type`, `Vary` and `Cache-Control` are whoever changes the body's to know, and `Transfer-Encoding` is the server's. The head of a
/// response to HEAD and of a 304 describes the response to GET (RFC 9110, sections 9.3.2 and 15.4.5), and trailers may hold digests: all of
/// them go through here as well. A body that is encoded or is a part of one should not be changed to begin with.
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
    for name in STALE {
        headers.remove(name);
    }
    match length {
        Some(length) => drop(headers.insert(CONTENT_LENGTH, length.into())),
        None => drop(headers.remove(CONTENT_LENGTH)),
    }
    let etag = only(headers, &ETAG).zip(tag);
    match etag.and_then(|(etag, tag)| tag.mix_into(etag)) {
        Some(etag) => drop(headers.insert(ETAG, etag)),
        None => drop(headers.remove(ETAG)),
    }
}

/// The same for the answer to a change: its validators are those of what was changed, which its body is not (RFC 9110, section
/// 8.8).
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
