//! CORS preflights: requests with OPTIONS, by which a browser finds out whether a page of another
//! origin may send a request.
//!
//! The layers of the route for that request have to see the preflight. The endpoint must not see
//! it, since the page is not allowed to send the request yet.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response,
    header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN},
};
use http_body_util::Full;
use tower_kit::Allow;

/// An extension of a preflight, with the methods of all routes for its path.
#[derive(Clone)]
pub(crate) struct Preflight(pub(crate) Allow);

/// Returns the method of the request that an OPTIONS asks about if it is a preflight (Fetch,
/// CORS-preflight fetch).
pub(crate) fn asked(headers: &HeaderMap) -> Option<Method> {
    only(headers, ORIGIN)?;
    Method::from_bytes(only(headers, ACCESS_CONTROL_REQUEST_METHOD)?.as_bytes()).ok()
}

/// Returns the value of a field that has exactly one line.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    values.next().filter(|_| values.next().is_none())
}

/// Returns the response to a preflight that has passed all layers of a route with these methods.
pub(crate) fn response<B>(request: &Request<B>, methods: &[Method]) -> Response<Full<Bytes>> {
    match request.extensions().get() {
        Some(Preflight(allow)) => allow.options(),
        // A layer has removed it.
        None => {
            let mut allow: Allow = methods.iter().collect();
            allow.add(&Method::OPTIONS);
            allow.options()
        }
    }
}
