//! `egg:tower#http`, and `egg:Paste#http` with what Paste's files say to it.

use std::time::Duration;

use serde::Deserialize;

use crate::{
    Address, BoxError, Error, ErrorKind, HttpServer, Parts, Server, Settings, de::from_settings,
};

#[derive(Deserialize)]
#[serde(default)]
pub(super) struct Http {
    host: String,
    port: u16,
    /// Instead of a host and a port.
    bind: Option<String>,
    header_timeout: Option<Duration>,
    body_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    drain_timeout: Option<Duration>,
    connections: Option<usize>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8080,
            bind: None,
            header_timeout: None,
            body_timeout: None,
            write_timeout: None,
            drain_timeout: None,
            connections: None,
        }
    }
}

pub(super) fn http(_: &Settings, settings: Http) -> Result<Server, BoxError> {
    let address: Address = match settings.bind {
        Some(bind) => bind.parse()?,
        None if settings.host.contains(':') => format!(
            "[{}]:{}",
            settings.host.trim_matches(['[', ']']),
            settings.port
        )
        .parse()?,
        None => format!("{}:{}", settings.host, settings.port).parse()?,
    };
    let mut server = HttpServer::new(address);
    if let Some(timeout) = settings.header_timeout {
        server = server.header_timeout(timeout);
    }
    if let Some(timeout) = settings.body_timeout {
        server = server.body_timeout(timeout);
    }
    if let Some(timeout) = settings.write_timeout {
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
    Ok(Server::http(server))
}

/// What says how Paste's threads work, and says nothing where there are none.
const THREADS: [&str; 7] = [
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
        if THREADS.contains(&key) || key.starts_with("threadpool_") {
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
