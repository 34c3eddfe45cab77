//! The head of a response whose body is replaced.

use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_RANGE, CONTENT_TYPE, VARY},
    response::Parts,
};
use tower_kit::content::remove_content_headers;

/// The fields that a document's body brings.
const OF_DOCUMENT: [HeaderName; 3] = [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE];

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

/// Adds the fields of a document. Its entity tag is left out, because an error is no version of
/// anything, and so is its `Cache-Control`, which must not make the error last.
pub(crate) fn add_document(headers: &mut HeaderMap, mut document: HeaderMap) {
    for name in OF_DOCUMENT {
        if let Some(value) = document.remove(&name) {
            headers.insert(name, value);
        }
    }
    for value in document.get_all(VARY) {
        headers.append(VARY, value.clone());
    }
}
