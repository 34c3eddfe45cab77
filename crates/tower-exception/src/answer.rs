//! What the client is told: that there was an incident, and its id.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS},
};

use crate::{Incident, accept};

const INCIDENT_ID: HeaderName = HeaderName::from_static("x-incident-id");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// `INTERNAL`.
const GRPC_INTERNAL: HeaderValue = HeaderValue::from_static("13");

/// The forms of an answer.
// DIFFERENCE: none has the traceback, which the ancestors send to anybody.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    Text,
    Html,
    /// RFC 9457.
    Problem,
    Json,
    /// No content, but a status in the head.
    Grpc,
}

/// In this order, and the first if nothing is acceptable: better something than 406.
const OFFERS: [(&str, Form); 4] = [
    ("text/plain", Form::Text),
    ("text/html", Form::Html),
    ("application/problem+json", Form::Problem),
    ("application/json", Form::Json),
];

impl Form {
    pub(crate) fn of(incident: &Incident) -> Self {
        if incident.request().is_grpc {
            return Self::Grpc;
        }
        let names = OFFERS.map(|(name, _)| name);
        let best = accept::best(incident.accept(), &names).or_else(|| {
            // Some ask for the charset, too.
            let names = names.map(|name| format!("{name};charset=utf-8"));
            accept::best(incident.accept(), &names.each_ref().map(String::as_str))
        });
        OFFERS[best.unwrap_or(0)].1
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Problem => "application/problem+json",
            Self::Json => "application/json",
            Self::Grpc => "application/grpc",
        }
    }
}

/// The same for every incident but for the id.
pub(crate) fn production(incident: &Incident) -> Response<Bytes> {
    let id = incident.id();
    let form = Form::of(incident);
    let body = match form {
        Form::Text => format!("500 Internal Server Error\nincident {id}\n"),
        Form::Html => format!(
            "<!DOCTYPE html>\n<title>500 Internal Server Error</title>\n<h1>500 Internal Server Error</h1>\n<p>incident <code>{id}</code>\n"
        ),
        Form::Problem | Form::Json => format!(
            "{{\"type\":\"about:blank\",\"title\":\"Internal Server Error\",\"status\":500,\"incident\":\"{id}\"}}\n"
        ),
        Form::Grpc => String::new(),
    };
    response(incident, form, body.into())
}

/// A response that stands for an incident. One to HEAD has no body.
pub(crate) fn response(incident: &Incident, form: Form, body: Bytes) -> Response<Bytes> {
    let body = match *incident.method() {
        Method::HEAD => Bytes::new(),
        _ => body,
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    if let Ok(id) = HeaderValue::from_str(incident.id()) {
        headers.insert(INCIDENT_ID, id);
    }
    if form == Form::Grpc {
        // gRPC's own protocol: 200, and the status where trailers would be.
        headers.insert(GRPC_STATUS, GRPC_INTERNAL);
        if let Ok(message) = HeaderValue::from_str(&format!("incident {}", incident.id())) {
            headers.insert(GRPC_MESSAGE, message);
        }
    } else {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    response.extensions_mut().insert(incident.clone());
    response
}
