//! What the client is told: that there was an incident, and its id.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS},
};

use crate::{
    Incident, accept,
    grpc::{self, Protocol},
};

const INCIDENT_ID: HeaderName = HeaderName::from_static("x-incident-id");

/// The forms of an answer.
// DIFFERENCE: none has the traceback, which the ancestors send to anybody.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    Text,
    Html,
    /// RFC 9457.
    Problem,
    Json,
    /// gRPC or gRPC-Web: the status where that protocol has it.
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
        if incident.request().grpc.is_some() {
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
            // For a request without one.
            Self::Grpc => "application/grpc",
        }
    }
}

/// Returns the name of a status.
pub(crate) fn reason(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}

/// Returns the response for the client. It is the same for every incident of a status, except the
/// id.
pub(crate) fn production(incident: &Incident) -> Response<Bytes> {
    let id = incident.id();
    let (status, reason) = (incident.status().as_u16(), reason(incident.status()));
    let form = Form::of(incident);
    let body = match form {
        Form::Text => format!("{status} {reason}\nincident {id}\n"),
        Form::Html => format!(
            "<!DOCTYPE html>\n<title>{status} {reason}</title>\n<h1>{status} {reason}</h1>\n<p>incident <code>{id}</code>\n"
        ),
        Form::Problem | Form::Json => format!(
            "{{\"type\":\"about:blank\",\"title\":\"{reason}\",\"status\":{status},\"incident\":\"{id}\"}}\n"
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
    match &incident.request().grpc {
        Some(asked) => {
            headers.insert(CONTENT_TYPE, asked.content_type.clone());
            match asked.protocol {
                Protocol::Native => headers.extend(grpc::trailers(incident)),
                // The body has it because a page of another origin may not read the head.
                Protocol::Web | Protocol::WebText => {
                    *response.body_mut() = grpc::last_message(asked.protocol, incident);
                }
            }
        }
        None => *response.status_mut() = incident.status(),
    }
    response.extensions_mut().insert(incident.clone());
    response
}
