//! The two bodies of an exchange.

use std::{
    error, fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};
use tower_kit::EitherBody;

use crate::{
    error::{BoxError, Chain},
    headers,
    progress::{Progress, Upload, Wanted},
};

/// The client's body on its way to the upstream. Only the connection polls it, after it has taken
/// the request.
pub(crate) struct RequestBody {
    inner: UnsyncBoxBody<Bytes, BoxError>,
    progress: Arc<Progress>,
}

impl RequestBody {
    pub(crate) fn new<B>(inner: B, progress: Arc<Progress>) -> Self
    where
        B: Body<Data: Buf, Error: Into<BoxError>> + Send + 'static,
    {
        let inner = AsBytes { inner }.boxed_unsync();
        Self { inner, progress }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        match this.progress.begin(cx.waker()) {
            Wanted::Yes => {}
            Wanted::NotNow => return Poll::Pending,
            // It is an error, because the connection is of no more use.
            Wanted::No => return Poll::Ready(Some(Err(Unwanted.into()))),
        }
        let frame = Pin::new(&mut this.inner).poll_frame(cx);
        this.progress.note(match &frame {
            Poll::Ready(Some(Err(_))) => Upload::Failed,
            Poll::Ready(_) => Upload::Passed,
            Poll::Pending => Upload::Awaited,
        });
        frame.map_ok(without_our_trailers)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

pin_project! {
    /// A body with its data as `Bytes` and its error in a box. `map_frame` of http-body-util would
    /// lose the size hint.
    struct AsBytes<B> {
        #[pin]
        inner: B,
    }
}

impl<B: Body<Error: Into<BoxError>>> Body for AsBytes<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.project().inner.poll_frame(cx));
        // For `Bytes` this makes no copy.
        let to_bytes =
            |frame: Frame<B::Data>| frame.map_data(|mut data| data.copy_to_bytes(data.remaining()));
        Poll::Ready(frame.map(|frame| frame.map(to_bytes).map_err(Into::into)))
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

/// The body of a response: the upstream's, or the text of a rejection.
///
/// It ends in an error if the connection breaks, or if nothing comes for the
/// [`idle_timeout`](crate::Upstream::idle_timeout). If it is dropped before its end, the connection
/// to the upstream is closed.
#[derive(Default)]
pub struct ResponseBody(EitherBody<Received>);

impl ResponseBody {
    pub(crate) fn own(body: Full<Bytes>) -> Self {
        Self(EitherBody::own(body))
    }

    pub(crate) fn of_upstream(body: Received) -> Self {
        Self(EitherBody::inner(body))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseBody")
            .field(&self.size_hint())
            .finish()
    }
}

/// The upstream's body on its way to the client. If it is dropped before its end, so is the
/// connection.
pub(crate) struct Received {
    /// `None` after it has failed.
    inner: Option<Incoming>,
    progress: Arc<Progress>,
    idle_timeout: Duration,
    /// Whether the connection ends with the response (RFC 9112, section 9.6), and the rest of the
    /// client's body with it.
    closes: bool,
    /// Whether the whole body has arrived.
    is_whole: bool,
    /// The time since which a reader waits for the next frame.
    waiting: Option<Instant>,
    /// It is made when a reader waits for the first time.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Received {
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

    /// Becomes ready when nothing has moved for too long. Only time in which a reader waits for a
    /// frame counts, because a slow reader is not the upstream's fault. A moving upload restarts
    /// the time.
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

impl Body for Received {
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
        // It is an error and not the end, so the client's connection breaks off as well (RFC 9112,
        // section 8).
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

impl Drop for Received {
    fn drop(&mut self) {
        if self.closes || !self.is_whole {
            self.progress.stop();
        }
    }
}

/// The upstream does not take the rest of the client's body.
#[derive(Debug)]
struct Unwanted;

impl fmt::Display for Unwanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the exchange is over")
    }
}

impl error::Error for Unwanted {}

/// The upstream has sent nothing for this time.
#[derive(Debug)]
struct Idle(Duration);

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing came from the upstream for {:?}", self.0)
    }
}

impl error::Error for Idle {}
