use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Method};
use tower_kit::names::plain;

#[cfg(feature = "tls")]
use crate::Tls;
use crate::{
    Address, BuildError, BuildErrorKind, Network, PassedHeader, Protocol, UpgradeProtocol,
    balance::Balance, dropped::Dropped, transport::Transport, via::Via,
};

/// A service that passes requests on to an HTTP server, by TCP or through a Unix socket.
///
/// It speaks HTTP/1.1 to the upstream, over connections that are kept, and streams both ways. It
/// responds with the upstream's response. If there is none, it responds with a
/// [`Rejection`](tower_kit::Rejection) whose reason is an [`UpstreamError`](crate::UpstreamError).
///
/// A clone is one reference count and shares the connections. It is called within a tokio runtime.
///
/// ```
/// use std::time::Duration;
///
/// use axum::{Router, routing::get};
/// use tower_upstream::{HostPolicy, Upstream};
///
/// # fn main() -> Result<(), tower_upstream::BuildError> {
/// let old = Upstream::new("http://10.0.0.5:8080")?
///     .host(HostPolicy::Upstream)
///     .header_timeout(Duration::from_secs(20))
///     .trusted(["10.0.0.0/8"])?;
/// let app: Router = Router::new()
///     .route("/new", get(async || "new"))
///     .fallback_service(old);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Upstream {
    pub(crate) options: Arc<Options>,
}

#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) balance: Arc<Balance>,
    pub(crate) connect_timeout: Duration,
    /// The time for which an idle connection is kept.
    pub(crate) keep_time: Duration,
    /// `None` allows all.
    pub(crate) methods: Option<Methods>,
    pub(crate) suppressed: Vec<HeaderName>,
    pub(crate) passed: Vec<HeaderName>,
    pub(crate) dropped: Arc<Dropped>,
    pub(crate) host: HostPolicy,
    pub(crate) via: Via,
    pub(crate) header_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) maps_locations: bool,
    pub(crate) upgrades: Vec<UpgradeProtocol>,
    /// `None` is no limit.
    pub(crate) tunnel_timeout: Option<Duration>,
    pub(crate) trusted: Vec<Network>,
}

/// The methods that are passed on.
#[derive(Clone)]
pub(crate) struct Methods {
    pub(crate) list: Vec<Method>,
    pub(crate) allow: HeaderValue,
}

/// The host that the upstream finds in `Host`. X-Forwarded-Host has the client's either way.
///
/// Frameworks make links of it, redirect to it, and compare it with the `Origin` of a form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostPolicy {
    /// The upstream's own for an address of `https://` with a name, because servers that are reached
    /// so expect their own name. Otherwise the client's, also for `https://` with an IP address.
    #[default]
    Auto,
    /// The upstream's own, as its address has it, for a server that has several sites. Of these, a
    /// client cannot choose one.
    Upstream,
    /// The client's: the one that an [`Origin`](tower_origin::Origin) names, or otherwise the one
    /// that the request names. Where neither does, it is the upstream's own.
    ///
    /// A server with several sites chooses one by it, so a client can reach each of them. A list of
    /// [`hosts`](tower_origin::OriginLayer::hosts) rejects other names.
    Client,
}

impl Upstream {
    /// Returns a service for the upstream at this address: `http://HOST[:PORT][/PATH]`,
    /// `https://HOST[:PORT][/PATH]` or `unix:/path/to.sock[:/PATH]`.
    ///
    /// No connection is made before the first request. Names are looked up for each connection.
    ///
    /// # Errors
    ///
    /// Returns an error for a text that is not an [`Address`].
    pub fn new<T>(address: T) -> Result<Self, BuildError>
    where
        T: TryInto<Address, Error: Into<BuildError>>,
    {
        let address = address.try_into().map_err(Into::into)?;
        let options = Options {
            balance: Arc::new(Balance::new(address)),
            connect_timeout: Duration::from_secs(5),
            keep_time: Duration::from_secs(4),
            methods: None,
            suppressed: Vec::new(),
            passed: Vec::new(),
            dropped: Arc::default(),
            host: HostPolicy::default(),
            via: Via::new("tower-upstream"),
            header_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            maps_locations: false,
            upgrades: vec![UpgradeProtocol::websocket()],
            tunnel_timeout: None,
            trusted: Vec::new(),
        };
        let options = Arc::new(options);
        Ok(Self { options })
    }

    /// Sets the version of HTTP that is spoken to the upstream. Default: over TLS, HTTP/2 or
    /// HTTP/1.1 as the upstream chooses, and otherwise HTTP/1.1.
    ///
    /// It begins with new connections, so earlier ones are not used again.
    #[must_use]
    pub fn protocol(self, protocol: Protocol) -> Self {
        self.with_transport(|transport| transport.protocol = protocol)
    }

    /// Sets whom the proxy trusts over TLS, and who it is itself. Default: [`Tls::new`].
    ///
    /// It counts for `https` addresses. It begins with new connections, so earlier ones are not
    /// used again.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn tls(self, tls: Tls) -> Self {
        self.with_transport(|transport| transport.tls = tls)
    }

    fn with_transport(self, change: impl FnOnce(&mut Transport)) -> Self {
        self.with(|options| options.balance = Arc::new(options.balance.with_transport(change)))
    }

    /// Adds an upstream that serves the same. Default: one upstream.
    ///
    /// A request goes to the upstream with the fewest requests under way. If no connection can be
    /// made, it goes to the next one. An upstream to which no connection can be made, or which
    /// closes a new one without a response, gets no request for 50 milliseconds, and for at most
    /// 800 if that continues. Then one request tries it.
    ///
    /// # Errors
    ///
    /// Returns an error for a text that is not an [`Address`], and for an address with another path
    /// than the first one.
    pub fn also<T>(self, address: T) -> Result<Self, BuildError>
    where
        T: TryInto<Address, Error: Into<BuildError>>,
    {
        let address = address.try_into().map_err(Into::into)?;
        if address.path() != self.options.balance.first().path() {
            let message = "the addresses of one upstream have different paths";
            return Err(BuildError::new(BuildErrorKind::Path, message));
        }
        Ok(self.with(|options| options.balance = Arc::new(options.balance.and(address))))
    }

    /// Sets the methods that are passed on. Requests with other methods are a 405. Default: all.
    ///
    /// CONNECT is a 501 in either case, except for a WebSocket over HTTP/2, which counts as a GET.
    #[must_use]
    pub fn allowed_methods(self, methods: impl IntoIterator<Item = Method>) -> Self {
        let list: Vec<Method> = methods.into_iter().collect();
        let names: Vec<&str> = list.iter().map(Method::as_str).collect();
        let allow = HeaderValue::from_str(&names.join(", "));
        let allow = allow.expect("a list of tokens is a value");
        self.with(|options| options.methods = Some(Methods { list, allow }))
    }

    /// Adds request headers that the upstream does not get. Default: none.
    ///
    /// A name covers all spellings that a server may take for it: `x-user` covers `X_User`, too.
    #[must_use]
    pub fn suppressed_headers(self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        let names = names.into_iter().map(|name| match plain(name.as_str()) {
            plain if plain == name.as_str() => name,
            plain => HeaderName::from_bytes(plain.as_bytes())
                .expect("letters, digits and hyphens are a name"),
        });
        self.with(|options| options.suppressed.extend(names))
    }

    /// Adds request headers that the upstream gets although their names have other characters than
    /// letters, digits and `-`, as `X_Token` has. Default: none.
    ///
    /// # Errors
    ///
    /// Returns an error for a name that is not a [`PassedHeader`].
    pub fn passed_headers<T>(self, names: impl IntoIterator<Item = T>) -> Result<Self, BuildError>
    where
        T: TryInto<PassedHeader, Error: Into<BuildError>>,
    {
        let names: Vec<PassedHeader> = all(names)?;
        Ok(self.with(|options| options.passed.extend(names.into_iter().map(|name| name.0))))
    }

    /// Sets whose name the upstream finds in `Host`. Default: [`HostPolicy::Auto`].
    #[must_use]
    pub fn host(self, policy: HostPolicy) -> Self {
        self.with(|options| options.host = policy)
    }

    /// Sets the name of this proxy in `Via`, which each upstream gets. Default: `tower-upstream`.
    ///
    /// # Errors
    ///
    /// Returns an error for a name that is not a token (RFC 9110, section 7.6.3).
    pub fn via(self, name: impl Into<String>) -> Result<Self, BuildError> {
        let name = name.into();
        // A method is a token, too.
        if Method::from_bytes(name.as_bytes()).is_err() {
            let message = format!("{name:?} is not a token, such as tower-upstream");
            return Err(BuildError::new(BuildErrorKind::Via, message));
        }
        Ok(self.with(|options| options.via = Via::new(&name)))
    }

    /// Sets the time that a connection may take, including the lookup of the name. Then the request
    /// goes to the next upstream, or is a 504. Default: 5 seconds.
    #[must_use]
    pub fn connect_timeout(self, limit: Duration) -> Self {
        self.with(|options| options.connect_timeout = countable(limit))
    }

    /// Sets the time for which an idle connection is kept. Zero keeps none. Default: 4 seconds.
    ///
    /// It has to be shorter than the upstream's own time, or else a request may meet a connection
    /// that is being closed. Most servers keep connections for 5 seconds or more. gunicorn with
    /// threads does so for 2 seconds, and needs 1.5 here. If the upstream states its time in
    /// `Keep-Alive: timeout=N`, that time less one second counts where it is shorter.
    #[must_use]
    pub fn keep_alive(self, time: Duration) -> Self {
        self.with(|options| options.keep_time = countable(time))
    }

    /// Sets the time for the head of a response, from the last bytes of the request that the
    /// upstream has taken. Then the request is a 504, or a 408 if the client's body has stopped.
    /// Default: 60 seconds.
    #[must_use]
    pub fn header_timeout(self, limit: Duration) -> Self {
        self.with(|options| options.header_timeout = countable(limit))
    }

    /// Sets the time for each further frame of a response. Then the response breaks off. Default:
    /// 60 seconds.
    ///
    /// Only time in which the body is read counts, and a moving upload restarts it. It counts for a
    /// tunnel after one of its sides has ended.
    #[must_use]
    pub fn idle_timeout(self, limit: Duration) -> Self {
        self.with(|options| options.idle_timeout = countable(limit))
    }

    /// Maps references of the upstream to itself into those that the client can use. Default: they
    /// are passed on unchanged.
    ///
    /// It is for an upstream that does not know below which path the client finds it. The values of
    /// `Location`, `Content-Location` and `Refresh` and the `Path` of cookies are mapped, if they
    /// are below the path of the upstream's address. References to other hosts stay, and so do
    /// relative ones, bodies and `Link`.
    #[must_use]
    pub fn map_locations(self) -> Self {
        self.with(|options| options.maps_locations = true)
    }

    /// Sets the protocols to which a client may upgrade. Default: `websocket` alone.
    ///
    /// Without protocols, and with [`Protocol::Http2`], no tunnel is made. For any other protocol,
    /// a request is passed on without its `Upgrade`, and the upstream's response is an ordinary
    /// one. A client can ask for a protocol with a GET of HTTP/1.1, and for `websocket` with an
    /// extended CONNECT of HTTP/2 (RFC 8441). The server has to make upgrades possible, as hyper's
    /// `with_upgrades` does.
    ///
    /// # Errors
    ///
    /// Returns an error for a text that is not an [`UpgradeProtocol`].
    pub fn upgrades<T>(self, protocols: impl IntoIterator<Item = T>) -> Result<Self, BuildError>
    where
        T: TryInto<UpgradeProtocol, Error: Into<BuildError>>,
    {
        let protocols: Vec<UpgradeProtocol> = all(protocols)?;
        Ok(self.with(|options| options.upgrades = protocols))
    }

    /// Sets the time in which something has to move through a tunnel, in either direction. Then it
    /// is closed. Default: no limit.
    ///
    /// After one side has ended, the other has the [`idle_timeout`](Self::idle_timeout) instead.
    #[must_use]
    pub fn tunnel_timeout(self, limit: Duration) -> Self {
        self.with(|options| options.tunnel_timeout = Some(countable(limit)))
    }

    /// Adds peers whose forwarding headers are believed: `Forwarded`, X-Forwarded-* and X-Real-IP.
    /// Default: none.
    ///
    /// The server has to leave the peer's address in the request's extensions, as
    /// [`PeerAddr`](tower_origin::PeerAddr). Without an address, no peer is trusted.
    ///
    /// # Errors
    ///
    /// Returns an error for a text that is not a [`Network`].
    pub fn trusted<T>(self, networks: impl IntoIterator<Item = T>) -> Result<Self, BuildError>
    where
        T: TryInto<Network, Error: Into<BuildError>>,
    {
        let networks: Vec<Network> = all(networks)?;
        Ok(self.with(|options| options.trusted.extend(networks)))
    }

    /// Returns how many headers were not passed on because of their names, of all requests to this
    /// service and its clones: `X_Forwarded_For`, `SCRIPT_NAME`. Each name is logged once.
    #[must_use]
    pub fn dropped_headers(&self) -> u64 {
        self.options.dropped.count()
    }

    fn with(self, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Arc::unwrap_or_clone(self.options);
        change(&mut options);
        let options = Arc::new(options);
        Self { options }
    }
}

/// Returns a time that can be added to an [`Instant`](tokio::time::Instant). `Duration::MAX`, which
/// stands for "never", cannot. A year is long enough.
fn countable(time: Duration) -> Duration {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    time.min(YEAR)
}

fn all<T, V>(values: impl IntoIterator<Item = T>) -> Result<Vec<V>, BuildError>
where
    T: TryInto<V, Error: Into<BuildError>>,
{
    let values = values.into_iter().map(TryInto::try_into);
    values.map(|value| value.map_err(Into::into)).collect()
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field(
                "addresses",
                &self.options.balance.addresses().collect::<Vec<_>>(),
            )
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_changes_no_other_clone() {
        let one = Upstream::new("http://h").unwrap();
        let two = one.clone().allowed_methods([Method::GET]);
        assert!(one.options.methods.is_none() && two.options.methods.is_some());
        // They log each name once together.
        assert!(Arc::ptr_eq(&one.options.dropped, &two.options.dropped));
    }

    #[test]
    fn upstream_3_a_suppressed_name_is_kept_in_its_plain_form() {
        let names = ["x_user", "accept", "x.y"].map(HeaderName::from_static);
        let upstream = Upstream::new("http://h").unwrap().suppressed_headers(names);
        assert_eq!(upstream.options.suppressed, ["x-user", "accept", "x-y"]);
    }
}
