//! Two connections that have left HTTP, joined.

use std::{
    error, fmt, io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional},
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use crate::error::{BoxError, Chain};

/// The times of a tunnel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The time in which the client's connection has to leave HTTP, after the response.
    pub(crate) opening: Duration,
    /// The time in which something has to move while both sides are open.
    pub(crate) idle: Option<Duration>,
    /// The same, after one side has ended.
    pub(crate) half_closed: Duration,
}

/// Joins two connections in a task of its own, when both have left HTTP. An end of one side is
/// passed to the other. The task ends after both ends, after a failure of either side, and after a
/// time limit, and then both connections are closed.
pub(crate) fn join(client: OnUpgrade, upstream: OnUpgrade, limits: Limits) {
    tokio::spawn(async move {
        match run(client, upstream, limits).await {
            Ok(()) => tracing::debug!("a tunnel ended"),
            Err(error) => tracing::debug!(error = %Chain(&*error), "a tunnel broke off"),
        }
    });
}

async fn run(client: OnUpgrade, upstream: OnUpgrade, limits: Limits) -> Result<(), BoxError> {
    let upstream = upstream.await?;
    // A response that an outer layer replaces upgrades nothing, and the client's connection may
    // stay open.
    let client = timeout(limits.opening, client).await??;
    let moves = Arc::new(Moves::new());
    let mut client = Watched::new(client, &moves);
    let mut upstream = Watched::new(upstream, &moves);
    tokio::select! {
        copied = copy_bidirectional(&mut client, &mut upstream) => {
            copied?;
            Ok(())
        }
        limit = moves.stopped(limits) => Err(Idle(limit).into()),
    }
}

/// The moves of a tunnel's two sides.
struct Moves {
    last: Mutex<Instant>,
    has_end: AtomicBool,
    ended: Notify,
}

impl Moves {
    fn new() -> Self {
        Self {
            last: Mutex::new(Instant::now()),
            has_end: AtomicBool::new(false),
            ended: Notify::new(),
        }
    }

    fn note(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn note_end(&self) {
        self.note();
        self.has_end.store(true, Relaxed);
        self.ended.notify_one();
    }

    /// Waits until nothing has moved for too long, and returns for how long.
    async fn stopped(&self, limits: Limits) -> Duration {
        loop {
            let has_end = self.has_end.load(Relaxed);
            let limit = if has_end {
                Some(limits.half_closed)
            } else {
                limits.idle
            };
            let Some(limit) = limit else {
                self.ended.notified().await;
                continue;
            };
            let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let deadline = last + limit;
            if deadline <= Instant::now() {
                return limit;
            }
            tokio::select! {
                () = sleep_until(deadline) => {}
                () = self.ended.notified(), if !has_end => {}
            }
        }
    }
}

/// One side of a tunnel, whose moves are noted.
struct Watched {
    inner: TokioIo<Upgraded>,
    moves: Arc<Moves>,
}

impl Watched {
    fn new(inner: Upgraded, moves: &Arc<Moves>) -> Self {
        Self {
            inner: TokioIo::new(inner),
            moves: moves.clone(),
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        match buffer.filled().len() > before {
            true => self.moves.note(),
            false => self.moves.note_end(),
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
        self.moves.note();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Nothing has moved for this time.
#[derive(Debug)]
struct Idle(Duration);

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing moved for {:?}", self.0)
    }
}

impl error::Error for Idle {}
