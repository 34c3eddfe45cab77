//! What a client still sends after its response: it is read and discarded, up to a limit.

use std::{
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep, timeout_at},
};

use crate::activity::Activity;

/// A client that sends nothing for this time is not waited for any longer.
const SILENCE: Duration = Duration::from_secs(5);
/// What a client of HTTP/2 sends first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The most bytes that are read at once.
const AT_ONCE: usize = 16 * 1024;

/// How much of an unread upload is read and discarded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) bytes: u64,
    pub(crate) time: Duration,
}

impl Patience {
    /// Reads a body to its end, or until the patience ends. Over HTTP/2, dropping an unread body
    /// resets the stream at the end of the response, and clients such as curl 7.88 then lose the
    /// response.
    pub(crate) async fn read_on<B: Body>(self, body: B) {
        let mut body = pin!(body);
        let end = Instant::now() + self.time;
        let mut left = self.bytes;
        loop {
            let silence = Instant::now() + SILENCE;
            let Ok(Some(Ok(frame))) = timeout_at(end.min(silence), body.frame()).await else {
                return;
            };
            let length = frame.data_ref().map_or(0, bytes::Buf::remaining);
            left = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
            if left == 0 {
                return;
            }
        }
    }
}

/// A stream whose close lets the client read the response.
///
/// A socket that is closed with bytes unread resets the connection, and the reset may overtake the
/// response. So the writing side is closed first, and what comes is read and discarded (RFC 9112,
/// section 9.6).
pub(crate) struct Lingering<S> {
    stream: S,
    activity: Arc<Activity>,
    patience: Patience,
    /// The first bytes, which have shown the version.
    ahead: Bytes,
    /// `None` until the writing side is closed.
    rest: Option<Rest>,
}

/// The version of HTTP that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    One,
    Two,
}

/// The part of the patience that is left.
struct Rest {
    bytes: u64,
    end: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl<S> Lingering<S> {
    pub(crate) fn new(stream: S, activity: Arc<Activity>, patience: Patience) -> Self {
        Self {
            stream,
            activity,
            patience,
            ahead: Bytes::new(),
            rest: None,
        }
    }

    /// Notes what has become of a write.
    fn noted<T>(&self, written: Poll<T>) -> Poll<T> {
        self.activity.blocked(written.is_pending());
        if written.is_pending() {
            self.written();
        }
        written
    }

    /// Notes that all has been written that the client takes at this time.
    fn written(&self) {
        if let Some(departures) = self.activity.departures() {
            departures.flushed();
        }
    }
}

impl<S: AsyncRead + Unpin> Lingering<S> {
    /// Waits until the first bytes show which version the client speaks. They are read again.
    pub(crate) async fn version(&mut self) -> io::Result<Version> {
        let mut start = [0; PREFACE.len()];
        let mut length = 0;
        let version = loop {
            let count = self.read(&mut start[length..]).await?;
            length += count;
            if count == 0 || !PREFACE.starts_with(&start[..length]) {
                break Version::One;
            }
            if length == PREFACE.len() {
                break Version::Two;
            }
        };
        self.ahead = Bytes::copy_from_slice(&start[..length]);
        Ok(version)
    }
}

impl Rest {
    fn of(patience: Patience) -> Self {
        Self {
            bytes: patience.bytes,
            end: Instant::now() + patience.time,
            sleep: Box::pin(sleep(SILENCE.min(patience.time))),
        }
    }

    /// Reads until the client closes, or the patience ends. It does not matter which.
    fn poll(&mut self, stream: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; AT_ONCE];
        while self.bytes > 0 {
            let most = usize::try_from(self.bytes).unwrap_or(AT_ONCE).min(AT_ONCE);
            let mut buf = ReadBuf::new(&mut bytes[..most]);
            let Poll::Ready(read) = Pin::new(&mut *stream).poll_read(cx, &mut buf) else {
                return self.sleep.as_mut().poll(cx);
            };
            let length = buf.filled().len();
            if read.is_err() || length == 0 {
                break;
            }
            self.bytes = self
                .bytes
                .saturating_sub(length.try_into().unwrap_or(u64::MAX));
            let next = (Instant::now() + SILENCE).min(self.end);
            if next <= Instant::now() {
                break;
            }
            self.sleep.as_mut().reset(next);
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let count = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead.split_to(count));
            return Poll::Ready(Ok(()));
        }
        let departures = self.activity.departures();
        if departures.is_some_and(|departures| !departures.may_read(cx)) {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.activity.bytes_came();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.written();
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let rest = match &mut this.rest {
            Some(rest) => rest,
            None => {
                ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                if !this.activity.lingers() {
                    return Poll::Ready(Ok(()));
                }
                this.activity.ends();
                this.rest.insert(Rest::of(this.patience))
            }
        };
        rest.poll(&mut this.stream, cx).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::poll_fn};

    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn patience(bytes: u64, seconds: u32) -> Patience {
        Patience {
            bytes,
            time: SECOND * seconds,
        }
    }

    /// Returns how long it lingers with a client that sends this text at this interval, and how
    /// many bytes were taken.
    async fn lingers(patience: Patience, text: &'static [u8], interval: Duration) -> (u64, usize) {
        let (mut client, server) = duplex(1);
        let activity = Arc::new(Activity::default());
        activity.request_came(true, http::Version::HTTP_11);
        let mut server = Lingering::new(server, activity, patience);
        let client = tokio::spawn(async move {
            assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
            let mut sent = 0;
            loop {
                tokio::time::sleep(interval).await;
                for byte in text {
                    if client.write_all(&[*byte]).await.is_err() {
                        return sent;
                    }
                    sent += 1;
                }
            }
        });
        let start = Instant::now();
        server.shutdown().await.unwrap();
        let time = start.elapsed().as_secs();
        drop(server);
        (time, client.await.unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn serve_20_the_patience_ends_with_bytes_time_or_silence() {
        let table = [
            (patience(100, 30), 1, "bytes", (10, 100)),
            (patience(1_000, 30), 40, "silence", (5, 0)),
            (patience(1_000, 30), 2, "time", (30, 140)),
            (
                patience(1_000, 3),
                40,
                "a time shorter than the silence",
                (3, 0),
            ),
            (patience(0, 30), 1, "no bytes", (0, 0)),
        ];
        for (patience, interval, what, (time, bytes)) in table {
            let (lasted, taken) = lingers(patience, b"0123456789", SECOND * interval).await;
            assert_eq!(lasted, time, "{what}");
            // A byte may wait in the pipe.
            assert!((bytes..=bytes + 11).contains(&taken), "{what}: {taken}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn serve_20_a_client_that_closes_is_not_waited_for() {
        let (client, server) = duplex(10);
        let activity = Arc::new(Activity::default());
        activity.request_came(true, http::Version::HTTP_11);
        let mut server = Lingering::new(server, activity, patience(100, 30));
        drop(client);
        let start = Instant::now();
        server.shutdown().await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn serve_21_a_body_is_read_on_up_to_the_limit() {
        let frames = |interval: Duration| {
            let frames = stream::unfold(0, move |count| async move {
                tokio::time::sleep(interval).await;
                assert!(count < 100, "it is read on and on");
                let frame = Frame::data(Bytes::from_static(b"0123456789"));
                Some((Ok::<_, Infallible>(frame), count + 1))
            });
            StreamBody::new(frames)
        };
        let table = [
            (patience(50, 30), SECOND, 5),
            (patience(1_000, 30), SECOND * 10, 5),
            (patience(1_000, 30), SECOND, 30),
        ];
        for (patience, interval, expected) in table {
            let start = Instant::now();
            patience.read_on(frames(interval)).await;
            assert_eq!(start.elapsed().as_secs(), expected, "{patience:?}");
        }
    }

    #[tokio::test]
    async fn serve_19_the_first_bytes_show_the_version() {
        let table: [(&[u8], _); 6] = [
            (PREFACE, Version::Two),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore", Version::Two),
            (b"PRI * HTTP/1.1\r\nhost: a\r\n\r\n", Version::One),
            (b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", Version::One),
            (b"PRI * HTTP/2.0\r\n", Version::One),
            (b"", Version::One),
        ];
        // In pieces of this size.
        for size in [1, 7, 64] {
            for (bytes, expected) in table {
                let (mut client, server) = duplex(size);
                let activity = Arc::new(Activity::default());
                let mut server = Lingering::new(server, activity, patience(0, 0));
                let sends = tokio::spawn(async move { client.write_all(bytes).await.unwrap() });
                assert_eq!(server.version().await.unwrap(), expected, "{bytes:?}");
                let mut again = Vec::new();
                server.read_to_end(&mut again).await.unwrap();
                assert_eq!(again, bytes);
                sends.await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn blocked_writes_are_noticed() {
        let (mut client, server) = duplex(4);
        let activity = Arc::new(Activity::default());
        activity.request_came(false, http::Version::HTTP_11);
        let mut server = Lingering::new(server, Arc::clone(&activity), patience(1, 1));
        let mut write = async |text: &'static [u8]| {
            poll_fn(|cx| Poll::Ready(Pin::new(&mut server).poll_write(cx, text).is_ready())).await
        };
        assert!(write(b"four").await);
        assert_eq!(activity.phase(), crate::activity::Phase::Idle);
        assert!(!write(b"more").await);
        assert_eq!(activity.phase(), crate::activity::Phase::Busy);
        client.read_exact(&mut [0; 4]).await.unwrap();
        assert!(write(b"more").await);
        assert_eq!(activity.phase(), crate::activity::Phase::Idle);
    }
}
