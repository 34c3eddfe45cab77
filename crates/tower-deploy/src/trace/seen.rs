//! How a request or a response looked at one point, and what has changed since another.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header, response,
    uri::PathAndQuery,
};
use tower_dispatch::UrlArgs;
use tower_environ::{Environ, ScriptName};
use tower_origin::Origin;

use crate::secret;

/// What a part saw of a request.
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) target: String,
    script_name: String,
    origin: Option<String>,
    route: Option<String>,
    environ: Vec<(String, String)>,
    headers: HeaderMap,
}

impl Seen {
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let extensions = request.extensions();
        let target = request.uri().path_and_query();
        let environ = extensions.get::<Environ>().into_iter();
        let environ = environ.flat_map(Environ::iter);
        Self {
            method: request.method().clone(),
            target: target.map_or("*".to_owned(), shown_target),
            script_name: ScriptName::of(request.uri(), extensions)
                .as_str()
                .to_owned(),
            origin: extensions.get().map(origin),
            route: extensions.get().map(route),
            environ: environ
                .map(|(name, value)| (name.to_owned(), format!("{value:?}")))
                .collect(),
            headers: request.headers().clone(),
        }
    }

    pub(super) fn changes_since(&self, outer: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        if self.method != outer.method {
            changes.push(format!(
                "method {} instead of {}",
                self.method, outer.method
            ));
        }
        if self.script_name != outer.script_name {
            changes.push(format!("mounted at {}", self.script_name));
        }
        if let Some(origin) = changed(&self.origin, &outer.origin) {
            changes.push(format!("origin {origin}"));
        }
        for entry @ (name, value) in &self.environ {
            if !outer.environ.contains(entry) {
                changes.push(format!("environ {name} = {value}"));
            }
        }
        if let Some(route) = changed(&self.route, &outer.route) {
            changes.push(route.clone());
        }
        changes.extend(header_changes(&self.headers, &outer.headers));
        changes
    }
}

/// Without the values of secrets in the query.
fn shown_target(target: &PathAndQuery) -> String {
    let Some(query) = target.query() else {
        return target.path().to_owned();
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) if secret::is_secret(key) => format!("{key}={}", secret::MASK),
        _ => pair.to_owned(),
    });
    format!("{}?{}", target.path(), pairs.collect::<Vec<_>>().join("&"))
}

fn changed<'a>(now: &'a Option<String>, before: &Option<String>) -> Option<&'a String> {
    now.as_ref().filter(|_| now != before)
}

fn origin(origin: &Origin) -> String {
    let host = origin.authority();
    let client = origin.client();
    format!(
        "{}://{}{} for {}",
        origin.scheme(),
        host.as_deref().unwrap_or("(unknown)"),
        origin.prefix(),
        client.map_or("somebody unknown".to_owned(), |client| client.to_string()),
    )
}

fn route(args: &UrlArgs) -> String {
    let mut route = format!("route {} matched", args.pattern());
    for (position, (name, value)) in args.iter().enumerate() {
        let position = position.to_string();
        let name = name.unwrap_or(&position);
        let value = value.map_or("nothing".to_owned(), |value| {
            match secret::is_secret(name) {
                true => secret::MASK.to_owned(),
                false => format!("{value:?}"),
            }
        });
        route += &format!(
            "{} {name} = {value}",
            if route.ends_with("matched") { ":" } else { "," }
        );
    }
    route
}

/// What a part answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: HeaderMap,
}

impl Answer {
    pub(super) fn of(response: &response::Parts) -> Self {
        Self {
            status: response.status,
            headers: response.headers.clone(),
        }
    }

    /// Compared with the answer of the part further in, if there is one.
    pub(super) fn changes_since(&self, inner: Option<&Self>) -> Vec<String> {
        let empty = HeaderMap::new();
        header_changes(&self.headers, inner.map_or(&empty, |inner| &inner.headers))
    }
}

fn header_changes(now: &HeaderMap, before: &HeaderMap) -> Vec<String> {
    let mut changes = Vec::new();
    for name in now.keys() {
        let values = |headers: &HeaderMap| -> Vec<_> {
            headers
                .get_all(name)
                .iter()
                .map(|value| shown(name, value))
                .collect()
        };
        if values(now) != values(before) {
            changes.push(format!("{name}: {}", values(now).join(", ")));
        }
    }
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    changes.extend(gone.map(|name| format!("without {name}")));
    changes
}

fn shown(name: &HeaderName, value: &HeaderValue) -> String {
    let is_secret = value.is_sensitive()
        || [header::COOKIE, header::SET_COOKIE].contains(name)
        || secret::is_secret(name.as_str());
    match is_secret {
        true => secret::MASK.to_owned(),
        false => secret::shown("", &String::from_utf8_lossy(value.as_bytes())),
    }
}
