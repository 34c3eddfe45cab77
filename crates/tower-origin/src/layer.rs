use std::{error::Error, fmt, net::IpAddr, sync::Arc};

use http::uri::Scheme;
use ipnet::{IpNet, Ipv4Net};
use tower_layer::Layer;

use crate::{
    WithOrigin,
    host::{Host, HostPattern},
    prefix,
    resolve::{Kind, Rules, XForwarded},
};

/// Puts the [`Origin`](crate::Origin) into each request, and rejects those whose host or proxy
/// headers are malformed. The reason of such a [`Rejection`](tower_kit::Rejection) is a
/// [`BadOrigin`](crate::BadOrigin).
#[derive(Clone, Debug)]
pub struct OriginLayer {
    rules: Arc<Rules>,
}

impl OriginLayer {
    /// Returns a layer that trusts no proxy and serves every host.
    #[must_use]
    pub fn new() -> Self {
        Self {
            rules: Arc::new(Rules {
                trusted: Vec::new(),
                trusted_without_address: false,
                kind: Kind::Either,
                extra: Vec::new(),
                hosts: Vec::new(),
                default_host: None,
                scheme: Scheme::HTTP,
                prefix: None,
            }),
        }
    }

    /// Adds proxies whose headers count: addresses and networks, such as `10.0.0.0/8` or
    /// `2001:db8::1`. Default: none.
    ///
    /// Trust only proxies that set these headers themselves or drop them. A header that a proxy
    /// passes on as the client has sent it counts too. A proxy that writes `Forwarded` with a quoted
    /// value of the client's must escape that value.
    ///
    /// The server has to leave the peer's address, as [`PeerAddr`](crate::PeerAddr). With the
    /// feature `axum` it may be axum's `ConnectInfo` (`into_make_service_with_connect_info`), and
    /// with the feature `tonic` tonic's `TcpConnectInfo`. Without an address, no peer is trusted,
    /// and no request is rejected for that.
    ///
    /// # Errors
    ///
    /// An [`OriginError`] if one is not an address or a network.
    pub fn trusted<T: AsRef<str>>(
        self,
        networks: impl IntoIterator<Item = T>,
    ) -> Result<Self, OriginError> {
        let read = |text: &str| {
            let address = text.parse::<IpAddr>().ok().map(IpNet::from);
            address.or_else(|| text.parse().ok()).map(canonical)
        };
        let networks = read_all(networks, OriginErrorKind::Network, read)?;
        Ok(self.with(|rules| rules.trusted.extend(networks)))
    }

    /// Switches on that a peer without an address is trusted, as on a Unix socket. Default: off.
    ///
    /// If the server should put a [`PeerAddr`](crate::PeerAddr) into the requests and does not, every
    /// client is trusted.
    #[must_use]
    pub fn trusted_without_address(self) -> Self {
        self.with(|rules| rules.trusted_without_address = true)
    }

    /// Reads `Forwarded` (RFC 7239) and no X-Forwarded-For, -Proto, -Host and -Port. By default
    /// either kind of headers is read, and both in one request are rejected. The later of this and
    /// [`only_x_forwarded`](OriginLayer::only_x_forwarded) counts.
    #[must_use]
    pub fn only_forwarded(self) -> Self {
        self.with(|rules| rules.kind = Kind::Forwarded)
    }

    /// Reads X-Forwarded-For and -Proto and the headers that
    /// [`x_forwarded`](OriginLayer::x_forwarded) names, but no `Forwarded`. By default either kind
    /// of headers is read, and both in one request are rejected. The later of this and
    /// [`only_forwarded`](OriginLayer::only_forwarded) counts.
    #[must_use]
    pub fn only_x_forwarded(self) -> Self {
        self.with(|rules| rules.kind = Kind::XForwarded)
    }

    /// Adds headers that the proxies set besides X-Forwarded-For and -Proto. Default: none, because
    /// many proxies pass these on as the client has sent them.
    #[must_use]
    pub fn x_forwarded(self, headers: impl IntoIterator<Item = XForwarded>) -> Self {
        self.with(|rules| rules.extra.extend(headers))
    }

    /// Adds hosts that are served: names, addresses, and `*.example.org` for all names below that
    /// one. With a port, a host is served on that port only; a request that names no port means the
    /// one of its scheme. Without a port, a host is served on any, and its port in URLs is only the
    /// client's word.
    ///
    /// A request for another host gets a 400, and so does one that names none, unless there is a
    /// [`default_host`](OriginLayer::default_host). Health checks often name an address: list it,
    /// or configure the check's `Host`. Without a list every host is served, and
    /// [`Origin::url`](crate::Origin::url) makes no URL.
    ///
    /// # Errors
    ///
    /// An [`OriginError`] if one is not a host, or if there is none. With an empty list every host
    /// would be served.
    pub fn hosts<T: AsRef<str>>(
        self,
        hosts: impl IntoIterator<Item = T>,
    ) -> Result<Self, OriginError> {
        let hosts = read_all(hosts, OriginErrorKind::Host, HostPattern::parse)?;
        if hosts.is_empty() {
            return Err(OriginError {
                kind: OriginErrorKind::Host,
                text: "".into(),
            });
        }
        Ok(self.with(|rules| rules.hosts.extend(hosts)))
    }

    /// Sets the host of requests that name none, such as health checks over HTTP/1.0. It is a name
    /// or an address, with a port if that is not the scheme's own. Links can be made with it. It is
    /// not one of the [`hosts`](OriginLayer::hosts): list it too if a request may name it. By default
    /// a request that names none gets a 400 if there is a list of hosts, and otherwise has no host.
    ///
    /// A request names no host if its target has no authority, its `Host` is missing or empty, and
    /// no trusted proxy names one. The version of HTTP does not matter, although RFC 9112 has
    /// servers reject such requests in HTTP/1.1.
    ///
    /// # Errors
    ///
    /// An [`OriginError`] if it is not a host. A pattern such as `*.example.org` is not one.
    pub fn default_host(self, host: &str) -> Result<Self, OriginError> {
        let host = read_all([host], OriginErrorKind::DefaultHost, Host::parse)?.pop();
        Ok(self.with(|rules| rules.default_host = host))
    }

    /// Sets the scheme to `https`, for a server that itself speaks TLS. A trusted proxy may name
    /// another one. Default: `http`. The scheme in the request does not count.
    #[must_use]
    pub fn https(self) -> Self {
        self.with(|rules| rules.scheme = Scheme::HTTPS)
    }

    /// Sets the prefix that the proxies remove from the path. Their own header with it is not read
    /// then. Default: the prefix in their header.
    ///
    /// # Errors
    ///
    /// An [`OriginError`] if it is not the start of a path, as in a URL.
    pub fn prefix(self, prefix: &str) -> Result<Self, OriginError> {
        let read = |text: &str| prefix::parse(text).map(Arc::from);
        let prefix = read_all([prefix], OriginErrorKind::Prefix, read)?.pop();
        Ok(self.with(|rules| rules.prefix = prefix))
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }
}

impl Default for OriginLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for OriginLayer {
    type Service = WithOrigin<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithOrigin {
            inner,
            rules: self.rules.clone(),
        }
    }
}

fn read_all<T: AsRef<str>, U>(
    texts: impl IntoIterator<Item = T>,
    kind: OriginErrorKind,
    read: impl Fn(&str) -> Option<U>,
) -> Result<Vec<U>, OriginError> {
    let mut all = Vec::new();
    for text in texts {
        let text = text.as_ref();
        all.push(read(text).ok_or_else(|| OriginError {
            kind,
            text: text.into(),
        })?);
    }
    Ok(all)
}

/// IPv4 networks that are written as IPv6 ones, in the form in which peers are looked up.
fn canonical(net: IpNet) -> IpNet {
    let IpNet::V6(mapped) = net else {
        return net;
    };
    let address = mapped.addr().to_ipv4_mapped();
    let len = mapped.prefix_len().checked_sub(96);
    let mapped = address
        .zip(len)
        .and_then(|(address, len)| Ipv4Net::new(address, len).ok());
    mapped.map_or(net, IpNet::V4)
}

/// The error of an option of [`OriginLayer`]: what was found and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginError {
    kind: OriginErrorKind,
    text: Box<str>,
}

/// The kind of an [`OriginError`]: the option whose value is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OriginErrorKind {
    /// A value of [`trusted`](OriginLayer::trusted) is not an address or a network.
    Network,
    /// A value of [`hosts`](OriginLayer::hosts) is not a host, or there are no values.
    Host,
    /// The value of [`default_host`](OriginLayer::default_host) is not a host.
    DefaultHost,
    /// The value of [`prefix`](OriginLayer::prefix) is not the start of a path.
    Prefix,
}

impl OriginError {
    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> OriginErrorKind {
        self.kind
    }
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = match self.kind {
            OriginErrorKind::Network => "expected an address or a network, such as `10.0.0.0/8`",
            OriginErrorKind::Host => {
                "expected a host, such as `example.org`, `*.example.org:8443` or `[2001:db8::1]`"
            }
            OriginErrorKind::DefaultHost => {
                "expected a host, such as `example.org`, `example.org:8443` or `[2001:db8::1]`"
            }
            OriginErrorKind::Prefix => prefix::EXPECTED,
        };
        write!(f, "{expected} (found {:?})", self.text)
    }
}

impl Error for OriginError {}
