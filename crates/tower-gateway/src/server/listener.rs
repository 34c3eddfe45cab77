//! The sockets on which web servers connect.

use std::{
    io,
    task::{Context, Poll, ready},
};

use listenfd::ListenFd;
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use crate::stream::Stream;

/// One or more open sockets on which web servers connect: TCP or Unix.
///
/// Each peer that can connect states who the client is. So the address is one of this machine, or
/// of a network in which the web server alone can connect, and the directory of a Unix socket is
/// one that the web server alone can search.
///
/// ```
/// use tokio::net::TcpListener;
/// use tower_gateway::Listener;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let listener = Listener::from(TcpListener::bind("127.0.0.1:0").await?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<Socket>,
    /// The socket that is polled first. It changes each time, so that a busy one does not keep the
    /// others waiting.
    first: usize,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    /// Takes the socket that a web server has opened as standard input of this process, as
    /// lighttpd, mod_fcgid and `spawn-fcgi` do. [`detect`](crate::detect) finds out whether there
    /// is one.
    ///
    /// Standard input is empty after that, so that no program which is started from here has the
    /// socket.
    ///
    /// # Errors
    ///
    /// Returns an error if standard input is not a socket that listens.
    ///
    /// # Panics
    ///
    /// Panics outside of a Tokio runtime.
    #[cfg(unix)]
    pub fn stdin() -> io::Result<Self> {
        use std::{fs::File, os::fd::AsFd};

        let stdin = io::stdin();
        if !super::start::listens(stdin.as_fd()) {
            let text = "standard input is not a socket that listens";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let socket = stdin.as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        let socket = match is_unix(&socket)? {
            true => unix(socket.into())?,
            false => tcp(socket.into())?,
        };
        Ok(Self::of(vec![socket]))
    }

    /// Takes all sockets that a supervisor has opened, such as systemd, which sets `LISTEN_FDS`.
    /// Returns `None` if there are none.
    ///
    /// # Errors
    ///
    /// Returns an error if one is not a TCP or Unix stream socket.
    ///
    /// # Panics
    ///
    /// Panics outside of a Tokio runtime, if there is one.
    pub fn handed_over() -> io::Result<Option<Self>> {
        let mut given = ListenFd::from_env();
        let mut sockets = Vec::new();
        for index in 0..given.len() {
            let taken = match given.take_tcp_listener(index) {
                Ok(Some(socket)) => tcp(socket),
                #[cfg(unix)]
                Err(_) => match given.take_unix_listener(index)? {
                    Some(socket) => unix(socket),
                    None => continue,
                },
                #[cfg(not(unix))]
                Err(error) => Err(error),
                Ok(None) => continue,
            };
            sockets.push(taken?);
        }
        Ok((!sockets.is_empty()).then(|| Self::of(sockets)))
    }

    fn of(sockets: Vec<Socket>) -> Self {
        Self { sockets, first: 0 }
    }

    /// Adds the sockets of another listener.
    #[must_use]
    pub fn and(mut self, other: impl Into<Self>) -> Self {
        self.sockets.extend(other.into().sockets);
        self
    }

    pub(crate) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let count = self.sockets.len();
        for index in (0..count).map(|offset| (self.first + offset) % count) {
            if let Poll::Ready(accepted) = self.sockets[index].poll_accept(cx) {
                self.first = index + 1;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }
}

impl Socket {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                // The option only makes responses faster, so it may fail.
                let _ = stream.set_nodelay(true);
                Poll::Ready(Ok(Stream::Tcp(stream)))
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                Poll::Ready(Ok(Stream::Unix(stream)))
            }
        }
    }
}

fn tcp(socket: std::net::TcpListener) -> io::Result<Socket> {
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket).map(Socket::Tcp)
}

#[cfg(unix)]
fn unix(socket: std::os::unix::net::UnixListener) -> io::Result<Socket> {
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket).map(Socket::Unix)
}

#[cfg(unix)]
fn is_unix(socket: &std::os::fd::OwnedFd) -> io::Result<bool> {
    let address = rustix::net::getsockname(socket)?;
    Ok(address.address_family() == rustix::net::AddressFamily::UNIX)
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::of(vec![Socket::Tcp(listener)])
    }
}

#[cfg(unix)]
impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self::of(vec![Socket::Unix(listener)])
    }
}

/// An error of accepting that is about one connection alone.
pub(crate) fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
