//! `egg:tower#fastcgi`, `#scgi` and `#cgi`: programs that do not speak HTTP.

use std::{convert::Infallible, path::PathBuf, str::FromStr, time::Duration};

use http::{Request, Response};
use serde::{Deserialize, Serialize};
use tower::{Service, ServiceExt};
use tower_cascade::Final;
#[cfg(unix)]
use tower_gateway::Cgi;
use tower_gateway::{FastCgi, ResponseBody, Scgi, Scripts, no_script};

use super::parsed::Parsed;
use crate::{App, Body, BoxError, Settings, Size, de::some_time};

/// Makes a struct of settings: those of one app, and after them those that all three have. The
/// format knows no nested structs.
macro_rules! settings {
    ($(#[$of_struct:meta])* $name:ident { $($(#[$of_field:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$of_struct])*
        #[derive(Deserialize, Serialize)]
        pub(super) struct $name {
            $($(#[$of_field])* $field: $type,)*
            #[serde(default, skip_serializing)]
            env: Vec<Parsed<Variable>>,
            #[serde(default = "a_minute", deserialize_with = "some_time")]
            header_timeout: Duration,
            #[serde(default = "a_minute", deserialize_with = "some_time")]
            idle_timeout: Duration,
            #[serde(default = "ten_seconds", deserialize_with = "some_time")]
            queue_timeout: Duration,
            #[serde(default = "head_limit")]
            head_limit: Size,
            #[serde(default = "stored_body_limit")]
            stored_body_limit: Size,
            #[serde(default)]
            require_length: bool,
            /// Zero passes them on.
            #[serde(default = "ten")]
            local_redirects: u8,
        }
    };
}

/// Sets the options that all three services have.
macro_rules! shared {
    ($service:expr, $settings:expr) => {{
        let mut service = $service
            .header_timeout($settings.header_timeout)
            .idle_timeout($settings.idle_timeout)
            .queue_timeout($settings.queue_timeout)
            .head_limit($settings.head_limit.bytes().try_into()?)
            .stored_body_limit($settings.stored_body_limit.bytes());
        for Parsed(Variable { name, value }) in $settings.env {
            service = service.env(name, value)?;
        }
        if $settings.require_length {
            service = service.require_length();
        }
        match $settings.local_redirects {
            0 => service.pass_local_redirects(),
            most => service.local_redirects(most),
        }
    }};
}

settings! {
    FastCgiSettings {
        address: String,
        document_root: Option<PathBuf>,
        script: Option<PathBuf>,
        #[serde(default = "php")]
        extension: String,
        #[serde(default = "index_php")]
        index: String,
        fallback: Option<String>,
        #[serde(default)]
        follow_links: bool,
        #[serde(default)]
        remote_root: bool,
        #[serde(default = "sixty_four")]
        connections: usize,
        #[serde(default)]
        keep_connections: usize,
        #[serde(default = "five_seconds", deserialize_with = "some_time")]
        connect_timeout: Duration,
    }
}

pub(super) fn fastcgi(_: &Settings, settings: FastCgiSettings) -> Result<App, BoxError> {
    let mut service = FastCgi::connect(&settings.address)?
        .connections(settings.connections)
        .keep_connections(settings.keep_connections)
        .connect_timeout(settings.connect_timeout);
    let scripts = match (settings.document_root, settings.script) {
        (Some(_), Some(_)) => return Err(ONE_OF.into()),
        (Some(root), None) => {
            let scripts = Scripts::directory(root, settings.extension, settings.index);
            Some(with(
                scripts,
                settings.fallback,
                settings.follow_links,
                settings.remote_root,
            ))
        }
        (None, Some(script)) => Some(Scripts::file(script)),
        (None, None) => None,
    };
    if let Some(scripts) = scripts {
        service = service.scripts(scripts);
    }
    Ok(final_except_no_script(shared!(service, settings)))
}

settings! {
    ScgiSettings {
        address: String,
        #[serde(default = "sixty_four")]
        connections: usize,
        #[serde(default = "five_seconds", deserialize_with = "some_time")]
        connect_timeout: Duration,
    }
}

pub(super) fn scgi(_: &Settings, settings: ScgiSettings) -> Result<App, BoxError> {
    let service = Scgi::connect(&settings.address)?
        .connections(settings.connections)
        .connect_timeout(settings.connect_timeout);
    Ok(final_except_no_script(shared!(service, settings)))
}

#[cfg(unix)]
settings! {
    CgiSettings {
        script: Option<PathBuf>,
        document_root: Option<PathBuf>,
        #[serde(default = "cgi_extension")]
        extension: String,
        #[serde(default = "index_cgi")]
        index: String,
        fallback: Option<String>,
        #[serde(default)]
        follow_links: bool,
        #[serde(default)]
        arguments: Vec<String>,
        #[serde(default = "sixteen")]
        processes: usize,
    }
}

#[cfg(unix)]
pub(super) fn cgi(_: &Settings, settings: CgiSettings) -> Result<App, BoxError> {
    let service = match (settings.document_root, settings.script) {
        (Some(_), Some(_)) | (None, None) => return Err(ONE_OF.into()),
        (Some(root), None) => {
            let scripts = Scripts::directory(root, settings.extension, settings.index);
            let links = settings.follow_links;
            Cgi::scripts(with(scripts, settings.fallback, links, false))
        }
        (None, Some(script)) => Cgi::new(program(script)?),
    };
    let service = service.processes(settings.processes);
    let service = settings.arguments.into_iter().fold(service, Cgi::arg);
    Ok(final_except_no_script(shared!(service, settings)))
}

/// Returns an app through whose responses a cascade falls only where there is no script. After a
/// 404 of a script, the files of the next app would have the script's source.
fn final_except_no_script<S>(service: S) -> App
where
    S: Service<Request<Body>, Response = Response<ResponseBody>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    App::new(service.map_response(|response: Response<ResponseBody>| {
        let (mut head, body) = response.into_parts();
        if !no_script(&head) {
            head.extensions.insert(Final);
        }
        Response::from_parts(head, body)
    }))
}

/// The settings of Paste's `CGIApplication`.
#[cfg(unix)]
#[derive(Deserialize, Serialize)]
pub(super) struct PasteCgi {
    script: PathBuf,
    /// The directories in which a script without one is looked for.
    #[serde(default)]
    path: Vec<PathBuf>,
    /// DIFFERENCE: it is `true` in Paste, so every program has the secrets of the server's own
    /// environment.
    #[serde(default)]
    include_os_environ: bool,
    query_string: Option<String>,
}

#[cfg(unix)]
pub(super) fn paste_cgi(_: &Settings, settings: PasteCgi) -> Result<App, BoxError> {
    let found = settings
        .path
        .iter()
        .map(|directory| directory.join(&settings.script))
        .find(|script| script.is_file());
    let mut service = Cgi::new(program(found.unwrap_or(settings.script))?);
    if settings.include_os_environ {
        for (name, value) in std::env::vars_os() {
            // One that is not UTF-8 stays here.
            let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) else {
                continue;
            };
            if !is_of_request(&name) {
                service = service.env(name, value)?;
            }
        }
    }
    if let Some(query) = settings.query_string {
        service = service.env("QUERY_STRING", query)?;
    }
    Ok(final_except_no_script(service))
}

/// Returns whether a name could be that of a request's variable, which must not be replaced.
#[cfg(unix)]
fn is_of_request(name: &str) -> bool {
    let prefixes = [
        "HTTP", "REQUEST_", "SERVER_", "REMOTE_", "CONTENT_", "SCRIPT_", "PATH_", "QUERY_",
    ];
    let names = [
        "AUTH_TYPE",
        "DOCUMENT_ROOT",
        "GATEWAY_INTERFACE",
        "REDIRECT_STATUS",
    ];
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || names.contains(&name)
}

/// Returns the path of a program that is there.
#[cfg(unix)]
fn program(script: PathBuf) -> Result<PathBuf, BoxError> {
    // It runs in its own directory, where a relative path would lead elsewhere.
    match script.canonicalize() {
        Ok(program) if program.is_file() => Ok(program),
        Ok(_) => Err(format!("{} is not a file", script.display()).into()),
        Err(error) => Err(format!("{}: {error}", script.display()).into()),
    }
}

const ONE_OF: &str = "write either `script` or `document_root`";

fn with(scripts: Scripts, fallback: Option<String>, follow_links: bool, remote: bool) -> Scripts {
    let scripts = match fallback {
        Some(fallback) => scripts.fallback(fallback),
        None => scripts,
    };
    match (remote, follow_links) {
        (true, _) => scripts.remote_root(),
        (false, true) => scripts.follow_links(),
        (false, false) => scripts,
    }
}

/// A variable, as `NAME=VALUE`.
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: String,
}

impl FromStr for Variable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self {
                name: name.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err(format!("`{text}` is not a variable, such as APP_ENV=live")),
        }
    }
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

fn head_limit() -> Size {
    Size::new(64 << 10)
}

fn stored_body_limit() -> Size {
    Size::new(64 << 20)
}

fn ten() -> u8 {
    10
}

#[cfg(unix)]
fn sixteen() -> usize {
    16
}

fn sixty_four() -> usize {
    64
}

fn php() -> String {
    ".php".to_owned()
}

fn index_php() -> String {
    "index.php".to_owned()
}

#[cfg(unix)]
fn cgi_extension() -> String {
    ".cgi".to_owned()
}

#[cfg(unix)]
fn index_cgi() -> String {
    "index.cgi".to_owned()
}
