//! The head of a response whose body is replaced.

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{
        CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, VARY,
    },
    response::Parts,
};
use tower_kit::content::remove_content_headers;

/// Removes what described the old body. All that is about the failure, the client or the connection
/// stays: `WWW-Authenticate`, `Allow`, `Retry-After`, cookies, CORS.
///
/// `Content-Range` of a 416 is about the failure: it states the length of what was asked for. Under
/// another status it means nothing (RFC 9110, section 14.4).
pub(crate) fn without_body(head: &mut Parts) {
    let range = head.headers.remove(CONTENT_RANGE);
    remove_content_headers(&mut head.headers);
    if head.status == StatusCode::RANGE_NOT_SATISFIABLE
        && let Some(range) = range
    {
        head.headers.insert(CONTENT_RANGE, range);
    }
}

/// Adds the fields of a document, and returns the length that it states. Its entity tag is left
/// out, because an error is no version of anything, and so is its `Cache-Control`, which must not
/// make the error last.
pub(crate) fn add_document(headers: &mut HeaderMap, document: HeaderMap) -> Option<HeaderValue> {
    let mut length = None;
    let mut name = None;
    for (next, value) in document {
        // A further line of a name comes without it.
        name = next.or(name);
        let Some(name) = &name else { continue };
        match *name {
            CONTENT_ENCODING | CONTENT_LANGUAGE | CONTENT_TYPE | VARY => {
                headers.append(name, value);
            }
            CONTENT_LENGTH => length = Some(value),
            _ => {}
        }
    }
    length
}
