//! `egg:tower#http`, and `egg:Paste#http` with the settings of Paste's files.

use std::{net::Ipv6Addr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use tower_serve::{AccessLog, Address, LogFormat};

use crate::{
    Error, ErrorKind, Parts, Server, Settings, Size,
    de::from_settings,
    effective::{Effective, values},
    slip,
};

#[derive(Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Http {
    host: Option<String>,
    port: Option<u16>,
    /// The address, instead of a host and a port.
    bind: Option<String>,
    header_timeout: Duration,
    keep_alive_timeout: Duration,
    body_timeout: Duration,
    write_timeout: Duration,
    drain_timeout: Duration,
    lingering_bytes: Size,
    lingering_time: Duration,
    connections: usize,
    half_close: bool,
    connect_protocol: bool,
    access_log: Option<PathBuf>,
    log_format: Format,
    proxy_protocol: Vec<String>,
    #[cfg(feature = "tls")]
    pub(super) certificate: Option<String>,
    #[cfg(feature = "tls")]
    pub(super) key: Option<String>,
    #[cfg(feature = "tls")]
    pub(super) redirect_http: Option<u16>,
    #[cfg(feature = "tls")]
    pub(super) redirect_port: Option<u16>,
    #[cfg(feature = "tls")]
    pub(super) hsts: Option<Duration>,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Common,
    #[default]
    Combined,
    Json,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            host: None,
            port: None,
            bind: None,
            header_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
            lingering_bytes: Size::new(32 << 20),
            lingering_time: Duration::from_secs(30),
            connections: 10_000,
            half_close: false,
            connect_protocol: false,
            access_log: None,
            log_format: Format::default(),
            proxy_protocol: Vec::new(),
            #[cfg(feature = "tls")]
            certificate: None,
            #[cfg(feature = "tls")]
            key: None,
            #[cfg(feature = "tls")]
            redirect_http: None,
            #[cfg(feature = "tls")]
            redirect_port: None,
            #[cfg(feature = "tls")]
            hsts: None,
        }
    }
}

pub(super) const HOST: &str = "127.0.0.1";
const PORT: u16 = 8080;

/// Returns the effective values, without the settings of Paste's threads and protocol.
pub(super) fn effective(local: &Settings) -> Effective {
    effective_on(PORT, local)
}

/// Returns them for a server with this default port.
pub(super) fn effective_on(port: u16, local: &Settings) -> Effective {
    let Ok(mut settings) = from_settings::<Http>(&of_us(local)) else {
        return Effective::new();
    };
    if settings.bind.is_none() {
        settings.host.get_or_insert_with(|| HOST.to_owned());
        settings.port.get_or_insert(port);
    }
    values(&settings)
}

pub(super) fn http(_: &Settings, local: &Settings, _: &Parts<'_>) -> Result<Server, Error> {
    server(local).map(Server::http)
}

/// Makes the server without TLS.
fn server(local: &Settings) -> Result<tower_serve::Server, Error> {
    #[cfg(feature = "tls")]
    reject_tls(local)?;
    Ok(made(local, PORT)?.server)
}

/// The settings that the server `http` does not have.
#[cfg(feature = "tls")]
const OF_TLS: [&str; 5] = [
    "certificate",
    "key",
    "redirect_http",
    "redirect_port",
    "hsts",
];

/// Returns an error if a setting is one of TLS.
#[cfg(feature = "tls")]
fn reject_tls(local: &Settings) -> Result<(), Error> {
    match OF_TLS.into_iter().find(|key| local.value(key).is_some()) {
        Some(key) => {
            let error = wrong(local, key, "this server does not speak TLS");
            Err(error.help("write `use = egg:tower#https`"))
        }
        None => Ok(()),
    }
}

/// Returns an error of a setting, at its place.
pub(super) fn wrong(local: &Settings, key: &str, message: &str) -> Error {
    let error = Error::new(ErrorKind::Settings, message);
    match local.value(key) {
        Some(value) => {
            let error = slip::of_value(error, key, value.text(), value);
            error.key(key).at(value.place())
        }
        None => error.key(key),
    }
}

/// A server without TLS, its address and its settings.
pub(super) struct Made {
    pub(super) server: tower_serve::Server,
    #[cfg(feature = "tls")]
    pub(super) address: Address,
    #[cfg(feature = "tls")]
    pub(super) settings: Http,
}

/// Makes a server with this default port. Each error is about one of the keys.
pub(super) fn made(local: &Settings, port: u16) -> Result<Made, Error> {
    let settings: Http = from_settings(local)?;
    let wrong = |key: &str, message: &str| wrong(local, key, message);
    let (host, bind) = (settings.host.as_deref(), settings.bind.as_deref());
    let address = address(local, host, settings.port, bind, port)?;
    // With a time of 0 no client would be served.
    let times = [
        ("header_timeout", settings.header_timeout),
        ("keep_alive_timeout", settings.keep_alive_timeout),
        ("body_timeout", settings.body_timeout),
        ("write_timeout", settings.write_timeout),
    ];
    for (key, time) in times {
        if time == Duration::ZERO {
            return Err(wrong(
                key,
                &format!("`{key}` has to be longer than nothing"),
            ));
        }
    }
    if settings.connections == 0 {
        let message = "`connections` is 0, and so no client could connect";
        return Err(wrong("connections", message));
    }
    let mut server = tower_serve::Server::new(address.clone())
        .header_timeout(settings.header_timeout)
        .keep_alive_timeout(settings.keep_alive_timeout)
        .body_timeout(settings.body_timeout)
        .write_timeout(settings.write_timeout)
        .drain_timeout(settings.drain_timeout)
        .lingering_bytes(settings.lingering_bytes.bytes())
        .lingering_time(settings.lingering_time)
        .connections(settings.connections);
    if settings.half_close {
        server = server.allow_half_close();
    }
    if settings.connect_protocol {
        server = server.enable_connect_protocol();
    }
    if let Some(path) = &settings.access_log {
        let format = match settings.log_format {
            Format::Common => LogFormat::Common,
            Format::Combined => LogFormat::Combined,
            Format::Json => LogFormat::Json,
        };
        server = server.access_log(AccessLog::new(path).format(format));
    }
    if !settings.proxy_protocol.is_empty() {
        let server_with = server.proxy_protocol(&settings.proxy_protocol);
        server = server_with.map_err(|error| wrong("proxy_protocol", &error.to_string()))?;
    }
    Ok(Made {
        server,
        #[cfg(feature = "tls")]
        address,
        #[cfg(feature = "tls")]
        settings,
    })
}

/// Returns the address of a server: that of `bind`, or of `host` and `port`.
pub(super) fn address(
    local: &Settings,
    host: Option<&str>,
    port: Option<u16>,
    bind: Option<&str>,
    default_port: u16,
) -> Result<Address, Error> {
    let wrong = |key: &str, message: &str| wrong(local, key, message);
    let parsed = |key: &str, address: &str| {
        let address = address.parse::<Address>();
        address.map_err(|error| wrong(key, &error.to_string()))
    };
    let is_placed = host.is_some() || port.is_some();
    match bind {
        Some(_) if is_placed => {
            let message = "the address is set twice: `bind`, and `host` or `port`";
            Err(wrong("bind", message).help("take one of them out"))
        }
        Some(bind) => parsed("bind", bind),
        None => {
            let host = host.unwrap_or(HOST);
            let port = port.unwrap_or(default_port);
            if let Ok(address) = host.parse::<Address>() {
                let error = wrong("host", &format!("`{host}` is more than a host"));
                let help = format!("write `bind = {address}` instead of `host` and `port`");
                return Err(error.help(help));
            }
            let ip = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'));
            let address = match ip.unwrap_or(host) {
                ip if ip.parse::<Ipv6Addr>().is_ok() => format!("[{ip}]:{port}"),
                // An error in it is reported without a port.
                url if url.contains("://") => host.to_owned(),
                _ => format!("{host}:{port}"),
            };
            parsed("host", &address)
        }
    }
}

/// The settings of Paste's server that have no meaning for another one.
const OF_PASTE: [&str; 7] = [
    "use_threadpool",
    "threadpool_workers",
    "daemon_threads",
    "socket_timeout",
    "request_queue_size",
    "server_version",
    "protocol_version",
];

pub(super) fn paste(_: &Settings, local: &Settings, _: &Parts<'_>) -> Result<Server, Error> {
    for (key, _) in local.iter().filter(|(key, _)| is_of_paste(key)) {
        tracing::warn!("`{key}` of egg:Paste#http says nothing to this server, and is left out");
    }
    server(&of_us(local)).map(Server::http)
}

fn is_of_paste(key: &str) -> bool {
    OF_PASTE.contains(&key) || key.starts_with("threadpool_")
}

fn of_us(local: &Settings) -> Settings {
    let mut own = Settings::default();
    for (key, value) in local.iter().filter(|(key, _)| !is_of_paste(key)) {
        own.set(key.to_owned(), value.clone());
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    fn shown(settings: &[(&str, &str)]) -> String {
        let mut local = Settings::default();
        for (key, value) in settings {
            local.set((*key).to_owned(), Value::given((*value).to_owned()));
        }
        format!("{:?}", server(&local).unwrap())
    }

    #[test]
    fn a_section_without_settings_has_the_defaults() {
        assert_eq!(shown(&[]), format!("{:?}", tower_serve::Server::default()));
    }

    #[test]
    fn deploy_21_the_defaults_are_documented() {
        let document = include_str!("../builtins.md");
        let limits = "(`header_timeout` = 10s), (`keep_alive_timeout` = 75s), \
            (`body_timeout` = 60s), (`write_timeout` = 60s), (`drain_timeout` = 30s), \
            (`lingering_bytes` = 32 MiB), (`lingering_time` = 30s), (`connections` = 10000), \
            (`half_close` = no), (`connect_protocol` = no), (`access_log`), \
            (`log_format` = combined)";
        assert!(document.contains(limits));
        let shown = shown(&[]);
        let limits = "Limits { header_timeout: 10s, keep_alive_timeout: 75s, body_timeout: 60s, \
            write_timeout: 60s, drain_timeout: 30s, connections: 10000, half_close: false, \
            connect_protocol: false, lingering: Patience { bytes: 33554432, time: 30s } }";
        assert!(shown.contains(limits), "{shown}");
    }

    #[test]
    fn deploy_23_each_setting_sets_its_own() {
        let all = [
            ("host", "::1"),
            ("port", "1"),
            ("header_timeout", "2s"),
            ("body_timeout", "3s"),
            ("write_timeout", "4s"),
            ("drain_timeout", "5s"),
            ("connections", "6"),
            ("half_close", "yes"),
            ("connect_protocol", "yes"),
            ("keep_alive_timeout", "7s"),
            ("lingering_bytes", "8k"),
            ("lingering_time", "9s"),
            ("access_log", "/run/log"),
            ("log_format", "json"),
        ];
        let shown = shown(&all);
        let (shown, _) = shown.split_at(shown.find("Entry").unwrap());
        assert_eq!(
            shown,
            "Server { address: Tcp(\"[::1]:1\"), limits: Limits { header_timeout: 2s, \
             keep_alive_timeout: 7s, body_timeout: 3s, write_timeout: 4s, drain_timeout: 5s, \
             connections: 6, half_close: true, connect_protocol: true, lingering: Patience { \
             bytes: 8192, time: 9s } }, entry: "
        );
    }

    /// The test names each setting, so that none can be lost in the code.
    #[test]
    fn deploy_45_settings_of_pastes_threads_are_ignored() {
        let mut local = Settings::default();
        for key in [
            "use_threadpool",
            "threadpool_workers",
            "threadpool_options",
            "daemon_threads",
            "socket_timeout",
            "request_queue_size",
            "server_version",
            "protocol_version",
        ] {
            local.set(key.to_owned(), Value::given("1".to_owned()));
        }
        assert!(server(&local).is_err());
        let own = of_us(&local);
        assert!(own.is_empty(), "{own:?}");
    }
}
