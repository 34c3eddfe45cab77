use std::{
    io,
    task::{Context, Poll, ready},
};

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tower_origin::PeerAddr;

#[cfg(unix)]
use crate::unix::SocketFile;
use crate::{acceptor::Listen, stream::Socket};

/// An open socket that connections come from.
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
        // It goes first: while the listener is open, no other file can have the number by which it knows its own.
        _file: Option<SocketFile>,
        listener: UnixListener,
    },
}

impl Listener {
    pub(crate) fn tcp(listener: TcpListener) -> io::Result<Self> {
        let address = format!("http://{}", listener.local_addr()?);
        let kind = Kind::Tcp(listener);
        Ok(Self { kind, address })
    }

    /// The file is removed in the end, if it is one's own.
    #[cfg(unix)]
    pub(crate) fn unix(listener: UnixListener, file: Option<SocketFile>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let address = match address.as_pathname() {
            Some(path) => format!("unix:{}", path.display()),
            None => "unix:".to_owned(),
        };
        let kind = Kind::Unix {
            _file: file,
            listener,
        };
        Ok(Self { kind, address })
    }

    /// As a client would write it.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Listen for Listener {
    type Connection = (Socket, Option<PeerAddr>);

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Connection>> {
        match &self.kind {
            Kind::Tcp(listener) => {
                let (stream, peer) = ready!(listener.poll_accept(cx))?;
                // It is only faster with it, so it may fail.
                let _ = stream.set_nodelay(true);
                Poll::Ready(Ok((Socket::Tcp(stream), Some(PeerAddr(peer)))))
            }
            #[cfg(unix)]
            Kind::Unix { listener, .. } => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                Poll::Ready(Ok((Socket::Unix(stream), None)))
            }
        }
    }
}
