//! Paste's URLMap: through tower-deploy's `urlmap`, from a file, and one mount at a path through
//! `MountLayer`, too.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tower_deploy::{App, Body, Error, Loader, Registry, Settings};
use tower_environ::{CgiView, MountLayer};
use tower_origin::OriginLayer;

use crate::{Verdict, bytes, sockets};

pub(crate) fn run(vector: &Value) -> Verdict {
    match vector["op"].as_str() {
        Some("route") => match route(vector) {
            Verdict::Passed => single(vector),
            verdict => verdict,
        },
        Some("factory") => factory(vector),
        _ => parse(vector),
    }
}

/// The form of a URL of Paste's URLMap in an INI file.
fn key(url: &str) -> Result<String, Verdict> {
    let Some(rest) = url.strip_prefix("http://") else {
        return match url {
            "" => Ok("/".to_owned()),
            url if url != url.trim() => Err(Verdict::Skipped("a key with spaces around it")),
            url if url.contains(':') => Err(Verdict::Skipped("a key with a colon")),
            url => Ok(url.to_owned()),
        };
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    Ok(match host.split_once(':') {
        Some((domain, port)) => format!("domain {domain} port {port} /{path}"),
        None => format!("domain {host} /{path}"),
    })
}

/// A site whose sections are apps that respond with their name and their path.
struct Site {
    app: Result<App, Error>,
    /// The apps in the order in which they were made.
    made: Vec<String>,
}

impl Site {
    /// `settings` are those of a urlmap. The apps that they name exist, except `nope`.
    fn new(settings: &[(String, String)], globals: &[(String, String)]) -> Self {
        let line = |(key, value): &(String, String)| format!("{key} = {value}\n");
        let mut file = "[composite:main]\nuse = egg:tower#urlmap\n".to_owned();
        file.extend(settings.iter().map(line));
        file.push_str("[DEFAULT]\n");
        file.extend(globals.iter().map(line));
        let mut names: Vec<&str> = settings.iter().map(|(_, name)| name.as_str()).collect();
        names.extend(globals.iter().map(|(_, name)| name.as_str()));
        names.sort_unstable();
        names.dedup();
        for name in names.into_iter().filter(|name| *name != "nope") {
            file += &format!("[app:{name}]\nuse = egg:it\nname = {name}\n");
        }
        let made = Arc::new(Mutex::new(Vec::new()));
        let log = made.clone();
        let registry = Registry::standard().app("it", move |_, local: Settings| {
            let name = local.get("name").unwrap_or_default().to_owned();
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push(name.clone());
            Ok::<_, Infallible>(tells(name))
        });
        let loader = Loader::new(registry).files(move |_| Ok(file.clone().into_bytes()));
        let app = loader.load_app("config:/site/main.ini");
        let made = made.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self { app, made }
    }

    /// The name, SCRIPT_NAME and PATH_INFO of the app that responds, if one does.
    fn ask(app: App, request: Request<Body>) -> Option<Vec<u8>> {
        let response = app.oneshot(request).now_or_never();
        let Ok(response) = response.expect("nothing here waits");
        let (parts, body) = response.into_parts();
        let body = body.collect().now_or_never();
        let body = body.map(|body| body.map(|body| body.to_bytes()));
        match (parts.status, body) {
            (StatusCode::OK, Some(Ok(body))) => Some(body.to_vec()),
            _ => None,
        }
    }
}

fn tells(name: String) -> App {
    App::new(service_fn(move |request: Request<Body>| {
        let view = CgiView::from(&request);
        let of = |name| view.get(name).unwrap_or_default().into_owned();
        let body = [
            name.clone().into_bytes(),
            of("SCRIPT_NAME"),
            of("PATH_INFO"),
        ]
        .join(&0);
        let response = Response::new(Full::<Bytes>::from(body));
        async { Ok::<_, Infallible>(response) }
    }))
}

fn pairs(value: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pairs = value.as_array().into_iter().flatten();
    pairs.map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

fn route(vector: &Value) -> Verdict {
    let (asked, paste) = (&vector["request"], &vector["expect"]["paste"]);
    let mut settings = Vec::new();
    for (url, app) in pairs(&vector["mounts"]) {
        // Python writes a path's bytes as letters (PEP 3333).
        let Ok(url) = String::from_utf8(bytes(&url.into())) else {
            return Verdict::Skipped("a key that is not UTF-8, as an INI file is");
        };
        match key(&url) {
            Ok(key) => settings.push((key, app)),
            Err(verdict) => return verdict,
        }
    }
    let mut settings_by_key = settings.clone();
    settings_by_key.sort();
    settings_by_key.dedup_by(|one, other| one.0 == other.0);
    if settings_by_key.len() < settings.len() {
        return Verdict::Skipped("the same key twice, which no INI file can have");
    }
    let site = Site::new(&settings, &[]);
    let has_double = |url: &str| url.strip_prefix("http://").unwrap_or(url).contains("//");
    let any_double = pairs(&vector["mounts"])
        .iter()
        .any(|(url, _)| has_double(url));
    let app = match (site.app, paste["mount_error"].is_null()) {
        (Ok(app), true) => app,
        (Err(_), true) if any_double => return Verdict::Difference("`//` is not collapsed"),
        (Err(_), false) => return Verdict::Passed,
        (Err(_), true) if settings.iter().any(|(key, _)| key.contains('%')) => {
            return Verdict::Difference("a mount compares decoded segments");
        }
        (app, _) => {
            return Verdict::Failed(paste["mount_error"].to_string(), format!("{app:?}"));
        }
    };
    let text = |name: &str| asked[name].as_str().unwrap_or_default();
    if !text("raw_path").is_empty() && !text("raw_path").starts_with('/') {
        return Verdict::Skipped("a path that no URI has");
    }
    let outer = text("script_name").trim_end_matches('/');
    let raw = format!("{outer}{}", text("raw_path"));
    let request = Request::get(if raw.is_empty() { "/" } else { &raw });
    // The server's name is what it is called by.
    let host = asked["host"].as_str().unwrap_or(text("server_name"));
    let request = match host {
        "" => request,
        host => request.header("host", host),
    };
    let Ok(request) = request.body(Body::default()) else {
        return Verdict::Skipped("a path that no URI has");
    };
    let app = match outer {
        "" => app,
        outer => match MountLayer::new(outer) {
            Ok(mount) => App::new(mount.layer(app)),
            Err(error) => return Verdict::Failed("a mount".into(), error.to_string()),
        },
    };
    let app = match text("scheme") {
        "https" => App::new(OriginLayer::new().https().layer(app)),
        _ => app,
    };
    let seen = Site::ask(app.clone(), request);
    // The same through a socket.
    let target = if raw.is_empty() { "/" } else { &raw };
    let through = match sockets::ask(app, target, host, "GET", b"") {
        Ok(got) => (got.status == 200).then_some(got.body),
        Err(error) => return Verdict::Failed("an answer".into(), error.to_string()),
    };
    if seen != through {
        return Verdict::Failed(format!("{seen:?} through a socket"), format!("{through:?}"));
    }
    let name = paste["app"].as_str().map(|name| name.as_bytes().to_vec());
    let expected = name.map(|name| {
        [
            name,
            bytes(&paste["script_name"]),
            bytes(&paste["path_info"]),
        ]
        .join(&0)
    });
    match Verdict::equal(expected, seen) {
        Verdict::Failed(..) if text("raw_path").is_empty() => {
            Verdict::Skipped("a request without a path")
        }
        Verdict::Failed(..) if has_double(&raw) || any_double => {
            Verdict::Difference("`//` is not collapsed")
        }
        Verdict::Failed(..) if raw.to_ascii_lowercase().contains("%2f") => {
            Verdict::Difference("an encoded slash stays inside its segment")
        }
        Verdict::Failed(..) if text("script_name").ends_with('/') => {
            Verdict::Difference("SCRIPT_NAME and PATH_INFO are slices of the raw path")
        }
        Verdict::Failed(..) if settings.iter().any(|(key, _)| has_upper_domain(key)) => {
            Verdict::Difference("host keys compare without regard to case")
        }
        Verdict::Failed(..) if has_with_port(&settings, host) => {
            Verdict::Difference("the most specific host:port wins")
        }
        verdict => verdict,
    }
}

fn has_upper_domain(key: &str) -> bool {
    let domain = key.split(' ').nth(1).filter(|_| key.starts_with("domain "));
    domain.is_some_and(|domain| domain != domain.to_lowercase())
}

/// Returns whether a host is mapped both with the requested port and without a port.
fn has_with_port(settings: &[(String, String)], host: &str) -> bool {
    let Some((name, port)) = host.split_once(':') else {
        return false;
    };
    let with_port = format!("domain {name} port {port} ");
    let has = |begin: &str| settings.iter().any(|(key, _)| key.starts_with(begin));
    has(&with_port) && has(&format!("domain {name} /"))
}

fn factory(vector: &Value) -> Verdict {
    let paste = &vector["expect"]["paste"];
    let globals = vector["global_conf"].as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let globals: Vec<_> = globals
        .map(|(key, value)| (key.clone(), text(value)))
        .collect();
    let site = Site::new(&pairs(&vector["settings"]), &globals);
    let app = match (site.app, paste["error"].is_null()) {
        (Ok(app), true) => app,
        (Err(_), false) => return Verdict::Passed,
        (app, _) => return Verdict::Failed(paste.to_string(), format!("{app:?}")),
    };
    let asked: Vec<String> = paste["asked"]
        .as_array()
        .into_iter()
        .flatten()
        .map(text)
        .collect();
    if asked != site.made {
        return Verdict::equal(asked, site.made);
    }
    // Each mount is where Paste has it, and all other paths belong to the app for missing paths.
    let request = |host: &str, path: String| {
        let host = if host.is_empty() { "localhost" } else { host };
        let request = Request::get(path).header("host", host);
        request.body(Body::default()).unwrap_or_default()
    };
    for mount in paste["mounts"].as_array().into_iter().flatten() {
        let (path, name) = (text(&mount[1]), text(&mount[2]));
        let request = request(&text(&mount[0]), format!("{path}/x"));
        let expected = [name.into_bytes(), path.into_bytes(), b"/x".to_vec()].join(&0);
        match Verdict::equal(Some(expected), Site::ask(app.clone(), request)) {
            Verdict::Passed => {}
            verdict => return verdict,
        }
    }
    Verdict::Passed
}

fn parse(vector: &Value) -> Verdict {
    let paste = &vector["expect"]["paste"];
    let key = vector["input"].as_str().unwrap_or_default().to_owned();
    let site = Site::new(&[(key, "it".to_owned())], &[]);
    let value = paste["value"].as_str();
    // Paste rejects a key that is neither a path nor a host one step later.
    let value = value.filter(|value| value.starts_with('/') || value.starts_with("http://"));
    let (app, value) = match (site.app, value) {
        (Ok(app), Some(value)) => (app, value),
        (Err(_), None) => return Verdict::Passed,
        (app, value) => return Verdict::Failed(format!("{value:?}"), format!("{app:?}")),
    };
    let (host, path) = match value.strip_prefix("http://") {
        Some(rest) => rest.split_once('/').unwrap_or((rest, "")),
        None => ("localhost", value),
    };
    let path = path.trim_end_matches('/').replace("//", "/");
    let request = Request::get(format!("{path}/x")).header("host", host);
    let seen = request
        .body(Body::default())
        .map(|request| Site::ask(app, request));
    let expected = [b"it".to_vec(), path.into_bytes(), b"/x".to_vec()].join(&0);
    Verdict::equal(Some(expected), seen.ok().flatten())
}

/// One mount, through `MountLayer`.
fn single(vector: &Value) -> Verdict {
    let mounts = vector["mounts"].as_array().map_or(&[][..], Vec::as_slice);
    let [mount] = mounts else {
        return Verdict::Passed;
    };
    let prefix = mount[0].as_str().unwrap_or_default();
    let outer = vector["request"]["script_name"].as_str();
    if outer != Some("") || prefix.is_empty() || prefix.starts_with("http://") {
        return Verdict::Passed;
    }
    let paste = &vector["expect"]["paste"];
    let refused = !paste["mount_error"].is_null();
    let mount = match MountLayer::new(prefix) {
        Ok(mount) if !refused => mount,
        Err(_) if !refused && prefix.contains("//") => {
            return Verdict::Difference("`//` is not collapsed");
        }
        mount => return Verdict::equal(refused, mount.is_err()),
    };
    let raw = vector["request"]["raw_path"].as_str().unwrap_or_default();
    if raw.is_empty() {
        return Verdict::Skipped("a request without a path");
    }
    let Ok(request) = Request::get(raw).body(Body::default()) else {
        return Verdict::Skipped("a path that no URI has");
    };
    let seen = Site::ask(App::new(mount.layer(tells(String::new()))), request);
    let names = || {
        [
            Vec::new(),
            bytes(&paste["script_name"]),
            bytes(&paste["path_info"]),
        ]
        .join(&0)
    };
    let expected = paste["app"].is_string().then(names);
    match Verdict::equal(expected, seen) {
        Verdict::Failed(..) if raw.contains("//") => Verdict::Difference("`//` is not collapsed"),
        Verdict::Failed(..) if raw.to_ascii_lowercase().contains("%2f") => {
            Verdict::Difference("an encoded slash stays inside its segment")
        }
        verdict => verdict,
    }
}
