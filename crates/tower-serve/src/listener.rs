use std::{
    io,
    task::{Context, Poll, ready},
};

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tower_origin::PeerAddr;

#[cfg(unix)]
use crate::socket::SocketGuard;
#[cfg(unix)]
use crate::unix::SocketFile;
use crate::{acceptor::Listen, socket::Socket, stream};

/// An open socket that accepts connections.
#[derive(Debug)]
pub(crate) struct Listener {
    kind: Kind,
    address: String,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        // It is dropped first: while the listener is open, no other file can have the inode by
        // which `SocketFile` knows its own.
        file: Option<SocketFile>,
        listener: UnixListener,
    },
}

impl Listener {
    pub(crate) fn tcp(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?.to_string();
        let kind = Kind::Tcp(listener);
        Ok(Self { kind, address })
    }

    /// Returns a listener that removes this file when it is dropped. Without a file it removes
    /// none.
    #[cfg(unix)]
    pub(crate) fn unix(listener: UnixListener, file: Option<SocketFile>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let address = match address.as_pathname() {
            Some(path) => format!("unix:{}", path.display()),
            None => "unix:".to_owned(),
        };
        let kind = Kind::Unix { file, listener };
        Ok(Self { kind, address })
    }

    pub(crate) fn into_socket(self) -> Socket {
        match self.kind {
            Kind::Tcp(listener) => Socket::Tcp(listener),
            #[cfg(unix)]
            Kind::Unix { file, listener } => Socket::Unix(listener, SocketGuard::new(file)),
        }
    }

    /// Returns the address in the form that a client uses, for a server of this scheme.
    pub(crate) fn address(&self, scheme: &str) -> String {
        match &self.kind {
            Kind::Tcp(_) => format!("{scheme}://{}", self.address),
            #[cfg(unix)]
            Kind::Unix { .. } => self.address.clone(),
        }
    }
}

impl Listen for Listener {
    type Connection = (stream::Socket, Option<PeerAddr>);

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Connection>> {
        match &self.kind {
            Kind::Tcp(listener) => {
                let (stream, peer) = ready!(listener.poll_accept(cx))?;
                // The option only makes responses faster, so it may fail.
                let _ = stream.set_nodelay(true);
                Poll::Ready(Ok((stream::Socket::Tcp(stream), Some(PeerAddr(peer)))))
            }
            #[cfg(unix)]
            Kind::Unix { listener, .. } => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                Poll::Ready(Ok((stream::Socket::Unix(stream), None)))
            }
        }
    }
}
