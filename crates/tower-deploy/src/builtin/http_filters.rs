//! The filters that are layers of tower-http.

use std::{convert::Infallible, time::Duration};

use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use tower::ServiceBuilder;
use tower_http::{
    cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer},
    limit::RequestBodyLimitLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    set_header::SetResponseHeaderLayer,
    timeout::TimeoutLayer,
};
use tower_kit::secrets;
use tower_layer::Layer;

use super::origins;
use crate::{App, Error, ErrorKind, Filter, Parts, Settings, Size, de::some_time};

#[derive(Deserialize, Serialize)]
pub(super) struct Timeout {
    #[serde(deserialize_with = "some_time")]
    timeout: Duration,
    #[serde(default = "unavailable")]
    status: u16,
}

/// Returns 503. A 408 means that the client was slow, and lets browsers send the request again.
fn unavailable() -> u16 {
    503
}

/// Makes `egg:tower#timeout`, which limits the time until the head of a response.
pub(super) fn timeout(_: &Settings, settings: Timeout) -> Result<Filter, Error> {
    let status = StatusCode::from_u16(settings.status).ok();
    let status = status.filter(|status| status.is_client_error() || status.is_server_error());
    let status = status.ok_or_else(|| {
        let message = format!("{} is not that of an error", settings.status);
        Error::setting("status", message).help("write one from 400 to 599")
    })?;
    Ok(Filter::new(TimeoutLayer::with_status_code(
        status,
        settings.timeout,
    )))
}

#[derive(Deserialize, Serialize)]
pub(super) struct BodyLimit {
    limit: Size,
}

/// Makes `egg:tower#body-limit`, which limits the size of a request's body.
pub(super) fn body_limit(_: &Settings, settings: BodyLimit) -> Result<Filter, Error> {
    let limit =
        usize::try_from(settings.limit.bytes()).map_err(|error| Error::setting("limit", error))?;
    Ok(Filter::new(RequestBodyLimitLayer::new(limit)))
}

#[derive(Deserialize, Serialize)]
#[serde(default)]
pub(super) struct RequestId {
    header: String,
}

impl Default for RequestId {
    fn default() -> Self {
        Self {
            header: "x-request-id".to_owned(),
        }
    }
}

/// Makes `egg:tower#request-id`: the request's own id, or a new one, for the app and in the
/// response.
pub(super) fn request_id(_: &Settings, settings: RequestId) -> Result<Filter, Error> {
    let header = HeaderName::try_from(&settings.header).map_err(|_| {
        let message = format!("`{}` is not a header's name", settings.header);
        Error::setting("header", message).help("write a name, such as x-request-id")
    })?;
    let layers = ServiceBuilder::new()
        .layer(SetRequestIdLayer::new(header.clone(), MakeRequestUuid))
        .layer(PropagateRequestIdLayer::new(header));
    Ok(Filter::new(layers.into_inner()))
}

#[derive(Deserialize, Serialize)]
pub(super) struct Cors {
    /// The origins; `*` is every origin.
    origins: Vec<String>,
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default)]
    expose: Vec<String>,
    #[serde(default)]
    credentials: bool,
    max_age: Option<Duration>,
}

/// Makes `egg:tower#cors`.
pub(super) fn cors(_: &Settings, settings: Cors) -> Result<Filter, Error> {
    let is_any = |words: &[String]| words.iter().any(|word| word == "*");
    if settings.credentials
        && [
            &settings.origins,
            &settings.methods,
            &settings.headers,
            &settings.expose,
        ]
        .into_iter()
        .any(|words| is_any(words))
    {
        let message = "with credentials nothing can be `*` (Fetch, section 3.3.5)";
        let error = Error::setting("credentials", message);
        return Err(error.help("name the values"));
    }
    let origins = match is_any(&settings.origins) {
        true => AllowOrigin::any(),
        false => AllowOrigin::list(
            settings
                .origins
                .iter()
                .map(origin)
                .collect::<Result<Vec<_>, _>>()?,
        ),
    };
    let methods = match is_any(&settings.methods) {
        true => AllowMethods::any(),
        false => AllowMethods::list(
            settings
                .methods
                .iter()
                .map(method)
                .collect::<Result<Vec<_>, _>>()?,
        ),
    };
    let headers = match is_any(&settings.headers) {
        true => AllowHeaders::any(),
        false => AllowHeaders::list(header_names(&settings.headers, "headers")?),
    };
    let mut layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods(methods)
        .allow_headers(headers)
        .allow_credentials(settings.credentials)
        .expose_headers(header_names(&settings.expose, "expose")?);
    if let Some(max_age) = settings.max_age {
        layer = layer.max_age(max_age);
    }
    Ok(Filter::new(layer))
}

fn origin(text: &String) -> Result<HeaderValue, Error> {
    let wrong = |help: String| {
        // It may have a password in it.
        let message = format!("`{}` is not an origin", secrets::urls(text));
        Error::setting("origins", message).word(text).help(help)
    };
    match origins::correction(text) {
        Some(help) => Err(wrong(help)),
        None => HeaderValue::try_from(text).map_err(|error| wrong(error.to_string())),
    }
}

fn method(text: &String) -> Result<Method, Error> {
    let is_shouted = !text.contains(|c: char| c.is_lowercase());
    let method = text.parse().ok().filter(|_| is_shouted);
    method.ok_or_else(|| {
        let message = format!("`{text}` is not a method, such as GET");
        Error::setting("methods", message).word(text)
    })
}

fn header_names(words: &[String], key: &str) -> Result<Vec<HeaderName>, Error> {
    let read = |word: &String| {
        let message = || format!("`{word}` is not a header's name");
        HeaderName::try_from(word).map_err(|_| Error::setting(key, message()).word(word))
    };
    words.iter().map(read).collect()
}

/// The headers that frame a message. With a wrong one the message is broken.
const FRAMING: [&str; 7] = [
    "connection",
    "content-length",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Makes `egg:tower#set-header`: every setting is a header of the response.
pub(super) fn set_header(_: &Settings, local: &Settings, _: &Parts<'_>) -> Result<Filter, Error> {
    let mut layers = Vec::new();
    let mut keeps = false;
    for (key, value) in local.iter() {
        let wrong = |message: &str, help: &str| {
            let error = Error::new(ErrorKind::Settings, message).key(key);
            error.at(value.key_place.as_ref()).help(help)
        };
        if key == "mode" {
            keeps = match value.text() {
                "override" => false,
                "keep" => true,
                _ => return Err(wrong("the mode is not known", "it is override or keep")),
            };
            continue;
        }
        let name = HeaderName::try_from(key);
        let name =
            name.map_err(|_| wrong("it is not a header's name", "write Header-Name = value"))?;
        if FRAMING.contains(&name.as_str()) {
            return Err(wrong(
                "it frames the message, and the server sets it",
                "take it out",
            ));
        }
        let text = HeaderValue::try_from(value.text());
        let text =
            text.map_err(|_| wrong("no header can have this value", "write it in one line"))?;
        layers.push((name, text));
    }
    Ok(Filter::from_fn(move |app| {
        let around = |app, (name, value)| {
            let layer = match keeps {
                true => SetResponseHeaderLayer::if_not_present(name, value),
                false => SetResponseHeaderLayer::overriding(name, value),
            };
            App::new(layer.layer(app))
        };
        Ok::<_, Infallible>(layers.into_iter().rev().fold(app, around))
    }))
}
