//! `egg:tower#static`: a folder's files.

use std::{
    convert::Infallible,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use http::{
    HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{ALLOW, CACHE_CONTROL, LOCATION},
};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use tower::ServiceExt;
use tower_environ::ScriptName;
use tower_http::services::ServeDir;

use crate::{App, Body, Error, ErrorKind, Parts, Settings, de::from_settings};

#[derive(Deserialize)]
struct Static {
    document_root: PathBuf,
    /// In seconds.
    cache_max_age: Option<u64>,
    #[serde(default)]
    dotfiles: bool,
    /// Whether a folder is its `index.html`.
    #[serde(default = "yes")]
    index: bool,
}

fn yes() -> bool {
    true
}

struct Folder {
    files: ServeDir,
    root: PathBuf,
    dotfiles: bool,
    /// What says how the site is built: it may hold passwords.
    hidden: Vec<PathBuf>,
    cache_control: Option<HeaderValue>,
}

pub(super) fn files(_: &Settings, local: &Settings, parts: &Parts<'_>) -> Result<App, Error> {
    let settings: Static = from_settings(local)?;
    let root = settings.document_root;
    let wrong = |message: String, help: &str| {
        let error = Error::new(ErrorKind::Settings, message).key("document_root");
        let place = local.value("document_root").and_then(|value| value.place());
        Err(error.at(place).help(help))
    };
    match fs::metadata(&root) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return wrong(format!("{} is no folder", root.display()), "name a folder"),
        Err(error) => {
            let help = match root.is_absolute() {
                true => "name a folder that is there",
                false => "write %(here)s/… for what lies beside this file",
            };
            return wrong(format!("{}: {error}", root.display()), help);
        }
    }
    let hidden = parts
        .files()
        .iter()
        .filter_map(|path| path.canonicalize().ok());
    let folder = Arc::new(Folder {
        files: ServeDir::new(&root).append_index_html_on_directories(settings.index),
        root,
        dotfiles: settings.dotfiles,
        hidden: hidden.collect(),
        cache_control: settings
            .cache_max_age
            .map(|seconds| HeaderValue::try_from(format!("max-age={seconds}")))
            .transpose()
            .unwrap_or_default(),
    });
    Ok(App::new(tower::service_fn(move |request| {
        let folder = folder.clone();
        async move { Ok::<_, Infallible>(folder.answer(request).await) }
    })))
}

impl Folder {
    async fn answer(&self, mut request: Request<Body>) -> Response<Body> {
        let path = request.uri().path();
        if !self.is_served(path) {
            return status(StatusCode::NOT_FOUND);
        }
        let script_name = ScriptName::of(request.uri(), request.extensions());
        let slashed = slashed(script_name.as_str(), request.uri());
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        if !is_read {
            // Only whether there is such a file is asked here; the body is for whoever can use it.
            let mut head = Request::new(Body::default());
            *head.method_mut() = Method::HEAD;
            *head.uri_mut() = request.uri().clone();
            request = head;
        }
        let Ok(response) = self.files.clone().oneshot(request).await;
        let mut response = response.map(Body::new);
        if response.status() == StatusCode::NOT_FOUND {
            return status(StatusCode::NOT_FOUND);
        }
        if !is_read {
            let mut refused = status(StatusCode::METHOD_NOT_ALLOWED);
            let allow = HeaderValue::from_static("GET, HEAD");
            refused.headers_mut().insert(ALLOW, allow);
            return refused;
        }
        let headers = response.headers_mut();
        if headers.contains_key(LOCATION) {
            // ServeDir knows nothing of where it is mounted, and two slashes would begin a host.
            match slashed {
                Ok(slashed) => headers.insert(LOCATION, slashed),
                Err(_) => return status(StatusCode::NOT_FOUND),
            };
        }
        if let Some(cache_control) = &self.cache_control
            && response.status().is_success()
        {
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, cache_control.clone());
        }
        response
    }

    /// Whether a path may lead to a file that is for everybody.
    fn is_served(&self, path: &str) -> bool {
        let mut last = String::new();
        for segment in path.split('/') {
            let Ok(segment) = percent_decode_str(segment).decode_utf8() else {
                return false;
            };
            let is_dotfile = segment.starts_with('.') && !self.dotfiles;
            let is_dots = segment == "." || segment == "..";
            // What is one segment here must not be several to the file system.
            if is_dotfile || is_dots || segment.contains(['/', '\\', '\0']) {
                return false;
            }
            last = segment.into_owned();
        }
        let named = |hidden: &&PathBuf| {
            let name = hidden.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.eq_ignore_ascii_case(&last))
        };
        let mut hidden = self.hidden.iter().filter(named).peekable();
        hidden.peek().is_none() || !is_one_of(&self.root, path, hidden)
    }
}

/// Whether the file that a path leads to is one of these, by whatever way.
fn is_one_of<'a>(root: &Path, path: &str, mut files: impl Iterator<Item = &'a PathBuf>) -> bool {
    let path = percent_decode_str(path).decode_utf8_lossy();
    let path: io::Result<_> = root.join(path.trim_start_matches('/')).canonicalize();
    path.is_ok_and(|path| files.any(|file| *file == path))
}

/// The path that a folder has, below what it is mounted at.
fn slashed(script_name: &str, uri: &Uri) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let path = format!("{script_name}{}/", uri.path());
    let path = format!("/{}", path.trim_start_matches('/'));
    match uri.query() {
        Some(query) => HeaderValue::try_from(format!("{path}?{query}")),
        None => HeaderValue::try_from(path),
    }
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response
}
