//! `egg:tower#urlmap`: apps by host and the start of the path. The most specific host counts, and
//! of its paths the longest.

use std::{cmp::Reverse, collections::HashMap, convert::Infallible, sync::Arc};

use http::{
    Request, StatusCode,
    header::HOST,
    uri::{Authority, Scheme},
};
use indexmap::IndexMap;
use tower_dispatch::{Dispatch, DispatchLayer};
use tower_environ::MountLayer;
use tower_kit::{Rejection, entity_tag::only};
use tower_layer::Layer;
use tower_origin::Origin;
use tower_service::Service;

use crate::{
    App, Body, Error, ErrorKind, Parts, Settings, Value, ini::Read, kind::Role, named::Named,
    reason::Reason, suggest::misspelt_in_any,
};

const NOT_FOUND: &str = "not_found_app";

/// Returns the names of the apps: every setting names one. `not_found_app` may also be a global
/// value, and is made first.
pub(super) fn names(
    global: &Settings,
    local: &Settings,
    _: &Read<'_>,
) -> Result<Vec<Named>, Error> {
    let not_found = local.value(NOT_FOUND).or(global.value(NOT_FOUND));
    let not_found = not_found.filter(|value| !value.text().is_empty());
    let not_found = not_found.map(|value| Named::whole(Role::App, NOT_FOUND, value));
    let others = local.iter().filter(|(key, _)| *key != NOT_FOUND);
    let others = others.map(|(key, value)| match misspelt_in_any(key) {
        Some(help) => {
            let error = Error::new(ErrorKind::Settings, "the key is not known").key(key);
            Err(error.at(value.key_place.as_ref()).help(help))
        }
        None => Ok(Named::whole(Role::App, key, value)),
    });
    not_found.map(Ok).into_iter().chain(others).collect()
}

/// The host and the path of a key, such as `domain example.org port 8080 /path`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct At {
    /// The name in lower case; empty for all hosts.
    name: String,
    /// The name with its port, if the key has one.
    host: String,
    /// The path without a slash at its end.
    path: String,
}

impl At {
    fn parse(key: &str) -> Result<Self, String> {
        let (mut domain, mut port, mut path) = (None, None, None);
        let mut words = key.split_whitespace();
        while let Some(word) = words.next() {
            let (place, value) = match word {
                "domain" => (
                    &mut domain,
                    words.next().ok_or("`domain` is followed by no name")?,
                ),
                "port" => (
                    &mut port,
                    words.next().ok_or("`port` is followed by no number")?,
                ),
                path_word => (&mut path, path_word),
            };
            if place.replace(value).is_some() {
                return Err(match word {
                    "domain" | "port" => format!("`{word}` is set twice"),
                    _ => format!("`{value}` is a second path"),
                });
            }
        }
        let name = domain.unwrap_or_default().to_lowercase();
        let is_port = |port: &&str| port.parse::<u16>().is_ok_and(|port| port > 0);
        if let Some(port) = port.filter(|port| !is_port(port)) {
            return Err(format!("`{port}` is not a port from 1 to 65535"));
        }
        let port = port.map(|port| port.trim_start_matches(['+', '0']));
        let host = match port {
            Some(_) if name.is_empty() => return Err("a port needs a domain".to_owned()),
            Some(port) => format!("{name}:{port}"),
            None => name.clone(),
        };
        let path = path.unwrap_or_default();
        let is_whole_host = path.is_empty() && !host.is_empty();
        if !is_whole_host && !path.starts_with('/') {
            return Err(format!("`{path}` does not begin with a slash"));
        }
        let path = path.trim_end_matches('/').to_owned();
        Ok(Self { name, host, path })
    }
}

pub(super) fn composite(_: &Settings, local: &Settings, parts: &Parts<'_>) -> Result<App, Error> {
    let wrong = |key: &str, message: String| {
        let place = local
            .value(key)
            .and_then(|value: &Value| value.key_place.as_ref());
        let error = Error::new(ErrorKind::Settings, message).key(key).at(place);
        error.help("write /path, or domain example.org port 8080 /path, without the domain or the port if these do not matter")
    };
    let mut not_found = None;
    // The last of several keys for one host and path counts, as in a dictionary.
    let mut mounts: IndexMap<At, App> = IndexMap::new();
    for (key, app) in parts.keys().zip(parts.apps()) {
        if key == NOT_FOUND {
            not_found = Some(app?);
            continue;
        }
        let at = At::parse(key).map_err(|message| wrong(key, message))?;
        if !at.path.is_empty() {
            MountLayer::new(&at.path).map_err(|error| wrong(key, error.to_string()))?;
        }
        mounts.insert(at, app?);
    }
    let not_found = not_found.unwrap_or_else(nothing);
    let mut by_host: IndexMap<&str, Vec<(&At, &App)>> = IndexMap::new();
    for (at, app) in &mounts {
        by_host.entry(&at.host).or_default().push((at, app));
    }
    let own = by_host.swap_remove("").unwrap_or_default();
    let any = mounted(own, not_found)?;
    // Names without a port come first, because names with a port fall through to them.
    let mut named: Vec<_> = by_host.into_values().collect();
    named.sort_by_key(|own| own[0].0.host.len() - own[0].0.name.len());
    let mut hosts = HashMap::new();
    for own in named {
        let At { host, name, .. } = own[0].0;
        let next = hosts.get(name).filter(|_| name != host);
        let app = mounted(own, next.unwrap_or(&any).clone())?;
        hosts.insert(host.clone(), app);
    }
    let map = Arc::new(UrlMap { hosts, any });
    Ok(App::new(tower::service_fn(
        move |request: Request<Body>| map.app(&request).call(request),
    )))
}

/// Returns the apps of one host, the longest path first. They fall through to `next`.
fn mounted(mut own: Vec<(&At, &App)>, next: App) -> Result<App, Error> {
    own.sort_by_key(|(at, _)| Reverse(at.path.len()));
    let builder = own
        .into_iter()
        .fold(Dispatch::builder(), |builder, (at, app)| {
            let path = if at.path.is_empty() { "/" } else { &at.path };
            builder.mount(path, app.clone())
        });
    let dispatch = builder.build().map_err(|error| {
        Error::new(ErrorKind::Settings, "the paths cannot be compiled").caused_by(error.into())
    })?;
    Ok(App::new(DispatchLayer::new(dispatch).layer(next)))
}

fn nothing() -> App {
    App::new(tower::service_fn(async |request: Request<Body>| {
        let reason = Reason("no app is mapped to this host and path");
        let rejection = Rejection::new(StatusCode::NOT_FOUND, reason);
        Ok::<_, Infallible>(rejection.response_for(&request))
    }))
}

struct UrlMap {
    /// The apps by `name` and by `name:port`.
    hosts: HashMap<String, App>,
    any: App,
}

impl UrlMap {
    fn app(&self, request: &Request<Body>) -> App {
        let app = || {
            if self.hosts.is_empty() {
                return None;
            }
            let (name, port) = host(request)?;
            let with_port = self.hosts.get(&format!("{name}:{port}"));
            with_port.or_else(|| self.hosts.get(&name))
        };
        app().unwrap_or(&self.any).clone()
    }
}

/// Returns the host of a request in lower case, and its port. They are those of an `Origin` that an
/// outer layer has found, and otherwise the request's own.
fn host(request: &Request<Body>) -> Option<(String, u16)> {
    let origin = request.extensions().get::<Origin>();
    if let Some((origin, host)) = origin.and_then(|origin| Some((origin, origin.host()?))) {
        return Some((host.to_lowercase(), origin.port()));
    }
    let header = || {
        let host = only(request.headers(), &HOST)?.to_str().ok()?;
        host.parse::<Authority>().ok()
    };
    let uri = request.uri();
    let authority = uri.authority().cloned().or_else(header)?;
    let is_https = uri.scheme() == Some(&Scheme::HTTPS);
    let default = if is_https { 443 } else { 80 };
    let port = authority.port_u16().unwrap_or(default);
    Some((authority.host().to_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::At;

    #[test]
    fn deploy_27_a_key_is_a_path_with_or_without_a_host() {
        let at = |key: &str| At::parse(key).map(|at| (at.host, at.path));
        let ok = |host: &str, path: &str| Ok((host.to_owned(), path.to_owned()));
        assert_eq!(at("/"), ok("", ""));
        assert_eq!(at("/foo/"), ok("", "/foo"));
        assert_eq!(at("domain Foo.com /bar"), ok("foo.com", "/bar"));
        assert_eq!(at("/bar domain foo.com port 80"), ok("foo.com:80", "/bar"));
        assert_eq!(at("domain foo.com port 080"), ok("foo.com:80", ""));
        assert_eq!(at("domain foo.com"), ok("foo.com", ""));
    }

    #[test]
    fn deploy_27_an_error_in_a_key_names_its_fault() {
        let wrong = |key: &str| At::parse(key).unwrap_err();
        assert_eq!(wrong("domain"), "`domain` is followed by no name");
        assert_eq!(wrong("domain a port"), "`port` is followed by no number");
        assert_eq!(wrong("domain a domain b"), "`domain` is set twice");
        assert_eq!(wrong("domain a port 1 port 2"), "`port` is set twice");
        for port in ["x", "0", "99999", "-1"] {
            assert_eq!(
                wrong(&format!("domain a port {port}")),
                format!("`{port}` is not a port from 1 to 65535")
            );
        }
        assert_eq!(wrong("/a /b"), "`/b` is a second path");
        assert_eq!(wrong("port 80 /"), "a port needs a domain");
        assert_eq!(wrong("foo"), "`foo` does not begin with a slash");
        assert_eq!(wrong(""), "`` does not begin with a slash");
    }
}
