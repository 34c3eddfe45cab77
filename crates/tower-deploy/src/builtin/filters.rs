//! The filters that are layers of this project.

use std::convert::Infallible;

use http::request::Parts as RequestParts;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use tower_body_rewrite::{PrefixLayer, Replace, RewriteLayer};
use tower_environ::{EnvironLayer, Key, MountLayer};
use tower_exception::{DebugPage, ExceptionLayer, install_panic_hook, to_tracing};
use tower_hooks::HooksLayer;
use tower_kit::secrets::is_secret;
use tower_layer::Layer;
use tower_lint::LintLayer;
use tower_origin::{OriginLayer, PeerAddr, XForwarded};
use tower_service::Service;

use crate::{
    App, Body, Error, ErrorKind, Filter, Parts, Settings, de::from_settings, ini::Read, kind::Role,
    named::Named,
};

/// Makes `egg:tower#environ`: every setting is a value by name, for all requests.
pub(super) fn environ(_: &Settings, local: &Settings, _: &Parts<'_>) -> Result<Filter, Error> {
    let mut layers = Vec::new();
    for (name, value) in local.iter() {
        // A secret is not shown in a trace or on a page.
        let key = match value.is_secret || is_secret(name) {
            true => Key::<String>::parse_secret(name),
            false => Key::parse(name),
        };
        let key = key.map_err(|error| {
            let error = Error::new(ErrorKind::Settings, error.to_string()).key(name);
            error.at(value.key_place.as_ref())
        })?;
        layers.push(EnvironLayer::new(key, unquoted(value.text())));
    }
    Ok(Filter::from_fn(move |app| {
        let around = |app, layer: EnvironLayer| App::new(layer.layer(app));
        Ok::<_, Infallible>(layers.into_iter().rev().fold(app, around))
    }))
}

/// Removes the quotes that keep spaces at the ends of a value. An INI file does not keep them.
fn unquoted(value: &str) -> String {
    let inner = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    inner.unwrap_or(value).to_owned()
}

#[derive(Deserialize, Serialize)]
pub(super) struct Mount {
    path: String,
}

/// Makes `egg:tower#mount`.
pub(super) fn mount(_: &Settings, settings: Mount) -> Result<Filter, Error> {
    let layer = MountLayer::new(&settings.path).map_err(|error| Error::setting("path", error))?;
    Ok(Filter::new(layer))
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Origin {
    trusted: Vec<String>,
    trusted_without_address: bool,
    x_forwarded: Vec<Forwarding>,
    only_forwarded: bool,
    only_x_forwarded: bool,
    hosts: Option<Vec<String>>,
    default_host: Option<String>,
    https: bool,
    prefix: Option<String>,
}

/// An X-Forwarded header that the proxies set besides -For and -Proto.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Forwarding {
    Host,
    Port,
    Prefix,
}

impl From<Forwarding> for XForwarded {
    fn from(header: Forwarding) -> Self {
        match header {
            Forwarding::Host => Self::Host,
            Forwarding::Port => Self::Port,
            Forwarding::Prefix => Self::Prefix,
        }
    }
}

/// Makes `egg:tower#origin`.
pub(super) fn origin(_: &Settings, settings: Origin) -> Result<Filter, Error> {
    if settings.only_forwarded {
        let unread = settings.x_forwarded.iter().find_map(|said| match said {
            Forwarding::Host => Some(("host", "X-Forwarded-Host")),
            Forwarding::Port => Some(("port", "X-Forwarded-Port")),
            // It has no counterpart in `Forwarded`.
            Forwarding::Prefix => None,
        });
        if let Some((word, header)) = unread {
            let message = format!("with `only_forwarded`, {header} is not read");
            let error = Error::setting("x_forwarded", message).word(word);
            return Err(error.help(format!("take out `{word}`, or `only_forwarded`")));
        }
    }
    let mut layer = OriginLayer::new()
        .trusted(settings.trusted)
        .map_err(|error| Error::setting("trusted", error))?
        .x_forwarded(settings.x_forwarded.into_iter().map(Into::into));
    if let Some(hosts) = settings.hosts {
        let hosts = layer.hosts(hosts);
        layer = hosts.map_err(|error| Error::setting("hosts", error))?;
    }
    if let Some(host) = &settings.default_host {
        let host = layer.default_host(host);
        layer = host.map_err(|error| Error::setting("default_host", error))?;
    }
    match (settings.only_forwarded, settings.only_x_forwarded) {
        (true, true) => {
            let message = "`only_forwarded` and `only_x_forwarded` exclude each other";
            let error = Error::setting("only_x_forwarded", message);
            return Err(error.help("take one of them out; without both, either header is read"));
        }
        (true, false) => layer = layer.only_forwarded(),
        (false, true) => layer = layer.only_x_forwarded(),
        (false, false) => {}
    }
    if settings.trusted_without_address {
        layer = layer.trusted_without_address();
    }
    if settings.https {
        layer = layer.https();
    }
    if let Some(prefix) = &settings.prefix {
        let prefix = layer.prefix(prefix);
        layer = prefix.map_err(|error| Error::setting("prefix", error))?;
    }
    Ok(Filter::new(layer))
}

#[derive(Deserialize, Serialize)]
pub(super) struct ScriptPrefix {
    prefix: String,
    scheme: Option<Scheme>,
    #[serde(default = "loopback")]
    trusted: Vec<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Scheme {
    Http,
    Https,
}

fn loopback() -> Vec<String> {
    ["127.0.0.0/8", "::1"].map(str::to_owned).into()
}

/// Makes `egg:PasteDeploy#prefix`: the prefix below which a proxy serves this app. If the proxy
/// leaves it on the path, it is stripped here.
// DIFFERENCE: PasteDeploy believes the X-Forwarded headers of every peer, and this only those of
// `trusted`.
pub(super) fn script_prefix(_: &Settings, settings: ScriptPrefix) -> Result<Filter, Error> {
    let mut layer = OriginLayer::new()
        .trusted(settings.trusted)
        .map_err(|error| Error::setting("trusted", error))?
        .x_forwarded([XForwarded::Host])
        .trusted_without_address();
    if let Some(Scheme::Https) = settings.scheme {
        layer = layer.https();
    }
    let prefix = settings.prefix.trim_end_matches('/').to_owned();
    if prefix.is_empty() {
        return Ok(Filter::new(layer));
    }
    let mount = MountLayer::new(&prefix).map_err(|error| Error::setting("prefix", error))?;
    let stripped = layer.clone().prefix(&prefix);
    let stripped = stripped.map_err(|error| Error::setting("prefix", error))?;
    Ok(Filter::from_fn(move |app: App| {
        let left = App::new(layer.layer(mount.layer(app.clone())));
        let stripped = App::new(stripped.layer(app));
        Ok::<_, Infallible>(App::new(tower::service_fn(
            move |request: http::Request<Body>| {
                let mut app = if is_below(request.uri().path(), &prefix) {
                    left.clone()
                } else {
                    stripped.clone()
                };
                app.call(request)
            },
        )))
    }))
}

/// Compares like a mount: segment by segment, each decoded.
fn is_below(path: &str, prefix: &str) -> bool {
    let decoded = |segment| {
        percent_decode_str(segment)
            .decode_utf8()
            .unwrap_or_default()
    };
    let mut path = path.split('/').map(decoded);
    prefix
        .split('/')
        .all(|segment| path.next().is_some_and(|own| own == segment))
}

#[derive(Deserialize, Serialize)]
pub(super) struct Prefix {
    prefix: String,
    #[serde(default = "plain")]
    types: Vec<String>,
    #[serde(default)]
    chunks: bool,
}

fn plain() -> Vec<String> {
    vec!["text/plain".to_owned()]
}

/// Makes `egg:tower#prefix`, which prepends a prefix to every line of a text.
pub(super) fn prefix(_: &Settings, settings: Prefix) -> Result<Filter, Error> {
    let prefix = unquoted(&settings.prefix);
    let mut layer = match settings.chunks {
        true => PrefixLayer::chunks(prefix),
        false => PrefixLayer::new(prefix),
    };
    if !settings.types.is_empty() {
        let typed = layer.types(settings.types.iter().map(String::as_str));
        layer = typed.map_err(|error| Error::setting("types", error))?;
    }
    Ok(Filter::new(layer))
}

#[derive(Deserialize, Serialize)]
pub(super) struct Replacement {
    replace: String,
    with: String,
    #[serde(default = "html")]
    types: Vec<String>,
    #[serde(default)]
    ignoring_case: bool,
    #[serde(default)]
    once: bool,
}

fn html() -> Vec<String> {
    vec!["text/html".to_owned()]
}

/// Makes `egg:tower#replace`, which replaces a string by another.
pub(super) fn replace(_: &Settings, settings: Replacement) -> Result<Filter, Error> {
    let pair = [(unquoted(&settings.replace), unquoted(&settings.with))];
    let replace = match settings.ignoring_case {
        true => Replace::ignoring_case(pair),
        false => Replace::new(pair),
    };
    let replace = replace.map_err(|error| Error::setting("replace", error))?;
    let replace = if settings.once {
        replace.once()
    } else {
        replace
    };
    let layer = RewriteLayer::new(move |_| Some(replace.clone()));
    let layer = layer.types(settings.types.iter().map(String::as_str));
    let layer = layer.map_err(|error| Error::setting("types", error))?;
    Ok(Filter::new(layer))
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Exception {
    debug: bool,
    headers: bool,
    append_traceback: bool,
}

/// Makes `egg:tower#exception`: a failure is one incident, which is reported to `tracing`.
pub(super) fn exception(_: &Settings, settings: Exception) -> Result<Filter, Error> {
    if settings.append_traceback && !settings.debug {
        let error = Error::setting("append_traceback", "it has an effect only with `debug`");
        return Err(error.help("take it out, or set `debug = yes`"));
    }
    install_panic_hook();
    let peer = |request: &RequestParts| {
        let peer = request.extensions.get::<PeerAddr>();
        peer.map(|PeerAddr(address)| address.ip())
    };
    let mut layer = match settings.debug {
        true => {
            let mut page = DebugPage::new(peer);
            if settings.append_traceback {
                page = page.append_traceback();
            }
            ExceptionLayer::debug(to_tracing, page)
        }
        false => ExceptionLayer::production(to_tracing),
    };
    if settings.headers {
        layer = layer.headers();
    }
    Ok(Filter::new(layer))
}

#[derive(Deserialize, Serialize)]
pub(super) struct Hooks {
    hooks: Vec<String>,
    #[serde(default)]
    skip_after_on_abort: bool,
}

/// Returns the names of the hooks, in order.
pub(super) fn hook_names(
    _: &Settings,
    local: &Settings,
    _: &Read<'_>,
) -> Result<Vec<Named>, Error> {
    let value = local.value("hooks").into_iter();
    let named = value.flat_map(|value| {
        let names = value.text().split_whitespace();
        names.map(move |name| Named::word(Role::Hook, "hooks", name, name, value))
    });
    Ok(named.collect())
}

/// Makes `egg:tower#hooks`.
pub(super) fn hooks(_: &Settings, local: &Settings, parts: &Parts<'_>) -> Result<Filter, Error> {
    let settings: Hooks = from_settings(local)?;
    if settings.hooks.is_empty() {
        let error = Error::new(ErrorKind::Settings, "it names no hook").key("hooks");
        let place = local.value("hooks").and_then(|value| value.place());
        return Err(error
            .at(place)
            .help("name hooks in their order, or take the filter out"));
    }
    let mut layer = HooksLayer::new();
    for hook in parts.hooks() {
        layer = layer.hook(hook?);
    }
    Ok(Filter::new(match settings.skip_after_on_abort {
        true => layer.skip_after_on_abort(),
        false => layer,
    }))
}

/// Makes `egg:tower#lint`, which reports violations of a contract to `tracing`, for development.
pub(super) fn lint(_: &Settings, (): ()) -> Result<Filter, Infallible> {
    let layer = LintLayer::new().report(|violation| tracing::error!("{violation}"));
    Ok(Filter::new(layer))
}
