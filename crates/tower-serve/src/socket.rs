use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

#[cfg(unix)]
use crate::unix::SocketFile;

/// A socket that a [`Bound`](crate::Bound) has opened or taken over.
#[derive(Debug)]
#[non_exhaustive]
pub enum Socket {
    /// A socket of TCP.
    Tcp(TcpListener),
    /// A Unix socket, and the guard of its file.
    #[cfg(unix)]
    Unix(UnixListener, SocketGuard),
}

/// A guard of the file of a Unix socket. It removes the file when it is dropped, if the server has
/// made it.
///
/// Drop it before the listener. Otherwise the file may already be that of another server, which has
/// replaced it.
#[derive(Debug)]
pub struct SocketGuard {
    #[cfg(unix)]
    _file: Option<SocketFile>,
}

#[cfg(unix)]
impl SocketGuard {
    pub(crate) fn new(file: Option<SocketFile>) -> Self {
        Self { _file: file }
    }
}
