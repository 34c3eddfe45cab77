//! `egg:tower#http`, and `egg:Paste#http` with what Paste's files say to it.

use std::time::Duration;

use serde::Deserialize;

use crate::{
    Address, BoxError, Error, ErrorKind, HttpServer, Parts, Server, Settings, de::from_settings,
};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Http {
    host: Option<String>,
    port: Option<u16>,
    /// Instead of a host and a port.
    bind: Option<String>,
    header_timeout: Option<Duration>,
    body_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    drain_timeout: Option<Duration>,
    connections: Option<usize>,
    half_close: bool,
}

pub(super) fn http(_: &Settings, settings: Http) -> Result<Server, BoxError> {
    let is_placed = settings.host.is_some() || settings.port.is_some();
    let address: Address = match settings.bind {
        Some(_) if is_placed => {
            return Err("it says where to listen twice: `bind`, and `host` or `port`".into());
        }
        Some(bind) => bind.parse()?,
        None => {
            let host = settings.host.as_deref().unwrap_or("127.0.0.1");
            let port = settings.port.unwrap_or(8080);
            match host.trim_matches(['[', ']']) {
                ip if ip.contains(':') => format!("[{ip}]:{port}"),
                name => format!("{name}:{port}"),
            }
            .parse()?
        }
    };
    let mut server = HttpServer::new(address);
    if let Some(timeout) = some_time("header_timeout", settings.header_timeout)? {
        server = server.header_timeout(timeout);
    }
    if let Some(timeout) = some_time("body_timeout", settings.body_timeout)? {
        server = server.body_timeout(timeout);
    }
    if let Some(timeout) = some_time("write_timeout", settings.write_timeout)? {
        server = server.write_timeout(timeout);
    }
    if let Some(timeout) = settings.drain_timeout {
        server = server.drain_timeout(timeout);
    }
    match settings.connections {
        Some(0) => return Err("`connections` is 0, and so nobody could connect".into()),
        Some(connections) => server = server.connections(connections),
        None => {}
    }
    if settings.half_close {
        server = server.allow_half_close();
    }
    Ok(Server::http(server))
}

/// With no time at all nobody would be served.
fn some_time(key: &str, time: Option<Duration>) -> Result<Option<Duration>, BoxError> {
    match time {
        Some(Duration::ZERO) => Err(format!("`{key}` has to be longer than nothing").into()),
        time => Ok(time),
    }
}

/// What says how Paste's server works inside, and says nothing to another one.
const OF_PASTE: [&str; 7] = [
    "use_threadpool",
    "threadpool_workers",
    "daemon_threads",
    "socket_timeout",
    "request_queue_size",
    "server_version",
    "protocol_version",
];

pub(super) fn paste(global: &Settings, local: &Settings, _: &Parts<'_>) -> Result<Server, Error> {
    let mut own = Settings::default();
    for (key, value) in local.iter() {
        if OF_PASTE.contains(&key) || key.starts_with("threadpool_") {
            tracing::warn!(
                "`{key}` of egg:Paste#http says nothing to this server, and is left out"
            );
        } else {
            own.set(key.to_owned(), value.clone());
        }
    }
    http(global, from_settings(&own)?)
        .map_err(|error| Error::new(ErrorKind::Factory, "the factory failed").caused_by(error))
}
