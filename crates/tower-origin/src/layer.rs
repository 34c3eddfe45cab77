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

/// A layer that puts the [`Origin`](crate::Origin) into each request, and rejects requests whose
/// host or proxy headers are malformed.
///
/// The 400 is a [`Rejection`](tower_kit::Rejection), in the client's format or in gRPC. Its reason
/// is a [`BadOrigin`](crate::BadOrigin).
///
/// # Proxies that send both kinds of headers
///
/// A request that has `Forwarded` and X-Forwarded-For or -Proto gets a 400, because one of the two
/// may be the client's own. A request with `Forwarded` and -Host or -Port gets one too, if
/// [`x_forwarded`](OriginLayer::x_forwarded) names these.
///
/// - The proxy sets one kind and passes the other on, as HAProxy, Apache, Caddy and nginx do. Let
///   the proxy delete the other kind, or name the kind that it sets. For these four it is
///   [`only_x_forwarded`](OriginLayer::only_x_forwarded).
/// - The proxy sets both, as OpenShift's router does, and lighttpd with `proxy.forwarded`. Name
///   either kind. `only_x_forwarded()` keeps -Host and -Port available. `only_forwarded()` has the
///   host and the scheme of the first proxy.
/// - Two proxies in a row set one kind each. Let the inner one append to the kind that the outer
///   one sets, because each kind has only a part of the hops.
///
/// # Health checks
///
/// A check over HTTP/1.0 names no host (HAProxy's `option httpchk` by default), so it needs
/// [`default_host`](OriginLayer::default_host). A check that names an address needs a `Host` in its
/// own configuration, or that address in [`hosts`](OriginLayer::hosts). A kubelet names the pod's
/// address, and `httpHeaders` of the probe sets its `Host`.
///
/// # Examples
///
/// ```
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Full};
/// use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
/// use tower_origin::{Origin, OriginLayer, PeerAddr};
///
/// async fn app(request: Request<()>) -> Result<Response<Full<bytes::Bytes>>, BoxError> {
///     let (parts, ()) = request.into_parts();
///     let origin = parts.extensions.get::<Origin>().ok_or("no OriginLayer")?;
///     let url = origin.url(&parts).ok_or("the host is not on a list")?;
///     Ok(Response::new(format!("{:?} requested {url}", origin.client()).into()))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let origin = OriginLayer::new().trusted(["10.0.0.0/8"])?.hosts(["example.org"])?;
/// let app = ServiceBuilder::new().layer(origin).service(service_fn(app));
///
/// let request = Request::get("/a?b")
///     .extension(PeerAddr("10.0.0.1:4000".parse()?)) // the server does this
///     .header("forwarded", "for=192.0.2.1;host=example.org;proto=https");
/// let response = app.oneshot(request.body(())?).await?;
/// let text = response.into_body().collect().await?.to_bytes();
/// assert_eq!(text, "Some(192.0.2.1) requested https://example.org/a?b");
/// # Ok(())
/// # }
/// ```
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
    /// `2001:db8::1`. By default, no proxy is trusted.
    ///
    /// Trust only proxies that set X-Forwarded-Proto themselves or drop it, and that append to
    /// X-Forwarded-For or `Forwarded`. A header that a proxy passes on as the client has sent it
    /// counts too. A proxy that writes a quoted value of the client's into `Forwarded` must escape
    /// that value.
    ///
    /// The server has to leave the peer's address, as [`PeerAddr`](crate::PeerAddr). With the
    /// feature `axum` it may be axum's `ConnectInfo` (`into_make_service_with_connect_info`), and
    /// with the feature `tonic` tonic's `TcpConnectInfo`. Without an address, no peer is trusted,
    /// and no request is rejected for that.
    ///
    /// # Errors
    ///
    /// Returns an [`OriginError`] if one is not an address or a network.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_origin::OriginLayer;
    ///
    /// let layer = OriginLayer::new().trusted(["10.0.0.0/8", "2001:db8::1"])?;
    /// let error = OriginLayer::new().trusted(["proxy.example"]).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "expected an address or a network, such as `10.0.0.0/8` (found \"proxy.example\")"
    /// );
    /// # Ok::<(), tower_origin::OriginError>(())
    /// ```
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

    /// Trusts peers without an address, as on a Unix socket. By default they are not trusted.
    ///
    /// If the server should put a [`PeerAddr`](crate::PeerAddr) into the requests and does not,
    /// every client is trusted.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_origin::OriginLayer;
    ///
    /// // The server listens on a Unix socket, and only the proxy can open it.
    /// let layer = OriginLayer::new().trusted_without_address();
    /// ```
    #[must_use]
    pub fn trusted_without_address(self) -> Self {
        self.with(|rules| rules.trusted_without_address = true)
    }

    /// Reads `Forwarded` (RFC 7239) and no X-Forwarded-For, -Proto, -Host and -Port. By default
    /// either kind of headers is read, and both in one request are rejected.
    ///
    /// The later call of this and [`only_x_forwarded`](OriginLayer::only_x_forwarded) counts. With
    /// this, [`x_forwarded`](OriginLayer::x_forwarded) has an effect only for
    /// [`XForwarded::Prefix`], because `Forwarded` has no parameter for a prefix.
    #[must_use]
    pub fn only_forwarded(self) -> Self {
        self.with(|rules| rules.kind = Kind::Forwarded)
    }

    /// Reads X-Forwarded-For and -Proto and the headers that
    /// [`x_forwarded`](OriginLayer::x_forwarded) names, but no `Forwarded`. By default either kind
    /// of headers is read, and both in one request are rejected.
    ///
    /// The later call of this and [`only_forwarded`](OriginLayer::only_forwarded) counts.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_origin::OriginLayer;
    ///
    /// // nginx sets X-Forwarded-For and -Proto, and passes `Forwarded` on.
    /// let layer = OriginLayer::new().trusted(["127.0.0.1"])?.only_x_forwarded();
    /// # Ok::<(), tower_origin::OriginError>(())
    /// ```
    #[must_use]
    pub fn only_x_forwarded(self) -> Self {
        self.with(|rules| rules.kind = Kind::XForwarded)
    }

    /// Adds headers that the proxies set besides X-Forwarded-For and -Proto. Default: none, because
    /// many proxies pass these on as the client has sent them. [`XForwarded`] has an example.
    ///
    /// If two proxies in a row append to X-Forwarded-Host or -Prefix, the inner one's value counts.
    /// Let the inner one leave them alone.
    #[must_use]
    pub fn x_forwarded(self, headers: impl IntoIterator<Item = XForwarded>) -> Self {
        self.with(|rules| rules.extra.extend(headers))
    }

    /// Adds hosts that are served: names, addresses, and `*.example.org` for all names below
    /// `example.org`. By default every host is served.
    ///
    /// With a port, a host is served on that port only. A request that names no port has the one of
    /// its scheme. Without a port, a host is served on any port. Then the port in URLs is the one
    /// that the client sends.
    ///
    /// A request for another host gets a 400, and so does one that names none, unless there is a
    /// [`default_host`](OriginLayer::default_host). Without a list,
    /// [`Origin::url`](crate::Origin::url) returns `None`.
    ///
    /// # Errors
    ///
    /// Returns an [`OriginError`] if one is not a host, or if the list is empty. With an empty list
    /// every host would be served.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_origin::OriginLayer;
    ///
    /// let layer = OriginLayer::new().hosts(["example.org", "*.example.org", "[::1]:8080"])?;
    /// # Ok::<(), tower_origin::OriginError>(())
    /// ```
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

    /// Sets the host of requests that name none, such as health checks over HTTP/1.0. By default
    /// such a request gets a 400 if there is a list of hosts, and otherwise has no host.
    ///
    /// The host is a name or an address, with a port if that is not the scheme's own. URLs can be
    /// made with it. It is not one of the [`hosts`](OriginLayer::hosts): list it too if a request
    /// may name it.
    ///
    /// A request names no host if its target has no authority, its `Host` is missing or empty, and
    /// no trusted proxy names one. The version of HTTP does not matter, although servers must
    /// reject such requests in HTTP/1.1 (RFC 9112).
    ///
    /// # Errors
    ///
    /// Returns an [`OriginError`] if it is not a host. A pattern such as `*.example.org` is not
    /// one.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_origin::OriginLayer;
    ///
    /// let layer = OriginLayer::new().hosts(["example.org"])?.default_host("example.org")?;
    /// # Ok::<(), tower_origin::OriginError>(())
    /// ```
    pub fn default_host(self, host: &str) -> Result<Self, OriginError> {
        let host = read_all([host], OriginErrorKind::DefaultHost, Host::parse)?.pop();
        Ok(self.with(|rules| rules.default_host = host))
    }

    /// Sets the scheme to `https`, for a server that itself speaks TLS. By default it is `http`.
    ///
    /// The report of a trusted proxy counts before it, and so does a
    /// [`PeerScheme`](crate::PeerScheme) of the server. The scheme in the request's target does not
    /// count.
    #[must_use]
    pub fn https(self) -> Self {
        self.with(|rules| rules.scheme = Scheme::HTTPS)
    }

    /// Sets the prefix that the proxies strip from the path. X-Forwarded-Prefix is not read then.
    /// By default the prefix is the one in that header, if
    /// [`x_forwarded`](OriginLayer::x_forwarded) names it, and otherwise empty.
    ///
    /// # Errors
    ///
    /// Returns an [`OriginError`] if it is not the start of a path, as in a URL.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_origin::OriginLayer;
    ///
    /// // The proxy passes `/app/page` on as `/page`.
    /// let layer = OriginLayer::new().prefix("/app")?;
    /// # Ok::<(), tower_origin::OriginError>(())
    /// ```
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

/// Returns a network in the form in which peers are looked up: IPv4 in IPv6 becomes IPv4.
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

/// The error of an option of [`OriginLayer`]. Its text has what was found and what was expected.
///
/// # Examples
///
/// ```
/// use tower_origin::{OriginErrorKind, OriginLayer};
///
/// let error = OriginLayer::new().prefix("app").unwrap_err();
/// assert_eq!(error.kind(), OriginErrorKind::Prefix);
/// ```
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
