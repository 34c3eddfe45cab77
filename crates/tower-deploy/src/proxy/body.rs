//! The two bodies of an exchange, and what each tells about the other.

use std::{
    error, fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::{Body, BoxError};

use super::{error::Chain, headers};

/// How far the client's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upload {
    /// With the upstream: it has all, or has not asked for more.
    Passed,
    /// It was asked for a frame, and has none.
    Awaited,
    /// It broke off.
    Failed,
}

/// Whether the upstream still wants the client's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Yes,
    /// It refuses, and is not to be disturbed while it says why.
    NotNow,
    No,
}

/// What the two bodies of an exchange know of each other.
pub(crate) struct Progress(Mutex<State>);

struct State {
    upload: Upload,
    since: Instant,
    wanted: Wanted,
    /// Of the connection, which waits for the client's body.
    waker: Option<Waker>,
}

impl Progress {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            upload: Upload::Passed,
            since: Instant::now(),
            wanted: Wanted::Yes,
            waker: None,
        })))
    }

    /// How far the client's body is, and since when.
    pub(crate) fn last(&self) -> (Upload, Instant) {
        let state = self.state();
        (state.upload, state.since)
    }

    /// The upstream refuses the rest of the client's body, and closes (RFC 9112, section 9.5).
    pub(crate) fn pause(&self) {
        self.state().wanted = Wanted::NotNow;
    }

    /// Nobody waits for the upstream any more.
    fn stop(&self) {
        let mut state = self.state();
        state.wanted = Wanted::No;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client's body on its way to the upstream. It is polled by the connection only, and only once that has taken the request.
pub(crate) struct RequestBody {
    inner: Body,
    progress: Arc<Progress>,
}

impl RequestBody {
    pub(crate) fn new(inner: Body, progress: Arc<Progress>) -> Self {
        Self { inner, progress }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        {
            let mut state = this.progress.state();
            state.waker = Some(cx.waker().clone());
            match state.wanted {
                Wanted::Yes => {}
                Wanted::NotNow => return Poll::Pending,
                // An error, as the connection is of no more use.
                Wanted::No => return Poll::Ready(Some(Err(Unwanted.into()))),
            }
        }
        let frame = Pin::new(&mut this.inner).poll_frame(cx);
        let mut state = this.progress.state();
        let upload = match &frame {
            Poll::Ready(Some(Err(_))) => Upload::Failed,
            Poll::Ready(_) => Upload::Passed,
            // Being asked again is no progress.
            Poll::Pending if state.upload == Upload::Awaited => return frame,
            Poll::Pending => Upload::Awaited,
        };
        (state.upload, state.since) = (upload, Instant::now());
        drop(state);
        frame.map_ok(without_our_trailers)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn without_our_trailers(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    if let Some(trailers) = frame.trailers_mut() {
        headers::trailers_to_upstream(trailers);
    }
    frame
}

fn without_hop_trailers(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    if let Some(trailers) = frame.trailers_mut() {
        headers::trailers_to_client(trailers);
    }
    frame
}

/// The upstream's body on its way to the client. Dropping it drops the connection, unless it is at its end.
pub(crate) struct ResponseBody {
    /// `None` once it has failed.
    inner: Option<Incoming>,
    progress: Arc<Progress>,
    idle_timeout: Duration,
    /// Whether the connection ends with the response (RFC 9112, section 9.6), and the rest of the client's body with it.
    closes: bool,
    /// Whether all of it came.
    is_whole: bool,
    /// Since when the next frame is waited for.
    waiting: Option<Instant>,
    /// Made when a frame is waited for the first time.
    timer: Option<Pin<Box<Sleep>>>,
}

impl ResponseBody {
    pub(crate) fn new(
        inner: Incoming,
        progress: Arc<Progress>,
        idle_timeout: Duration,
        closes: bool,
    ) -> Self {
        Self {
            closes,
            is_whole: inner.is_end_stream(),
            inner: Some(inner),
            progress,
            idle_timeout,
            waiting: None,
            timer: None,
        }
    }

    /// Ready once nothing has moved for too long. Only the time in which somebody waits for a frame counts, so a slow reader is none of the
    /// upstream's faults; and an upload that goes on moves the exchange, too.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let since = *self.waiting.get_or_insert_with(Instant::now);
        loop {
            let deadline = since.max(self.progress.last().1) + self.idle_timeout;
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            ready!(timer.as_mut().poll(cx));
            if since.max(self.progress.last().1) + self.idle_timeout <= Instant::now() {
                return Poll::Ready(());
            }
        }
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        let error: BoxError = match Pin::new(inner).poll_frame(cx) {
            Poll::Ready(Some(Err(error))) => error.into(),
            Poll::Ready(frame) => {
                self.waiting = None;
                self.is_whole = frame.is_none() || self.is_end_stream();
                let frame = frame.map(|frame| frame.map(without_hop_trailers).map_err(Into::into));
                return Poll::Ready(frame);
            }
            Poll::Pending => {
                ready!(self.poll_idle(cx));
                Idle(self.idle_timeout).into()
            }
        };
        // An error, and no end, so that the client's connection breaks off as well (RFC 9112, section 8).
        tracing::warn!(error = %Chain(&*error), "the upstream broke off");
        self.inner = None;
        Poll::Ready(Some(Err(error)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(inner) => inner.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if self.closes || !self.is_whole {
            self.progress.stop();
        }
    }
}

/// The rest of the client's body has nowhere to go.
#[derive(Debug)]
struct Unwanted;

impl fmt::Display for Unwanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the exchange is over")
    }
}

impl error::Error for Unwanted {}

/// Nothing came for so long.
#[derive(Debug)]
struct Idle(Duration);

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing came from the upstream for {:?}", self.0)
    }
}

impl error::Error for Idle {}
