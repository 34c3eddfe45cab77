use std::{io, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use tower::BoxError;
use tower_service::Service;

#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::{
    access_log::{AccessLog, OpenLog},
    address::Address,
    bind,
    bound::Bound,
    entry::Entry,
    limits::{Limits, countable, possible},
    proxy_protocol::ParseNetworkError,
    request_body::RequestBody,
    shutdown::Shutdown,
};

/// Serves a service until SIGTERM or Ctrl-C (SIGINT), and then lets requests finish. It is the
/// short form of a [`Server`] with its defaults and of [`Shutdown::signals`].
///
/// # Errors
///
/// An error of the kind [`InvalidInput`](io::ErrorKind::InvalidInput) if `address` is not an
/// [`Address`], and the errors of [`Server::bind`] and [`Bound::serve`].
///
/// # Examples
///
/// ```
/// use std::{convert::Infallible, io};
///
/// use http::{Request, Response};
/// use tower_serve::RequestBody;
///
/// async fn run() -> io::Result<()> {
///     let service = tower::service_fn(async |_: Request<RequestBody>| {
///         Ok::<_, Infallible>(Response::new("hello".to_owned()))
///     });
///     tower_serve::serve("127.0.0.1:8080", service).await
/// }
/// ```
pub async fn serve<S, B>(address: &str, service: S) -> io::Result<()>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let address = address
        .parse()
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let shutdown = Shutdown::signals()?;
    let bound = Server::new(address).bind().await?;
    for address in bound.addresses() {
        tracing::info!("listening on {address}");
    }
    bound.serve(service, shutdown).await
}

/// A server for HTTP/1 and HTTP/2: an address and limits. Without TLS, HTTP/2 needs prior
/// knowledge.
///
/// An upgraded connection (WebSocket) is left to the service. It counts as one of the connections
/// and has the write timeout. No other limit applies to it.
///
/// In every timeout, zero is no time at all, with which no client is served. A time of more than a
/// year counts as a year.
///
/// # Examples
///
/// ```
/// use std::{convert::Infallible, io, time::Duration};
///
/// use http::{Request, Response};
/// use tower_serve::{Address, RequestBody, Server, Shutdown};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// let service = tower::service_fn(async |_: Request<RequestBody>| {
///     Ok::<_, Infallible>(Response::new("hello".to_owned()))
/// });
/// let address = Address::Tcp("127.0.0.1:0".to_owned());
/// let bound = Server::new(address)
///     .header_timeout(Duration::from_secs(5))
///     .connections(100)
///     .bind()
///     .await?;
/// let (trigger, shutdown) = Shutdown::manual();
/// trigger.signal();
/// bound.serve(service, shutdown).await
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Server {
    address: Address,
    limits: Limits,
    entry: Entry,
    access_log: Option<AccessLog>,
}

/// The server at `127.0.0.1:8080`.
impl Default for Server {
    fn default() -> Self {
        Self::new(Address::Tcp("127.0.0.1:8080".to_owned()))
    }
}

impl Server {
    /// Returns a server at this address with the default limits.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            limits: Limits::default(),
            entry: Entry::default(),
            access_log: None,
        }
    }

    /// Replaces the address.
    #[must_use]
    pub fn address(mut self, address: Address) -> Self {
        self.address = address;
        self
    }

    /// Sets the time for a request's head. Default: 10 seconds.
    ///
    /// The time for the first head begins when the connection is accepted, and the time for a later
    /// head of HTTP/1 with its first byte. After that time the connection is closed, without a
    /// response.
    ///
    /// An HTTP/2 connection is pinged at this interval, and closed if it does not answer a ping
    /// within this time.
    #[must_use]
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.limits.header_timeout = countable(timeout);
        self
    }

    /// Sets how long a connection may be idle after a response. Default: 75 seconds.
    ///
    /// After that time the connection is closed. A proxy that sends its next request at that moment
    /// has to send it again, so the timeout should be longer than the proxy's own. Load balancers
    /// keep idle connections for 60 seconds and less.
    #[must_use]
    pub fn keep_alive_timeout(mut self, timeout: Duration) -> Self {
        self.limits.keep_alive_timeout = countable(timeout);
        self
    }

    /// Sets how long a service that reads a request's body may wait for the next frame. Default: 60
    /// seconds.
    ///
    /// After that time the body ends with an [`io::Error`] of the kind
    /// [`TimedOut`](io::ErrorKind::TimedOut).
    #[must_use]
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.limits.body_timeout = countable(timeout);
        self
    }

    /// Sets how long a client may take nothing of what is written to it. Default: 60 seconds.
    ///
    /// After that time the connection is closed. The timeout is about the connection: an HTTP/2
    /// client that reads, and grants a stream no window, is not noticed.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.limits.write_timeout = countable(timeout);
        self
    }

    /// Sets the largest number of open connections, upgraded ones included. Default: 10,000. At
    /// least one is always allowed.
    ///
    /// More connections wait in the system's queue until one is closed. Each connection needs an
    /// open file (`ulimit -n`).
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.limits.connections = possible(connections);
        self
    }

    /// Sets how long requests may take to finish after the signal to end. Default: 30 seconds.
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.limits.drain_timeout = countable(timeout);
        self
    }

    /// Switches on that clients may end their sending side after a request (`nc -N`), over HTTP/1.
    /// They get their response, and then the connection is closed. Default: off.
    ///
    /// A client that leaves mostly ends its sending side too, and over HTTP/1 nothing else shows
    /// that it has left. With this option the service works on for such a client, until it sends
    /// something. A reset still ends a request at once.
    ///
    /// Over HTTP/2, the end of the sending side ends the connection with either setting.
    #[must_use]
    pub fn allow_half_close(mut self) -> Self {
        self.limits.half_close = true;
        self
    }

    /// Speaks TLS with these certificates, on all sockets of the server. Default: without TLS.
    ///
    /// The handshake has the time of [`header_timeout`](Self::header_timeout), together with the
    /// first request's head. A client that speaks HTTP without TLS gets a 400. With HTTP/2 and
    /// HTTP/1.1 on offer, the client's ALPN decides, and a client without ALPN may speak either.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.entry.tls = Some(tls);
        self
    }

    /// Expects a header of the PROXY protocol, version 1 or 2, at the beginning of every
    /// connection, and adds the proxies that may send one: addresses and networks, such as
    /// `10.0.0.0/8` or `2001:db8::1`. Default: no header is expected.
    ///
    /// Requests have the [`PeerAddr`](crate::PeerAddr) from the header. In the header of a proxy's
    /// own connection, such as a health check, there is none, and requests have the proxy's
    /// address.
    ///
    /// All other peers are refused, as is a connection without a valid header: it is closed, and a
    /// warning is logged. A proxy on a Unix socket may always send a header, because permissions
    /// decide who reaches that. The header comes before TLS. Its time is that of
    /// [`header_timeout`](Self::header_timeout), and its size is limited to 4 KiB.
    ///
    /// # Errors
    ///
    /// Returns a [`ParseNetworkError`] if one is neither an address nor a network.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_serve::{Address, Server};
    ///
    /// let address = Address::Tcp("10.0.0.2:8080".to_owned());
    /// let server = Server::new(address).proxy_protocol(["10.0.0.1", "fd00::/8"])?;
    /// # Ok::<_, tower_serve::ParseNetworkError>(())
    /// ```
    pub fn proxy_protocol<T: AsRef<str>>(
        mut self,
        trusted: impl IntoIterator<Item = T>,
    ) -> Result<Self, ParseNetworkError> {
        let protocol = self.entry.proxy_protocol.get_or_insert_default();
        protocol.trust(trusted)?;
        Ok(self)
    }

    /// Sets how many bytes of an upload are read and discarded after its response, if the service
    /// has not read it. Default: 32 MiB. With 0 none are.
    ///
    /// Many clients read a response only after they have sent everything, and a connection that is
    /// closed before that resets, so that the response is lost. Over HTTP/1, the server ends its
    /// writing side after the response, reads up to this limit, and then closes the connection. It
    /// does the same after a head that is not valid HTTP. Over HTTP/2, each unread upload is read
    /// on in a task of its own, and the connection stays open.
    ///
    /// A limit below the length of an upload loses responses: Python's `http.client` and hyper's
    /// client read nothing before they have sent all, and node's `fetch` sends up to 8 MB.
    #[must_use]
    pub fn lingering_bytes(mut self, bytes: u64) -> Self {
        self.limits.lingering.bytes = bytes;
        self
    }

    /// Sets how long an upload is read and discarded as [`lingering_bytes`](Self::lingering_bytes)
    /// describes. Default: 30 seconds.
    ///
    /// It also ends 5 seconds after the last byte that has come.
    #[must_use]
    pub fn lingering_time(mut self, time: Duration) -> Self {
        self.limits.lingering.time = countable(time);
        self
    }

    /// Announces extended CONNECT to HTTP/2 clients, which use it for WebSockets (RFC 8441).
    /// Default: off.
    ///
    /// A client may use it for every WebSocket as soon as it is announced, as Chromium does, and
    /// without it opens a second connection with HTTP/1.1. So the service has to accept the method
    /// CONNECT where it accepts a WebSocket, as `axum::routing::any` does. The
    /// [protocol](hyper::ext::Protocol) is in the request's extensions.
    #[must_use]
    pub fn enable_connect_protocol(mut self) -> Self {
        self.limits.connect_protocol = true;
        self
    }

    /// Sets a file that has a line for each request. Default: none.
    ///
    /// With an access log, SIGUSR1 opens its file again while the server serves, and does not end
    /// the process.
    #[must_use]
    pub fn access_log(mut self, log: AccessLog) -> Self {
        self.access_log = Some(log);
        self
    }

    /// Opens the socket. From here on clients can connect; they wait until [`Bound::serve`].
    ///
    /// A supervisor may hand sockets over instead, as systemd does: `LISTEN_FDS` is in the
    /// environment, and `LISTEN_PID` is absent or this process. Then all of these sockets are
    /// served, TCP and Unix, and **the address is not used at all**. The first server of a process
    /// takes them and removes the variables.
    ///
    /// The file of a Unix socket on which no process listens any more is replaced. The server's own
    /// file is removed at the end.
    ///
    /// # Errors
    ///
    /// An error if the server cannot listen on the address, or if a socket that was handed over
    /// does not listen. It names the address or the socket, and the remedy. Returns an error also
    /// if the access log cannot be opened.
    pub async fn bind(self) -> io::Result<Bound> {
        let log = self.access_log.as_ref().map(OpenLog::open).transpose()?;
        let listeners = bind::open(&self.address).await?;
        Ok(Bound::new(listeners, self.limits, self.entry, log))
    }
}
