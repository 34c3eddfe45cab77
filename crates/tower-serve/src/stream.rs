use std::{
    io::{self, IoSlice},
    net::Shutdown,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use socket2::SockRef;
#[cfg(unix)]
use tokio::net::{UnixStream, unix};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::{TcpStream, tcp},
    sync::OwnedSemaphorePermit,
};
use tokio_io_timeout::TimeoutWriter;

/// How many bytes are read at once before HTTP begins. The first ones of TLS are fewer.
const READ_AHEAD: usize = 2048;
/// The most bytes of several buffers that are copied into one. To copy them costs less than the
/// system needs for several buffers.
const COPIED: usize = 2048;

/// The socket of an accepted connection.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// A socket and the slot that it holds. They stay together, so that an upgraded connection counts
/// until it is closed.
#[derive(Debug)]
pub(crate) struct Stream {
    /// The bytes that were read before the stream was opened.
    ahead: Bytes,
    reader: Reader,
    writer: Arc<Writer>,
    _slot: OwnedSemaphorePermit,
}

/// A handle beside the [`Stream`] that reports a reset of the connection, or makes one.
#[derive(Debug)]
pub(crate) struct Peer(Option<Arc<Writer>>);

#[derive(Debug)]
enum Reader {
    Tcp(tcp::OwnedReadHalf),
    #[cfg(unix)]
    Unix(unix::OwnedReadHalf),
}

#[derive(Debug)]
enum Writer {
    Tcp(tcp::OwnedWriteHalf),
    #[cfg(unix)]
    Unix(unix::OwnedWriteHalf),
}

impl Socket {
    /// Waits until bytes have come, and appends them. Returns how many there were.
    pub(crate) async fn read_ahead(&self, buf: &mut BytesMut) -> io::Result<usize> {
        loop {
            let read = match self {
                Self::Tcp(socket) => {
                    socket.readable().await?;
                    buf.reserve(READ_AHEAD);
                    socket.try_read_buf(buf)
                }
                #[cfg(unix)]
                Self::Unix(socket) => {
                    socket.readable().await?;
                    buf.reserve(READ_AHEAD);
                    socket.try_read_buf(buf)
                }
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

impl Stream {
    /// Returns a stream whose writes fail if the peer takes nothing for the timeout. It is in a
    /// box, because the timer is not `Unpin`. What was read ahead of it is read first.
    pub(crate) fn open(
        socket: Socket,
        ahead: Bytes,
        slot: OwnedSemaphorePermit,
        write_timeout: Duration,
    ) -> (Pin<Box<TimeoutWriter<Self>>>, Peer) {
        let (reader, writer) = match socket {
            Socket::Tcp(socket) => {
                let (reader, writer) = socket.into_split();
                (Reader::Tcp(reader), Writer::Tcp(writer))
            }
            #[cfg(unix)]
            Socket::Unix(socket) => {
                let (reader, writer) = socket.into_split();
                (Reader::Unix(reader), Writer::Unix(writer))
            }
        };
        let writer = Arc::new(writer);
        let peer = Peer(Some(Arc::clone(&writer)));
        let stream = Self {
            ahead,
            reader,
            writer,
            _slot: slot,
        };
        let mut stream = TimeoutWriter::new(stream);
        stream.set_timeout(Some(write_timeout));
        (Box::pin(stream), peer)
    }
}

impl Peer {
    /// Waits until the peer has reset the connection. A read would report it as well, but hyper
    /// does not always read. It does not while a pipelined request waits or while the service
    /// leaves an upload unread. With half-closed clients it does not while the service is at work.
    pub(crate) async fn reset(&self) {
        // The only error is that the runtime ends.
        let _ = match self.0.as_deref() {
            Some(Writer::Tcp(writer)) => writer.ready(Interest::ERROR).await,
            #[cfg(unix)]
            Some(Writer::Unix(writer)) => writer.ready(Interest::ERROR).await,
            None => return,
        };
    }

    /// Resets the connection, whose stream has been dropped. Unix sockets have no reset.
    pub(crate) fn abort(&mut self) {
        if let Some(Writer::Tcp(writer)) = self.0.take().and_then(Arc::into_inner) {
            // Otherwise the end is an orderly one.
            let _ = SockRef::from(writer.as_ref()).set_linger(Some(Duration::ZERO));
            writer.forget();
        }
    }
}

impl Writer {
    /// Writes as soon as the system takes bytes. `AsyncWrite` would need the half exclusively, and
    /// [`Peer`] shares it.
    fn poll(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&Self) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(match self {
                Self::Tcp(writer) => writer.as_ref().poll_write_ready(cx),
                #[cfg(unix)]
                Self::Unix(writer) => writer.as_ref().poll_write_ready(cx),
            })?;
            match write(self) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn shutdown(&self) -> io::Result<()> {
        let socket = match self {
            Self::Tcp(writer) => SockRef::from(writer.as_ref()),
            #[cfg(unix)]
            Self::Unix(writer) => SockRef::from(writer.as_ref()),
        };
        match socket.shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            done => done,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let count = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead.copy_to_bytes(count));
            return Poll::Ready(Ok(()));
        }
        match &mut self.reader {
            Reader::Tcp(reader) => Pin::new(reader).poll_read(cx, buf),
            #[cfg(unix)]
            Reader::Unix(reader) => Pin::new(reader).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writer.poll(cx, |writer| match writer {
            Writer::Tcp(writer) => writer.try_write(buf),
            #[cfg(unix)]
            Writer::Unix(writer) => writer.try_write(buf),
        })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [buf] = bufs {
            return self.poll_write(cx, buf);
        }
        let length: usize = bufs.iter().map(|buf| buf.len()).sum();
        if length <= COPIED {
            let mut joined = [0; COPIED];
            join(bufs, &mut joined);
            return self.poll_write(cx, &joined[..length]);
        }
        self.writer.poll(cx, |writer| match writer {
            Writer::Tcp(writer) => writer.try_write_vectored(bufs),
            #[cfg(unix)]
            Writer::Unix(writer) => writer.try_write_vectored(bufs),
        })
    }

    /// Returns true. Otherwise hyper copies every body into its own buffer.
    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Does nothing, because a socket has no buffer of its own.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.writer.shutdown())
    }
}

/// Copies buffers into one that has room for them.
fn join(bufs: &[IoSlice<'_>], mut joined: &mut [u8]) {
    for buf in bufs {
        let (copied, rest) = joined.split_at_mut(buf.len());
        copied.copy_from_slice(buf);
        joined = rest;
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, net::SocketAddr};

    use hyper::rt::Write;
    use hyper_util::rt::TokioIo;
    use tokio::{io::AsyncReadExt, net::TcpListener, sync::Semaphore};

    use super::*;

    async fn connected(address: SocketAddr) -> Pin<Box<TimeoutWriter<Stream>>> {
        let socket = Socket::Tcp(TcpStream::connect(address).await.unwrap());
        let slot = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        Stream::open(socket, Bytes::new(), slot, Duration::from_secs(1)).0
    }

    #[tokio::test]
    async fn hyper_sees_that_writes_are_vectored() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = connected(listener.local_addr().unwrap()).await;
        assert!(TokioIo::new(stream).is_write_vectored());
    }

    #[tokio::test]
    async fn buffers_arrive_whole_and_in_their_order() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut stream = connected(listener.local_addr().unwrap()).await;
        let (mut client, _) = listener.accept().await.unwrap();
        for lengths in [
            vec![],
            vec![0],
            vec![5],
            vec![COPIED + 1],
            vec![200, 0, 1024],
            vec![1, COPIED - 1],
            vec![1, COPIED],
            vec![COPIED, COPIED, 3],
        ] {
            let parts: Vec<Vec<u8>> = (b'a'..)
                .zip(&lengths)
                .map(|(letter, &length)| vec![letter; length])
                .collect();
            let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
            let written = poll_fn(|cx| stream.as_mut().poll_write_vectored(cx, &slices)).await;
            let expected = parts.concat();
            assert_eq!(written.unwrap(), expected.len(), "{lengths:?}");
            let mut found = vec![0; expected.len()];
            client.read_exact(&mut found).await.unwrap();
            assert!(found == expected, "{lengths:?}");
        }
    }
}
