//! `egg:tower#static`: a folder's files.

use std::{
    convert::Infallible,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, LOCATION},
};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
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
    index: bool,
    /// What says how the site is built: it may hold passwords.
    hidden: Arc<[PathBuf]>,
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
    let folder = Arc::new(Folder {
        files: ServeDir::new(&root).append_index_html_on_directories(settings.index),
        root,
        dotfiles: settings.dotfiles,
        index: settings.index,
        hidden: parts.files().paths().into(),
        cache_control: settings.cache_max_age.map(max_age),
    });
    Ok(App::new(tower::service_fn(move |request| {
        let folder = folder.clone();
        async move { Ok::<_, Infallible>(folder.answer(request).await) }
    })))
}

impl Folder {
    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        if !self.is_served(request.uri().path()) {
            return status(StatusCode::NOT_FOUND);
        }
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        match self.look(request.uri().path()).await {
            Found::Nothing => return status(StatusCode::NOT_FOUND),
            // ServeDir knows nothing of where it is mounted, and would take two slashes for the beginning of a host.
            Found::Folder if is_read => return to_folder(&request),
            Found::Folder => return status(StatusCode::NOT_FOUND),
            Found::File if is_read => {}
            Found::File => {
                let mut refused = status(StatusCode::METHOD_NOT_ALLOWED);
                let allow = HeaderValue::from_static("GET, HEAD");
                refused.headers_mut().insert(ALLOW, allow);
                return refused;
            }
        }
        let mut response = match self.files.clone().try_call(request).await {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                tracing::warn!(%error, "a file cannot be read");
                return status(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        // What the whole answer says, a 304 says, too (RFC 9110, section 15.4.5).
        let is_there =
            response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
        if let Some(cache_control) = &self.cache_control
            && is_there
        {
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, cache_control.clone());
        }
        response
    }

    /// Whether a path may lead to a file that is for everybody.
    fn is_served(&self, path: &str) -> bool {
        path.split('/').all(|segment| {
            let Ok(segment) = percent_decode_str(segment).decode_utf8() else {
                return false;
            };
            let is_dotfile = segment.starts_with('.') && !self.dotfiles;
            let is_dots = segment == "." || segment == "..";
            // What is one segment here must not be several to the file system.
            !is_dotfile && !is_dots && !segment.contains(['/', '\\', '\0'])
        })
    }

    /// What a path leads to, before anything is opened: a pipe would wait for a writer.
    async fn look(&self, path: &str) -> Found {
        let path = percent_decode_str(path).decode_utf8_lossy();
        let mut file = self.root.join(path.trim_start_matches('/'));
        let is_index = path.ends_with('/');
        if is_index {
            file.push("index.html");
        }
        let (hidden, index) = (self.hidden.clone(), self.index);
        let look = move || look_at(&file, is_index, index, &hidden);
        let looked = tokio::task::spawn_blocking(look).await;
        looked.unwrap_or(Found::Nothing)
    }
}

fn look_at(file: &Path, is_index: bool, index: bool, hidden: &[PathBuf]) -> Found {
    let Ok(metadata) = fs::metadata(file) else {
        return Found::Nothing;
    };
    if metadata.is_dir() && index && !is_index {
        return Found::Folder;
    }
    // A link to a hidden file is that file.
    let is_hidden = || {
        id(file).map_or(true, |own| {
            hidden
                .iter()
                .any(|hidden| id(hidden).is_ok_and(|id| id == own))
        })
    };
    match metadata.is_file() && (index || !is_index) && !is_hidden() {
        true => Found::File,
        false => Found::Nothing,
    }
}

enum Found {
    Nothing,
    File,
    Folder,
}

/// Two files that are there have not the same.
#[cfg(unix)]
fn id(file: &Path) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;

    let metadata = fs::metadata(file)?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn id(file: &Path) -> io::Result<PathBuf> {
    file.canonicalize()
}

fn max_age(seconds: u64) -> HeaderValue {
    let text = format!("max-age={seconds}");
    HeaderValue::try_from(text).expect("letters, a sign and digits")
}

/// To the path that a folder has, below what it is mounted at.
fn to_folder(request: &Request<Body>) -> Response<Body> {
    let uri = request.uri();
    let script_name = ScriptName::of(uri, request.extensions());
    let path = format!("{}{}", script_name.as_str(), uri.path());
    let mut location = format!("/{}/", path.trim_start_matches('/'));
    if let Some(query) = uri.query() {
        location.extend(["?", query]);
    }
    let Ok(location) = HeaderValue::try_from(location) else {
        return status(StatusCode::NOT_FOUND);
    };
    let mut response = status(StatusCode::TEMPORARY_REDIRECT);
    response.headers_mut().insert(LOCATION, location);
    response
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response
}
