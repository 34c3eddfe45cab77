//! A connection to a program.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::BytesMut;
use rustix::net::{RecvFlags, Shutdown};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::{
    io::Interest,
    net::TcpStream,
    time::{Sleep, sleep},
};

use crate::{GatewayError, address::Address, error::Chain};

/// The room for one read, in bytes.
const READ: usize = 16 * 1024;
/// The time between two looks whether a peer has left.
const LOOK: Duration = Duration::from_millis(500);

/// A connection, which is read and written at the same time.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Calls a method of either kind of stream.
macro_rules! either {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Self::Tcp($inner) => $call,
            #[cfg(unix)]
            Self::Unix($inner) => $call,
        }
    };
}

impl Stream {
    /// Connects, and looks a name up for that.
    pub(crate) async fn connect(address: &Address, limit: Duration) -> Result<Self, GatewayError> {
        let connected = match tokio::time::timeout(limit, Self::to(address)).await {
            Ok(connected) => connected,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        connected.map_err(|error| {
            let found = match error.kind() {
                // A Unix socket whose queue is full.
                io::ErrorKind::WouldBlock => GatewayError::Overloaded,
                io::ErrorKind::TimedOut => GatewayError::ConnectTimeout,
                _ => GatewayError::Unreachable,
            };
            tracing::warn!(?address, error = %Chain(&error), "{found}");
            found
        })
    }

    async fn to(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                // Otherwise small frames of a stream wait for one another.
                stream.set_nodelay(true)?;
                Ok(Self::Tcp(stream))
            }
            #[cfg(unix)]
            Address::Unix(path) => Ok(Self::Unix(UnixStream::connect(path).await?)),
            #[cfg(not(unix))]
            Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Reads more bytes, at most 16 KiB. Zero is the end.
    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        to: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(either!(self, stream => stream.poll_read_ready(cx)))?;
            // Not before, because what was read may still be in use, and room costs memory then.
            to.reserve(READ);
            match self.try_read(to) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Reads once. A read that leaves room has taken all that there was, so the runtime is told to
    /// wait for the system, as it does in its own reads. Otherwise each wait would begin with a
    /// read in vain.
    fn try_read(&self, to: &mut BytesMut) -> io::Result<usize> {
        // On Windows an event does not come again for what is left.
        let has_events = cfg!(unix);
        let mut read = None;
        let tried = either!(self, stream => stream.try_io(Interest::READABLE, || {
            let room = to.capacity() - to.len();
            let count = stream.try_read_buf(to)?;
            read = Some(count);
            match has_events && (1..room).contains(&count) {
                true => Err(io::ErrorKind::WouldBlock.into()),
                false => Ok(()),
            }
        }));
        read.map_or_else(|| tried.map(|()| 0), Ok)
    }

    /// Writes all the bytes, with as few system calls as possible.
    pub(crate) async fn write_all(&self, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            let written = std::future::poll_fn(|cx| self.poll_write(cx, parts)).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut parts, written);
        }
        Ok(())
    }

    pub(crate) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(either!(self, stream => stream.poll_write_ready(cx)))?;
            match either!(self, stream => stream.try_write_vectored(parts)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Waits until the peer has closed its sending side, which bytes that are not read hide from a
    /// read. `look` is the time until the next look.
    pub(crate) fn poll_left(
        &self,
        look: &mut Option<Pin<Box<Sleep>>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        loop {
            let is_readable = ready!(either!(self, stream => stream.poll_read_ready(cx)));
            let ready =
                pin!(async { either!(self, stream => stream.ready(Interest::READABLE).await) });
            if is_readable.is_ok()
                && let Poll::Ready(Ok(ready)) = ready.poll(cx)
                && ready.is_read_closed()
            {
                return Poll::Ready(());
            }
            // It stays readable, so nothing wakes this.
            let timer = look.get_or_insert_with(|| Box::pin(sleep(LOOK)));
            ready!(timer.as_mut().poll(cx));
            *look = None;
        }
    }

    /// Closes one or both directions.
    pub(crate) fn shutdown(&self, direction: Shutdown) -> io::Result<()> {
        Ok(either!(self, stream => rustix::net::shutdown(stream, direction))?)
    }

    /// Lets the close reset the connection, so that the other end does not take it for an orderly
    /// one. Unix sockets cannot.
    pub(crate) fn reset(&self) {
        if let Self::Tcp(stream) = self {
            // Otherwise it is an orderly one.
            let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
        }
    }

    /// Writes the bytes that can be written at once, and returns their number.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> usize {
        // An error comes again with the next write or read.
        either!(self, stream => stream.try_write(bytes)).unwrap_or_default()
    }

    /// Returns whether the runtime has heard nothing of the connection since all was read.
    pub(crate) fn seems_idle(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        either!(self, stream => stream.poll_read_ready(&mut cx)).is_pending()
    }

    /// Returns whether the program has left the connection open, and has sent nothing. The system
    /// is asked.
    pub(crate) fn is_idle(&self) -> bool {
        // A socket of tokio does not wait. Windows has no flag for that.
        let flags = RecvFlags::PEEK;
        let peeked = either!(self, stream => rustix::net::recv(stream, &mut [0_u8; 1][..], flags));
        matches!(peeked, Err(rustix::io::Errno::WOULDBLOCK))
    }
}
