//! Serving a tower service over FastCGI, SCGI and CGI: the options.

mod accept;
mod call;
mod cgi;
mod connection;
mod frames;
mod listener;
mod outlet;
mod reader;
mod request_body;
mod requests;
mod start;

use std::{fmt, future::Future, io, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use self::{accept::Shutdown, connection::Protocol};
pub use self::{
    listener::Listener,
    request_body::RequestBody,
    start::{Start, detect},
};
use crate::error::BoxError;

/// A server of FastCGI, SCGI or CGI: limits, and how it ends.
///
/// In every timeout, zero is no time at all, with which no request is served.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use tokio::net::UnixListener;
/// use tower_gateway::Server;
///
/// # async fn run() -> std::io::Result<()> {
/// let app = Router::new().route("/", get(async || "hello"));
/// let listener = UnixListener::bind("/run/site/site.sock")?;
/// Server::new().connections(100).fastcgi(listener, app).await
/// # }
/// ```
#[must_use]
pub struct Server {
    limits: Limits,
    /// `None` for signals.
    end: Option<Shutdown>,
}

#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    /// The requests on one connection.
    pub(crate) requests: usize,
    pub(crate) head_limit: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) drain_timeout: Duration,
    pub(crate) lingering_bytes: u64,
    pub(crate) lingering_time: Duration,
    /// Whether SCRIPT_NAME is a mount.
    pub(crate) is_mounted: bool,
    /// Whether a 200 may have a `Location`.
    pub(crate) keeps_location: bool,
}

impl Server {
    /// Returns a server that ends at SIGTERM or Ctrl-C (SIGINT).
    pub fn new() -> Self {
        let limits = Limits {
            connections: 1000,
            requests: 64,
            head_limit: 128 * 1024,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
            lingering_bytes: 32 * 1024 * 1024,
            lingering_time: Duration::from_secs(30),
            is_mounted: false,
            keeps_location: false,
        };
        Self { limits, end: None }
    }

    /// Sets the largest number of open connections. Further ones wait in the system's queue.
    /// Default: 1,000.
    ///
    /// A web server keeps idle connections open, and they count.
    pub fn connections(self, most: usize) -> Self {
        self.with(|limits| limits.connections = most.max(1))
    }

    /// Sets the largest number of requests at the same time on one connection of FastCGI. A further
    /// one gets a 503. Default: 64.
    ///
    /// nginx, Apache and lighttpd send one at a time.
    pub fn requests(self, most: usize) -> Self {
        self.with(|limits| limits.requests = most.max(1))
    }

    /// Sets the largest size of the variables of a request, in bytes. A larger one gets a 431.
    /// Default: 131,072.
    pub fn head_limit(self, bytes: usize) -> Self {
        self.with(|limits| limits.head_limit = bytes)
    }

    /// Sets the time in which the variables of a request have to come. Then the connection is
    /// closed. Default: 10 seconds.
    pub fn header_timeout(self, timeout: Duration) -> Self {
        self.with(|limits| limits.header_timeout = timeout)
    }

    /// Sets the time in which each further piece of a request's body has to come, while the service
    /// waits for it. Then the body ends with an error. Default: 60 seconds.
    pub fn body_timeout(self, timeout: Duration) -> Self {
        self.with(|limits| limits.body_timeout = timeout)
    }

    /// Sets the time after which a web server that takes nothing is dropped. Default: 60 seconds.
    pub fn write_timeout(self, timeout: Duration) -> Self {
        self.with(|limits| limits.write_timeout = timeout)
    }

    /// Sets the time for requests to end after the signal to end. The rest is aborted. Default: 30
    /// seconds.
    ///
    /// Apache's mod_fcgid sends SIGKILL three seconds after SIGTERM.
    pub fn drain_timeout(self, timeout: Duration) -> Self {
        self.with(|limits| limits.drain_timeout = timeout)
    }

    /// Sets how many bytes of an upload that the service has not read are read and discarded after
    /// its response. Without that, the web server could lose the response. Default: 32 MiB.
    pub fn lingering_bytes(self, bytes: u64) -> Self {
        self.with(|limits| limits.lingering_bytes = bytes)
    }

    /// Sets the longest time for that. Default: 30 seconds.
    pub fn lingering_time(self, time: Duration) -> Self {
        self.with(|limits| limits.lingering_time = time)
    }

    /// Takes SCRIPT_NAME for the path at which the program is mounted, as in
    /// `/cgi-bin/site.cgi/page`. Default: off.
    ///
    /// It is right for Apache and for CGI programs. It is wrong for nginx, which puts the whole
    /// path into SCRIPT_NAME, and for lighttpd with the key `/`, which puts the first segment
    /// there. If the client's path does not begin with it, as after a rewrite, nothing is mounted.
    /// A mount with a fixed path is `MountLayer` of tower-environ, around the service.
    pub fn mount_at_script_name(self) -> Self {
        self.with(|limits| limits.is_mounted = true)
    }

    /// Keeps `Location` in a response with the status 200. Default: off, and the field is dropped.
    ///
    /// Apache takes such a response for a redirect, whatever else the program writes. nginx and
    /// lighttpd pass it on.
    pub fn keep_location(self) -> Self {
        self.with(|limits| limits.keeps_location = true)
    }

    /// Ends the server when the future ends, and not at a signal. Then requests have the
    /// [`drain_timeout`](Self::drain_timeout). To end at once, drop the future of the server.
    pub fn end_with(mut self, end: impl Future<Output = ()> + Send + 'static) -> Self {
        self.end = Some(Shutdown::Future(Some(Box::pin(end))));
        self
    }

    /// Serves FastCGI until the end. A connection may have several requests at the same time.
    ///
    /// Each request has a clone of the service, which is made ready and then called. The client's
    /// address is in its extensions, as a [`PeerAddr`](tower_origin::PeerAddr), and the scheme as a
    /// [`PeerScheme`](tower_origin::PeerScheme). The module [`rules`](crate::rules) has all rules.
    ///
    /// Dropping the future ends every connection.
    ///
    /// # Errors
    ///
    /// An error of the kind [`TimedOut`](io::ErrorKind::TimedOut) if connections were still open
    /// after the drain timeout, and of the kind [`Interrupted`](io::ErrorKind::Interrupted) if they
    /// were at a second signal. They are aborted. Also the system's error if signals cannot be
    /// handled.
    pub async fn fastcgi<S, B>(self, listener: impl Into<Listener>, service: S) -> io::Result<()>
    where
        S: Service<
                Request<RequestBody>,
                Response = Response<B>,
                Error: Into<BoxError>,
                Future: Send,
            > + Clone
            + Send
            + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        self.serve(listener.into(), Protocol::FastCgi, service)
            .await
    }

    /// Serves SCGI until the end. It is otherwise like [`fastcgi`](Self::fastcgi), with one request
    /// on a connection.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`fastcgi`](Self::fastcgi).
    pub async fn scgi<S, B>(self, listener: impl Into<Listener>, service: S) -> io::Result<()>
    where
        S: Service<
                Request<RequestBody>,
                Response = Response<B>,
                Error: Into<BoxError>,
                Future: Send,
            > + Clone
            + Send
            + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        self.serve(listener.into(), Protocol::Scgi, service).await
    }

    /// Serves the one request for which a web server has started this process as a CGI program.
    ///
    /// The request is in the variables of the environment and in standard input. The response goes
    /// to standard output, so nothing else may be written there. Standard input is read to the end
    /// of the body, even if the service does not read it. The process should end after this.
    ///
    /// # Errors
    ///
    /// Returns an error if the response broke off, or if standard output cannot be written.
    pub async fn cgi<S, B>(self, service: S) -> io::Result<()>
    where
        S: Service<
                Request<RequestBody>,
                Response = Response<B>,
                Error: Into<BoxError>,
                Future: Send,
            > + Send,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send,
    {
        let variables = std::env::vars_os();
        let bytes = |text: std::ffi::OsString| text.into_encoded_bytes();
        let variables = variables.map(|(name, value)| (bytes(name), bytes(value)));
        let (input, output) = (io::stdin(), io::stdout());
        cgi::run(variables.collect(), input, output, self.limits, service).await
    }

    async fn serve<S, B>(self, listener: Listener, protocol: Protocol, service: S) -> io::Result<()>
    where
        S: Service<
                Request<RequestBody>,
                Response = Response<B>,
                Error: Into<BoxError>,
                Future: Send,
            > + Clone
            + Send
            + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let shutdown = match self.end {
            Some(end) => end,
            None => Shutdown::signals()?,
        };
        accept::serve(listener, protocol, self.limits, service, shutdown).await
    }

    fn with(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Server");
        debug.field("limits", &self.limits).finish_non_exhaustive()
    }
}
