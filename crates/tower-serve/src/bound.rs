use std::{io, sync::Arc};

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
    access_log::OpenLog,
    connection::Protocol,
    entry::{Accepted, Entry},
    limits::Limits,
    listener::Listener,
    panic::contained,
    request_body::RequestBody,
    shutdown::Shutdown,
    socket::Socket,
};

/// A [`Server`](crate::Server) whose sockets are open.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<Listener>,
    limits: Limits,
    entry: Entry,
    log: Option<OpenLog>,
}

impl Bound {
    pub(crate) fn new(
        listeners: Vec<Listener>,
        limits: Limits,
        entry: Entry,
        log: Option<OpenLog>,
    ) -> Self {
        Self {
            listeners,
            limits,
            entry,
            log,
        }
    }

    /// Returns the addresses of the sockets, in the form that a client uses:
    /// `http://127.0.0.1:43211`, `unix:/run/site.sock`; with TLS, `https://127.0.0.1:43211`.
    pub fn addresses(&self) -> impl Iterator<Item = String> {
        let scheme = self.entry.scheme();
        self.listeners
            .iter()
            .map(move |listener| listener.address(scheme))
    }

    /// Returns the open sockets, for a server of another protocol. Nothing else of the server's
    /// options counts for them.
    ///
    /// ```
    /// use tower_serve::{Server, Socket};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bound = Server::new("127.0.0.1:0".parse()?).bind().await?;
    /// let mut sockets = bound.into_sockets();
    /// assert!(matches!(sockets.next(), Some(Socket::Tcp(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_sockets(self) -> impl Iterator<Item = Socket> {
        self.listeners.into_iter().map(Listener::into_socket)
    }

    /// Serves until the first signal. Then it closes the sockets and the connections that are idle,
    /// and lets requests finish. A connection that has not sent a whole head has a second for it,
    /// or half of the drain timeout if that is less.
    ///
    /// Each request has a clone of the service, which is made ready and then called. Unless it came
    /// over a Unix socket, the peer's address is in its extensions, as
    /// [`PeerAddr`](crate::PeerAddr). A panic or an error of the service ends its own connection,
    /// or in HTTP/2 its own request.
    ///
    /// If a response has no content (HEAD, 204, 205, 304), the service's body is dropped and never
    /// polled. Instead of a 1xx the client gets a 500, except a 101 if it asked for an
    /// upgrade. Instead of a 2xx with content to CONNECT it gets a 501. The module
    /// [`rules`](crate::rules) has all rules.
    ///
    /// Dropping the future ends every connection, except upgraded ones.
    ///
    /// # Errors
    ///
    /// An error of the kind [`TimedOut`](io::ErrorKind::TimedOut) if connections were still open
    /// after the drain timeout, and of the kind [`Interrupted`](io::ErrorKind::Interrupted) if they
    /// were at a second signal. They are aborted. With an access log, the system's error if SIGUSR1
    /// cannot be handled.
    pub async fn serve<S, B>(self, service: S, mut shutdown: Shutdown) -> io::Result<()>
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
        let Self {
            listeners,
            limits,
            entry,
            log,
        } = self;
        // Its task ends with it.
        let mut reopening = JoinSet::new();
        if let Some(log) = log.clone() {
            log.reopen_at_signal(&mut reopening)?;
        }
        let drain_timeout = limits.drain_timeout;
        let mut acceptor = Acceptor::new(listeners, limits.connections);
        let protocol = Arc::new(Protocol::new(limits, entry, log.clone()));
        let (serving, draining) = watch::channel(());
        // Its tasks end with it, however this future ends.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.signal() => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                ((socket, peer), slot) = acceptor.accept() => {
                    let accepted = Accepted { socket, peer, slot };
                    let protocol = Arc::clone(&protocol);
                    let connection = protocol.serve(accepted, service.clone(), draining.clone());
                    connections.spawn(contained(connection));
                }
            }
        }

        // From here on no connection is accepted, and each open one learns of the end.
        drop((acceptor, serving));
        let deadline = Instant::now() + drain_timeout;
        let ended = async { while connections.join_next().await.is_some() {} };
        let aborted = tokio::select! {
            biased;
            () = ended => None,
            () = shutdown.signal() => {
                Some((io::ErrorKind::Interrupted, "at the second signal".to_owned()))
            }
            () = sleep_until(deadline) => {
                let when = format!("{} after the signal to end", format_duration(drain_timeout));
                Some((io::ErrorKind::TimedOut, when))
            }
        };
        let count = connections.len();
        if let Some(log) = log {
            connections.shutdown().await;
            log.flush().await;
        }
        let Some((kind, when)) = aborted else {
            return Ok(());
        };
        let text = match count {
            1 => format!("1 connection was still open {when} and is aborted"),
            count => format!("{count} connections were still open {when} and are aborted"),
        };
        Err(io::Error::new(kind, text))
    }
}
