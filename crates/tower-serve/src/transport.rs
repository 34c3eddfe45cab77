//! What HTTP is spoken over: a socket, or TLS on a socket.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_io_timeout::TimeoutWriter;
#[cfg(feature = "tls")]
use tokio_rustls::server::TlsStream;

use crate::stream::Stream;

/// A socket whose writes have a timeout.
pub(crate) type Timed = Pin<Box<TimeoutWriter<Stream>>>;

#[derive(Debug)]
pub(crate) enum Transport {
    Plain(Timed),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<Timed>>),
}

/// Calls a method of the one or the other.
macro_rules! of {
    ($transport:expr, $io:ident => $call:expr) => {
        match $transport {
            Transport::Plain($io) => $call,
            #[cfg(feature = "tls")]
            Transport::Tls($io) => $call,
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        of!(&mut *self, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        of!(&mut *self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        of!(&mut *self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        of!(self, io => io.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        of!(&mut *self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        of!(&mut *self, io => Pin::new(io).poll_shutdown(cx))
    }
}
