//! `egg:tower#proxy`: passes requests on to another HTTP server, by TCP or through a Unix socket.
//!
//! The names of its settings are those of Paste's `make_proxy`. Each value reads itself, so that an
//! error is reported at its own position in the file.

use std::{str::FromStr, time::Duration};

use http::{HeaderName, Method};
use serde::{Deserialize, Deserializer, Serialize};
#[cfg(feature = "tls")]
use tower_upstream::Tls;
use tower_upstream::{
    Address, BuildError, BuildErrorKind, HostPolicy, Network, PassedHeader, Protocol,
    UpgradeProtocol, Upstream,
};

use super::parsed::Parsed;
use crate::{App, BoxError, Settings, de::some_time};

#[derive(Deserialize, Serialize)]
pub(super) struct Proxy {
    #[serde(skip_serializing)]
    address: Parsed<ProxyAddress>,
    /// Further upstreams; none means one upstream.
    #[serde(default, skip_serializing)]
    also: Vec<Parsed<ProxyAddress>>,
    /// The allowed methods; none means all.
    #[serde(default, skip_serializing)]
    allowed_request_methods: Vec<Parsed<AllowedMethod>>,
    #[serde(default, skip_serializing)]
    suppress_http_headers: Vec<Parsed<Suppressed>>,
    #[serde(default, skip_serializing)]
    pass_headers: Vec<Parsed<PassedHeader>>,
    #[serde(default)]
    host: Host,
    #[serde(default)]
    protocol: Version,
    #[cfg(feature = "tls")]
    #[serde(default, skip_serializing)]
    ca: Vec<Parsed<CaFile>>,
    #[cfg(feature = "tls")]
    #[serde(skip_serializing)]
    server_name: Option<Parsed<ServerName>>,
    #[cfg(feature = "tls")]
    #[serde(skip_serializing)]
    client_certificate: Option<String>,
    #[cfg(feature = "tls")]
    #[serde(skip_serializing)]
    client_key: Option<String>,
    // Zero keeps no connection.
    #[serde(default = "four_seconds")]
    keep_alive: Duration,
    #[serde(default = "five_seconds", deserialize_with = "some_time")]
    connect_timeout: Duration,
    #[serde(default = "a_minute", deserialize_with = "some_time")]
    header_timeout: Duration,
    #[serde(default = "a_minute", deserialize_with = "some_time")]
    idle_timeout: Duration,
    #[serde(default = "web_sockets", skip_serializing)]
    upgrades: Vec<Parsed<UpgradeProtocol>>,
    #[serde(
        default,
        deserialize_with = "some_limit",
        skip_serializing_if = "Option::is_none"
    )]
    tunnel_timeout: Option<Duration>,
    #[serde(default)]
    map_locations: bool,
    #[serde(default, skip_serializing)]
    trusted: Vec<Parsed<Network>>,
}

fn four_seconds() -> Duration {
    Duration::from_secs(4)
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

fn web_sockets() -> Vec<Parsed<UpgradeProtocol>> {
    let protocol = "websocket".parse().expect("a word is a protocol");
    vec![Parsed(protocol)]
}

fn some_limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    some_time(deserializer).map(Some)
}

#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Host {
    #[default]
    Auto,
    Upstream,
    Client,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Version {
    #[default]
    Negotiated,
    Http1,
    Http2,
}

pub(super) fn app(_: &Settings, settings: Proxy) -> Result<App, BoxError> {
    let mut upstream = Upstream::new(settings.address.0.0)?
        .protocol(match settings.protocol {
            Version::Negotiated => Protocol::Negotiated,
            Version::Http1 => Protocol::Http1,
            Version::Http2 => Protocol::Http2,
        })
        .suppressed_headers(settings.suppress_http_headers.into_iter().map(|it| it.0.0))
        .passed_headers(settings.pass_headers.into_iter().map(|it| it.0))?
        .host(match settings.host {
            Host::Auto => HostPolicy::Auto,
            Host::Upstream => HostPolicy::Upstream,
            Host::Client => HostPolicy::Client,
        })
        .via("tower-deploy")?
        .keep_alive(settings.keep_alive)
        .connect_timeout(settings.connect_timeout)
        .header_timeout(settings.header_timeout)
        .idle_timeout(settings.idle_timeout)
        .upgrades(settings.upgrades.into_iter().map(|it| it.0))?
        .trusted(settings.trusted.into_iter().map(|it| it.0))?;
    for address in settings.also {
        upstream = upstream.also(address.0.0)?;
    }
    #[cfg(feature = "tls")]
    {
        let mut tls = Tls::new();
        for file in settings.ca {
            tls = tls.ca(file.0.0)?;
        }
        if let Some(name) = settings.server_name {
            tls = tls.server_name(&name.0.0)?;
        }
        tls = match (settings.client_certificate, settings.client_key) {
            (Some(chain), Some(key)) => tls.client_certificate(chain, key)?,
            (None, None) => tls,
            (Some(_), None) => return Err("`client_certificate` needs `client_key`".into()),
            (None, Some(_)) => return Err("`client_key` needs `client_certificate`".into()),
        };
        upstream = upstream.tls(tls);
    }
    let methods = settings.allowed_request_methods;
    if !methods.is_empty() {
        upstream = upstream.allowed_methods(methods.into_iter().map(|it| it.0.0));
    }
    if let Some(limit) = settings.tunnel_timeout {
        upstream = upstream.tunnel_timeout(limit);
    }
    if settings.map_locations {
        upstream = upstream.map_locations();
    }
    Ok(App::new(upstream))
}

struct ProxyAddress(Address);

impl FromStr for ProxyAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|error: BuildError| match error.kind() {
                BuildErrorKind::Socket => format!("{error}, or with %(here)s"),
                _ => error.to_string(),
            })
    }
}

/// The file of a CA, which has been read once.
#[cfg(feature = "tls")]
struct CaFile(String);

#[cfg(feature = "tls")]
impl FromStr for CaFile {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Self, BuildError> {
        Tls::new().ca(text).map(|_| Self(text.to_owned()))
    }
}

#[cfg(feature = "tls")]
struct ServerName(String);

#[cfg(feature = "tls")]
impl FromStr for ServerName {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Self, BuildError> {
        Tls::new().server_name(text).map(|_| Self(text.to_owned()))
    }
}

/// Paste takes methods in lower case, too. In HTTP they are in upper case, and `get` is another
/// method than `GET`.
struct AllowedMethod(Method);

impl FromStr for AllowedMethod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match Method::from_bytes(text.to_ascii_uppercase().as_bytes()) {
            Ok(Method::CONNECT) => Err("CONNECT cannot be passed on".to_owned()),
            Ok(method) => Ok(Self(method)),
            Err(_) => Err(format!("`{text}` is not a method, such as GET")),
        }
    }
}

struct Suppressed(HeaderName);

impl FromStr for Suppressed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        HeaderName::from_bytes(text.as_bytes())
            .map(Self)
            .map_err(|_| format!("`{text}` is not a header's name, such as User-Agent"))
    }
}
