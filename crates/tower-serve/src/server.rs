use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use humantime::format_duration;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tower::BoxError;
use tower_service::Service;

use crate::{
    acceptor::Acceptor,
    address::Address,
    bind,
    connection::{Accepted, Protocol},
    limits::{Limits, countable, possible},
    listener::Listener,
    panic::contained,
    request_body::RequestBody,
    shutdown::Shutdown,
};

/// Serves an app until SIGTERM or Ctrl-C (SIGINT), then lets requests finish: the short form of [`Server`] with its
/// defaults and [`Shutdown::signals`].
///
/// # Errors
///
/// `address` is no [`Address`] ([`InvalidInput`](io::ErrorKind::InvalidInput)), and what [`Server::bind`] and
/// [`Bound::serve`] give.
///
/// # Examples
///
/// ```
/// use std::{convert::Infallible, io};
///
/// use http::{Request, Response};
/// use tower_deploy::Body;
///
/// async fn served() -> io::Result<()> {
///     let app = tower::service_fn(|_: Request<RequestBody>| async {
///         Ok::<_, Infallible>(Response::new(Body::from("Hello")))
///     });
///     tower_deploy::serve("127.0.0.1:8080", app).await
/// }
/// ```
pub async fn serve<S, B>(address: &str, app: S) -> io::Result<()>
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
    let server = Server::new(address).bind().await?;
    for address in server.addresses() {
        tracing::info!("listening on {address}");
    }
    server.serve(app, shutdown).await
}

/// A server for HTTP/1 and HTTP/2 (with prior knowledge), without TLS: an address and limits.
///
/// Upgraded connections (WebSocket) are the app's own: they count among the connections and have the write timeout, and
/// nothing else here applies to them.
#[derive(Clone, Debug)]
pub struct Server {
    address: Address,
    limits: Limits,
}

/// At `127.0.0.1:8080`.
impl Default for Server {
    fn default() -> Self {
        Self::new(Address::Tcp("127.0.0.1:8080".to_owned()))
    }
}

impl Server {
    /// A server at this address with the default limits.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            limits: Limits::default(),
        }
    }

    /// Replaces the address.
    #[must_use]
    pub fn address(mut self, address: Address) -> Self {
        self.address = address;
        self
    }

    /// How long a request's head may take: the first from when the connection is accepted, each later one of HTTP/1 from
    /// the end of the answer before it, so that it is also how long a connection may be idle. Then the connection is closed.
    /// An HTTP/2 connection with a first request may be idle for longer, but has to answer a ping at this interval within
    /// this time. 10 seconds unless it is set.
    ///
    /// As with all times here zero is no time at all and serves nobody, and what is longer than a year is a year.
    #[must_use]
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.limits.header_timeout = countable(timeout);
        self
    }

    /// How long an app that reads a request's body may wait for the next frame of it. Then the body ends with an
    /// [`io::Error`] of the kind [`TimedOut`](io::ErrorKind::TimedOut). 60 seconds unless it is set.
    #[must_use]
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.limits.body_timeout = countable(timeout);
        self
    }

    /// How long a client may take nothing of what is written to it. Then the connection is closed. It is about the
    /// connection: an HTTP/2 client that reads, and grants a stream no window, is not noticed. 60 seconds unless it is set.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.limits.write_timeout = countable(timeout);
        self
    }

    /// How many connections may be open at once, upgraded ones among them; at least one. More wait in the system's queue until
    /// one is closed. 10,000 unless it is set, which needs as many open files (`ulimit -n`).
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.limits.connections = possible(connections);
        self
    }

    /// How long requests under way may take after the signal to end. 30 seconds unless it is set.
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.limits.drain_timeout = countable(timeout);
        self
    }

    /// Serves clients that end their sending side after a request (`nc -N`), over HTTP/1. They get
    /// their response, and then the connection is closed. Off by default.
    ///
    /// A client that leaves mostly ends its sending side too, and the server learns nothing else of
    /// it. With this, the app works on for such a client until it sends something. A reset still
    /// ends a request at once.
    ///
    /// Over HTTP/2, the end of the sending side ends the connection with either setting.
    #[must_use]
    pub fn allow_half_close(mut self) -> Self {
        self.limits.half_close = true;
        self
    }

    /// Opens the socket. From here on clients can connect; they wait until [`Bound::serve`].
    ///
    /// A supervisor may hand sockets over instead, as systemd does: with `LISTEN_FDS` in the environment (and `LISTEN_PID`
    /// absent or this process), all of them are served, TCP and unix, and **the address is not used at all**. The first
    /// server of a process takes them, and removes the variables.
    ///
    /// The file of a unix socket that nobody listens on any more is replaced. One's own file is removed in the end.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on, or what was handed over is no listening socket. The error says which, and what
    /// to do about it.
    pub async fn bind(self) -> io::Result<Bound> {
        Ok(Bound {
            listeners: bind::open(&self.address).await?,
            limits: self.limits,
        })
    }
}

/// A server whose sockets are open.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<Listener>,
    limits: Limits,
}

impl Bound {
    /// Where it listens, as a client would write it: `http://127.0.0.1:43211`, `unix:/run/site.sock`.
    pub fn addresses(&self) -> impl Iterator<Item = String> {
        self.listeners
            .iter()
            .map(|listener| listener.address().to_owned())
    }

    /// Serves until the first signal. Then the sockets are closed, connections that are idle or have not spoken too, and
    /// requests under way finish.
    ///
    /// Each request has a clone of the app, which is made ready and then called, and its peer's
    /// [`PeerAddr`](tower_origin::PeerAddr) among its extensions, unless it came over a unix socket. A panic of the app ends its own
    /// connection (with HTTP/2, its own request), an error likewise.
    ///
    /// Where a response has no content (HEAD, 204, 205, 304), the app's body is dropped and never
    /// polled. Instead of a 1xx the client gets a 500, except a 101 where it asked for an upgrade.
    /// Instead of a 2xx with content for CONNECT it gets a 501.
    ///
    /// Dropping the future ends every connection, but for upgraded ones.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](io::ErrorKind::TimedOut) if connections were still open when the drain timeout was over, and
    /// [`Interrupted`](io::ErrorKind::Interrupted) if they were at a second signal. They are aborted.
    pub async fn serve<S, B>(self, app: S, mut shutdown: Shutdown) -> io::Result<()>
    where
        S: Service<
                Request<RequestBody>,
                Response = Response<B>,
                Error: Into<BoxError>,
                Future: Send,
            > + Clone
            + Send
            + 'static,
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let Self { listeners, limits } = self;
        let drain_timeout = limits.drain_timeout;
        let mut acceptor = Acceptor::new(listeners, limits.connections);
        let protocol = Arc::new(Protocol::new(limits));
        let (serving, draining) = watch::channel(());
        // What is in it ends with it, however this future ends.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.signal() => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                ((socket, peer), slot) = acceptor.accept() => {
                    let accepted = Accepted { socket, peer, slot };
                    let protocol = Arc::clone(&protocol);
                    let connection = protocol.serve(accepted, app.clone(), draining.clone());
                    connections.spawn(contained(connection));
                }
            }
        }

        // No connection is taken from here on, and each that is open hears of it.
        drop((acceptor, serving));
        let deadline = Instant::now() + drain_timeout;
        let ended = async { while connections.join_next().await.is_some() {} };
        let (kind, when) = tokio::select! {
            biased;
            () = ended => return Ok(()),
            () = shutdown.signal() => (io::ErrorKind::Interrupted, "at the second signal".to_owned()),
            () = sleep_until(deadline) => {
                let when = format!("{} after the signal to end", format_duration(drain_timeout));
                (io::ErrorKind::TimedOut, when)
            }
        };
        let text = match connections.len() {
            1 => format!("1 connection was still open {when} and is aborted"),
            count => format!("{count} connections were still open {when} and are aborted"),
        };
        Err(io::Error::new(kind, text))
    }
}
