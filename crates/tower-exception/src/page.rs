//! What the client is told: that there was an incident, and its id.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};

use crate::Incident;

const INCIDENT_ID: HeaderName = HeaderName::from_static("x-incident-id");

/// 500, the same for every incident but for the id. One to HEAD has no body.
pub(crate) fn production(incident: Incident) -> Response<Bytes> {
    let id = incident.id();
    let body = match *incident.method() {
        Method::HEAD => Bytes::new(),
        _ => format!("500 Internal Server Error\nincident {id}\n").into(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(INCIDENT_ID, id);
    }
    response.extensions_mut().insert(incident);
    response
}
