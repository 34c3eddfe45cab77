//! Apps that respond with a text or a location of their section.

use std::{borrow::Cow, convert::Infallible, sync::Arc};

use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION},
};
use mediatype::MediaType;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use tower_kit::{Rejection, content::RequestKind};

use super::template::Template;
use crate::{App, Body, Error, Settings, reason::Reason};

/// The settings of `egg:tower#text`.
#[derive(Deserialize, Serialize)]
pub(super) struct Text {
    text: String,
    #[serde(default = "plain")]
    content_type: String,
    #[serde(default = "ok")]
    status: u16,
}

fn plain() -> String {
    "text/plain; charset=utf-8".to_owned()
}

fn ok() -> u16 {
    200
}

/// The escaping of values in a text, by its type.
#[derive(Clone, Copy)]
enum Escape {
    Nothing,
    Html,
    /// No escaping is known to be safe in this type.
    Never,
}

pub(super) fn text(_: &Settings, settings: Text) -> Result<App, Error> {
    let status = StatusCode::from_u16(settings.status)
        .ok()
        .filter(|status| !status.is_informational())
        .ok_or_else(|| {
            let message = format!("{} is not from 200 to 999", settings.status);
            Error::setting("status", message)
        })?;
    if settings.content_type.is_empty() {
        let error = Error::setting("content_type", "it is empty, and not a type");
        return Err(error.help("write a type, such as text/html; charset=utf-8"));
    }
    let content_type = HeaderValue::try_from(&settings.content_type).map_err(|_| {
        let message = "it has a character that no header can have";
        Error::setting("content_type", message)
    })?;
    if MediaType::parse(&settings.content_type).is_err() {
        let message = format!("`{}` is no media type", settings.content_type);
        let error = Error::setting("content_type", message);
        return Err(error.help("write a type, such as text/html; charset=utf-8"));
    }
    let essence = settings.content_type.split(';').next().unwrap_or_default();
    let escape = match essence.trim().to_ascii_lowercase().as_str() {
        "text/plain" => Escape::Nothing,
        "text/html" => Escape::Html,
        _ => Escape::Never,
    };
    let template = Arc::new(Template::new(&settings.text));
    let plain = settings.text;
    Ok(responding(move |request| {
        let (request, _) = request.into_parts();
        let text = match escape {
            Escape::Nothing => template.fill(&request, |value| Some(Cow::Borrowed(value))),
            Escape::Html => template.fill(&request, |value| Some(html_escape::encode_safe(value))),
            Escape::Never => None,
        };
        let text = text.unwrap_or_else(|| plain.clone());
        let mut response = Response::new(Body::default());
        *response.status_mut() = status;
        // The head for HEAD is that for GET. CONNECT gets the text as well, because there is no
        // tunnel here.
        if RequestKind::Other.has_content(status) {
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, content_type.clone());
            headers.insert(CONTENT_LENGTH, text.len().into());
            if request.method != Method::HEAD {
                *response.body_mut() = text.into();
            }
        }
        response
    }))
}

/// The settings of `egg:tower#redirect`.
#[derive(Deserialize, Serialize)]
pub(super) struct Redirect {
    location: String,
    #[serde(default = "temporary")]
    status: u16,
}

fn temporary() -> u16 {
    307
}

/// All characters except the unreserved ones (RFC 3986, section 2.3).
const IN_URL: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(super) fn redirect(_: &Settings, settings: Redirect) -> Result<App, Error> {
    let status = StatusCode::from_u16(settings.status).ok();
    let status = status.filter(|status| [301, 302, 303, 307, 308].contains(&status.as_u16()));
    let status = status.ok_or_else(|| {
        let message = format!("{} is not one of 301, 302, 303, 307, 308", settings.status);
        Error::setting("status", message)
    })?;
    let location = &settings.location;
    if location.is_empty() || !location.bytes().all(|byte| (b'!'..=b'~').contains(&byte)) {
        return Err(Error::setting(
            "location",
            "it is not a URL: it is empty, or has spaces or characters that are not ASCII",
        ));
    }
    if host(location).is_some_and(|host| host.contains('{')) {
        let message = "a value is in the host, or directly after it";
        let error = Error::setting("location", message);
        return Err(error.help("write the host without values, with a slash after it"));
    }
    let whole_host = location.starts_with("//");
    let own_dots = dots(location);
    let template = Template::new(location);
    Ok(responding(move |request| {
        let (request, _) = request.into_parts();
        let location = template.fill(&request, |value| {
            Some(utf8_percent_encode(value, IN_URL).into())
        });
        // A client resolves a segment of dots, so it would lead elsewhere.
        let location = location.filter(|location| dots(location) == own_dots);
        // Two slashes begin a host, and no request may choose the host.
        let location = location.filter(|location| whole_host || !location.starts_with("//"));
        let location = location.and_then(|location| HeaderValue::try_from(location).ok());
        let Some(location) = location else {
            let reason =
                Reason("with the values of this request, the location would lead elsewhere");
            let rejection = Rejection::new(StatusCode::NOT_FOUND, reason);
            return rejection.response_for(&request).map(Body::new);
        };
        let mut response = Response::new(Body::default());
        *response.status_mut() = status;
        response.headers_mut().insert(LOCATION, location);
        response
    }))
}

/// Returns the scheme and the host of a URL that begins with them, or with its host.
fn host(location: &str) -> Option<&str> {
    let (scheme, rest) = location.split_once("//")?;
    let path = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let end = location.len() - rest.len() + path;
    (scheme.is_empty() || scheme.ends_with(':')).then(|| &location[..end])
}

/// Returns the number of segments that are only dots.
fn dots(location: &str) -> usize {
    let path = location.split(['?', '#']).next().unwrap_or_default();
    path.split('/')
        .filter(|part| [".", ".."].contains(part))
        .count()
}

fn responding(respond: impl Fn(Request<Body>) -> Response<Body> + Send + Sync + 'static) -> App {
    let respond = Arc::new(respond);
    App::new(tower::service_fn(move |request| {
        let response = respond(request);
        async { Ok::<_, Infallible>(response) }
    }))
}
