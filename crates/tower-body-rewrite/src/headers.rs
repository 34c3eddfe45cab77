//! The header fields that are no longer true once a body has been rewritten.

use http::{
    HeaderMap, HeaderName,
    header::{ACCEPT_RANGES, CONTENT_LENGTH, ETAG, LAST_MODIFIED},
};

/// Removes what a rewritten body makes untrue, for a layer that changes bodies and knows neither the
/// new length nor a new validator.
///
/// | field | why | source |
/// |---|---|---|
/// | `Content-Length` | the length is another one | RFC 9110, section 8.6 |
/// | `ETag`, `Last-Modified` | they speak of other bytes | RFC 9110, section 8.8 |
/// | `Accept-Ranges` | ranges would count other bytes | RFC 9110, section 14.3 |
/// | `Content-Digest`, `Repr-Digest` | checksums of other bytes | RFC 9530, sections 2 and 3 |
/// | `Digest`, `Content-MD5` | their forerunners | RFC 3230, RFC 1864 |
///
/// Trailers may hold some of them too. The head of a response to HEAD and of a 304 is treated in the same way, since it describes the
/// response to GET.
pub fn remove_stale_headers(headers: &mut HeaderMap) {
    const STALE: [HeaderName; 8] = [
        ACCEPT_RANGES,
        CONTENT_LENGTH,
        ETAG,
        LAST_MODIFIED,
        HeaderName::from_static("content-digest"),
        HeaderName::from_static("content-md5"),
        HeaderName::from_static("digest"),
        HeaderName::from_static("repr-digest"),
    ];
    for name in STALE {
        headers.remove(name);
    }
}
