//! A connection to a program.

use std::{
    io::{self, IoSlice},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::BytesMut;
use rustix::net::{RecvFlags, Shutdown};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::{
    io::{Interest, Ready},
    net::TcpStream,
    time::sleep,
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
        to.reserve(READ);
        loop {
            ready!(either!(self, stream => stream.poll_read_ready(cx)))?;
            match either!(self, stream => stream.try_read_buf(to)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
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
    /// read.
    pub(crate) async fn left(&self) {
        loop {
            let ready = either!(self, stream => stream.ready(Interest::READABLE).await);
            if ready.is_ok_and(Ready::is_read_closed) {
                return;
            }
            // It stays readable, so nothing wakes this.
            sleep(LOOK).await;
        }
    }

    /// Closes one or both directions.
    pub(crate) fn shutdown(&self, direction: Shutdown) -> io::Result<()> {
        Ok(either!(self, stream => rustix::net::shutdown(stream, direction))?)
    }

    /// Writes the bytes that can be written at once, and returns their number.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> usize {
        // An error comes again with the next write or read.
        either!(self, stream => stream.try_write(bytes)).unwrap_or_default()
    }

    /// Returns whether the program has left the connection open, and has sent nothing.
    ///
    /// The runtime may not have heard yet of a connection that was closed, so the system is asked.
    pub(crate) fn is_idle(&self) -> bool {
        // A socket of tokio does not wait. Windows has no flag for that.
        let flags = RecvFlags::PEEK;
        let peeked = either!(self, stream => rustix::net::recv(stream, &mut [0_u8; 1][..], flags));
        matches!(peeked, Err(rustix::io::Errno::WOULDBLOCK))
    }
}
