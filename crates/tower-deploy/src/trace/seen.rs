//! A request or a response at one point, and its changes since another point.

use http::{HeaderMap, Method, Request, StatusCode, Uri, response, uri::PathAndQuery};
use tower_dispatch::UrlArgs;
use tower_environ::{Environ, ScriptName};
use tower_kit::{
    Rejection,
    secrets::{self, REDACTED},
};
use tower_origin::Origin;

/// A request as a part saw it.
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) target: String,
    script_name: String,
    origin: Option<String>,
    route: Option<String>,
    environ: Vec<(String, String)>,
    /// The headers, with secrets masked.
    headers: HeaderMap,
}

impl Seen {
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let extensions = request.extensions();
        let environ = extensions.get::<Environ>().into_iter();
        let environ = environ.flat_map(Environ::iter);
        Self {
            method: request.method().clone(),
            target: target(request.uri()),
            script_name: ScriptName::of(request.uri(), extensions)
                .as_str()
                .to_owned(),
            origin: extensions.get().map(origin),
            route: extensions.get().map(route),
            environ: environ
                .map(|(name, value)| (name.to_owned(), shown(name, format!("{value:?}"))))
                .collect(),
            headers: secrets::headers(request.headers()),
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

/// Returns the path and the query without the values of secrets.
fn target(uri: &Uri) -> String {
    let uri = secrets::uri(uri);
    let target = uri.path_and_query().map_or("*", PathAndQuery::as_str);
    target.to_owned()
}

/// Returns a value that is printed under a name.
fn shown(name: &str, value: String) -> String {
    match secrets::is_secret(name) {
        true => REDACTED.to_owned(),
        false => secrets::fields(&value).into_owned(),
    }
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
        client.map_or("an unknown client".to_owned(), |client| client.to_string()),
    )
}

fn route(args: &UrlArgs) -> String {
    let mut route = format!("route {} matched", args.pattern());
    for (position, (name, value)) in args.iter().enumerate() {
        let position = position.to_string();
        let name = name.unwrap_or(&position);
        let value = value.map(|value| shown(name, format!("{value:?}")));
        let value = value.unwrap_or_else(|| "nothing".to_owned());
        route += &format!(
            "{} {name} = {value}",
            if route.ends_with("matched") { ":" } else { "," }
        );
    }
    route
}

/// A response as a part gave it.
pub(super) struct SeenResponse {
    pub(super) status: StatusCode,
    /// The headers, with secrets masked.
    headers: HeaderMap,
}

impl SeenResponse {
    pub(super) fn of(response: &response::Parts) -> Self {
        let rejection = Rejection::of_head(response);
        Self {
            status: rejection.map_or(response.status, Rejection::status),
            headers: secrets::headers(&response.headers),
        }
    }

    /// Returns the changes since the response of the inner part, if there is one.
    pub(super) fn changes_since(&self, inner: Option<&Self>) -> Vec<String> {
        let empty = HeaderMap::new();
        header_changes(&self.headers, inner.map_or(&empty, |inner| &inner.headers))
    }
}

fn header_changes(now: &HeaderMap, before: &HeaderMap) -> Vec<String> {
    let mut changes = Vec::new();
    for name in now.keys() {
        let values = |headers: &HeaderMap| -> Vec<_> {
            let values = headers.get_all(name).iter();
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            values.collect()
        };
        if values(now) != values(before) {
            changes.push(format!("{name}: {}", values(now).join(", ")));
        }
    }
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    changes.extend(gone.map(|name| format!("without {name}")));
    changes
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Response};

    use super::*;

    #[test]
    fn deploy_15_a_value_that_is_marked_as_sensitive_is_not_shown() {
        let mut response = Response::new(());
        let mut marked = HeaderValue::from_static("hunter2");
        marked.set_sensitive(true);
        response.headers_mut().insert("x-plain", marked);
        let (head, ()) = response.into_parts();
        let changes = SeenResponse::of(&head).changes_since(None);
        assert_eq!(changes, ["x-plain: [redacted]"]);
    }

    #[test]
    fn deploy_15_names_in_a_target_are_decoded() {
        for (uri, expected) in [
            ("/a?b=c", "/a?b=c"),
            ("http://me:x@h/a", "/a"),
            ("/a?to%6Ben=x&b", "/a?to%6Ben=redacted&b"),
            ("/a?session=x&sig=y", "/a?session=redacted&sig=redacted"),
            ("*", "*"),
            ("h:80", "*"),
        ] {
            assert_eq!(target(&uri.parse().unwrap()), expected);
        }
    }
}
