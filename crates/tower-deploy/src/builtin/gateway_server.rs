//! `egg:tower#fastcgi`, `#scgi` and `#cgi` as servers: the app as a program of a web server.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tower_environ::MountLayer;

use super::server::{HOST, address, wrong};
use crate::{
    Error, Parts, Server, Settings, Size,
    de::from_settings,
    effective::{self, Effective, values},
    gateway::{Gateway, Protocol},
};

/// The ports that other programs have by default: those of php-fpm and of flup.
const FASTCGI_PORT: u16 = 9000;
const SCGI_PORT: u16 = 4000;
/// The value of `mount` that is no path.
const SCRIPT_NAME: &str = "script-name";

#[derive(Deserialize, Serialize)]
#[serde(default)]
struct Listening {
    host: Option<String>,
    port: Option<u16>,
    /// The address, instead of a host and a port.
    bind: Option<String>,
    mount: Option<String>,
    keep_location: bool,
    header_timeout: Duration,
    body_timeout: Duration,
    write_timeout: Duration,
    drain_timeout: Duration,
    lingering_bytes: Size,
    lingering_time: Duration,
    head_limit: Size,
    connections: usize,
    /// The requests on one connection. SCGI has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    requests: Option<usize>,
}

impl Default for Listening {
    fn default() -> Self {
        Self {
            host: None,
            port: None,
            bind: None,
            mount: None,
            keep_location: false,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
            lingering_bytes: Size::new(32 << 20),
            lingering_time: Duration::from_secs(30),
            head_limit: Size::new(128 << 10),
            connections: 1000,
            requests: None,
        }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(default)]
struct Started {
    mount: Option<String>,
    keep_location: bool,
    body_timeout: Duration,
    lingering_bytes: Size,
    lingering_time: Duration,
}

impl Default for Started {
    fn default() -> Self {
        Self {
            mount: None,
            keep_location: false,
            body_timeout: Duration::from_secs(60),
            lingering_bytes: Size::new(32 << 20),
            lingering_time: Duration::from_secs(30),
        }
    }
}

pub(super) fn effective_fastcgi(local: &Settings) -> Effective {
    effective_on(local, FASTCGI_PORT, Some(64))
}

pub(super) fn effective_scgi(local: &Settings) -> Effective {
    effective_on(local, SCGI_PORT, None)
}

pub(super) fn effective_cgi(local: &Settings) -> Effective {
    effective::of::<Started>(local)
}

fn effective_on(local: &Settings, port: u16, requests: Option<usize>) -> Effective {
    let Ok(mut settings) = from_settings::<Listening>(local) else {
        return Effective::new();
    };
    if settings.bind.is_none() {
        settings.host.get_or_insert_with(|| HOST.to_owned());
        settings.port.get_or_insert(port);
    }
    settings.requests = settings.requests.or(requests);
    values(&settings)
}

pub(super) fn fastcgi(_: &Settings, local: &Settings, _: &Parts<'_>) -> Result<Server, Error> {
    listening(local, Protocol::FastCgi, FASTCGI_PORT)
}

pub(super) fn scgi(_: &Settings, local: &Settings, _: &Parts<'_>) -> Result<Server, Error> {
    if local.value("requests").is_some() {
        let error = wrong(local, "requests", "a connection of SCGI has one request");
        return Err(error.help("take it out"));
    }
    listening(local, Protocol::Scgi, SCGI_PORT)
}

fn listening(local: &Settings, protocol: Protocol, port: u16) -> Result<Server, Error> {
    let settings: Listening = from_settings(local)?;
    let (host, bind) = (settings.host.as_deref(), settings.bind.as_deref());
    let address = address(local, host, settings.port, bind, port)?;
    // With a time of 0 no request would be served.
    for (key, time) in [
        ("header_timeout", settings.header_timeout),
        ("body_timeout", settings.body_timeout),
        ("write_timeout", settings.write_timeout),
    ] {
        if time == Duration::ZERO {
            let message = format!("`{key}` has to be longer than nothing");
            return Err(wrong(local, key, &message));
        }
    }
    for (key, number) in [
        ("connections", Some(settings.connections)),
        ("requests", settings.requests),
    ] {
        if number == Some(0) {
            let message = format!("`{key}` is 0, and so there could be no request");
            return Err(wrong(local, key, &message));
        }
    }
    let head_limit = usize::try_from(settings.head_limit.bytes());
    let mut server = tower_gateway::Server::new()
        .header_timeout(settings.header_timeout)
        .body_timeout(settings.body_timeout)
        .write_timeout(settings.write_timeout)
        .drain_timeout(settings.drain_timeout)
        .lingering_bytes(settings.lingering_bytes.bytes())
        .lingering_time(settings.lingering_time)
        .head_limit(head_limit.map_err(|error| Error::setting("head_limit", error))?)
        .connections(settings.connections);
    if let Some(requests) = settings.requests {
        server = server.requests(requests);
    }
    let (server, mount) = placed(local, server, settings.mount, settings.keep_location)?;
    let opener = tower_serve::Server::new(address);
    Ok(Server::gateway(Gateway::new(
        protocol, opener, server, mount,
    )))
}

pub(super) fn cgi(_: &Settings, local: &Settings, _: &Parts<'_>) -> Result<Server, Error> {
    let settings: Started = from_settings(local)?;
    if settings.body_timeout == Duration::ZERO {
        let message = "`body_timeout` has to be longer than nothing";
        return Err(wrong(local, "body_timeout", message));
    }
    let server = tower_gateway::Server::new()
        .body_timeout(settings.body_timeout)
        .lingering_bytes(settings.lingering_bytes.bytes())
        .lingering_time(settings.lingering_time);
    let (server, mount) = placed(local, server, settings.mount, settings.keep_location)?;
    let opener = tower_serve::Server::default();
    Ok(Server::gateway(Gateway::new(
        Protocol::Cgi,
        opener,
        server,
        mount,
    )))
}

/// Sets the options that all three have, and returns the mount at a path.
fn placed(
    local: &Settings,
    mut server: tower_gateway::Server,
    mount: Option<String>,
    keeps_location: bool,
) -> Result<(tower_gateway::Server, Option<MountLayer>), Error> {
    if keeps_location {
        server = server.keep_location();
    }
    match mount.as_deref() {
        None => Ok((server, None)),
        Some(SCRIPT_NAME) => Ok((server.mount_at_script_name(), None)),
        Some(path) => {
            let mount = MountLayer::new(path);
            let mount = mount.map_err(|error| {
                let error = wrong(local, "mount", &error.to_string());
                error.help(format!("write a path, or `{SCRIPT_NAME}`"))
            })?;
            Ok((server, Some(mount)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deploy_65_the_defaults_of_the_servers_are_documented() {
        let document = include_str!("../builtins.md");
        let (_, table) = document.split_once("\n# The servers `fastcgi`").unwrap();
        let rows = table.lines().filter_map(|row| {
            let mut cells = row.strip_prefix("| `")?.split(" | ");
            let keys = cells.next()?.trim_matches('`');
            Some((keys, cells.next()?.trim_matches('`')))
        });
        let mut documented = vec![("host", "127.0.0.1"), ("port", "9000")];
        documented.extend(rows.filter(|(key, _)| !key.contains(',')));
        // `explain` writes a minute so.
        let default = |text| if text == "60s" { "1m" } else { text };
        let documented = documented.into_iter();
        let documented = documented.map(|(key, text)| (key, default(text)));
        let mut documented: Vec<_> = documented
            .filter(|(_, default)| !default.starts_with('|'))
            .collect();
        let none = Settings::default();
        let found = effective_fastcgi(&none);
        let found = found.iter().map(|(key, value)| (&**key, &**value));
        let mut found: Vec<_> = found.collect();
        found.sort_unstable();
        documented.sort_unstable();
        assert_eq!(found, documented);

        let of_scgi = documented.iter().filter(|(key, _)| *key != "requests");
        let of_scgi = of_scgi.map(|(key, value)| match *key {
            "port" => ("port", "4000"),
            key => (key, *value),
        });
        let of_scgi: Vec<_> = of_scgi.collect();
        let found = effective_scgi(&none);
        let mut found: Vec<_> = found
            .iter()
            .map(|(key, value)| (&**key, &**value))
            .collect();
        found.sort_unstable();
        assert_eq!(found, of_scgi);

        let found = effective_cgi(&none);
        let documented = |key: &String, value: &String| {
            assert!(documented.contains(&(key, value)), "{key}");
        };
        found.iter().for_each(|(key, value)| documented(key, value));
        assert_eq!(found.len(), 4);
    }

    /// The defaults are those of tower-gateway.
    #[test]
    fn deploy_65_a_section_without_settings_has_the_defaults() {
        let shown = |server: &tower_gateway::Server| format!("{server:?}");
        let settings = Listening::default();
        let server = tower_gateway::Server::new()
            .header_timeout(settings.header_timeout)
            .body_timeout(settings.body_timeout)
            .write_timeout(settings.write_timeout)
            .drain_timeout(settings.drain_timeout)
            .lingering_bytes(settings.lingering_bytes.bytes())
            .lingering_time(settings.lingering_time)
            .head_limit(settings.head_limit.bytes() as usize)
            .connections(settings.connections);
        assert_eq!(shown(&server), shown(&tower_gateway::Server::new()));
    }
}
