//! The body of a response.

use std::{
    error, fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::Instant;
use tower_kit::EitherBody;

use crate::{
    alarm::Alarm,
    error::{BoxError, Chain},
    headers,
    http2::h2_error,
    member::Lease,
    progress::Progress,
};

/// The body of a response: the upstream's, or the text of a rejection.
///
/// It ends in an error if the connection breaks, or if nothing comes for the
/// [`idle_timeout`](crate::Upstream::idle_timeout). If it is dropped before its end, the connection
/// to the upstream is closed.
#[derive(Default)]
pub struct ResponseBody(EitherBody<Box<Received>>);

impl ResponseBody {
    pub(crate) fn own(body: Full<Bytes>) -> Self {
        Self(EitherBody::own(body))
    }

    pub(crate) fn of_upstream(body: Received) -> Self {
        // In a box, since each layer moves it.
        Self(EitherBody::inner(Box::new(body)))
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
    /// What the exchange holds until the end of the body.
    lease: Option<Lease>,
    /// The client's body, if there is one.
    progress: Option<Arc<Progress>>,
    limits: Limits,
    /// Whether the whole body has arrived.
    is_whole: bool,
    /// The time since which a reader waits for the next frame.
    waiting: Option<Instant>,
    /// The error that comes next.
    failure: Option<BoxError>,
    /// The timer where the connection, which has one, is driven by a task.
    alarm: Alarm,
}

/// What is known of the rest of an exchange when the head of the response is there.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// The time for each frame.
    pub(crate) frame: Duration,
    /// The time for which the connection is kept afterwards. `None` if it ends with the response
    /// (RFC 9112, section 9.6), and the rest of the client's body with it.
    pub(crate) keep: Option<Duration>,
}

impl Received {
    pub(crate) fn new(
        inner: Incoming,
        lease: Lease,
        progress: Option<Arc<Progress>>,
        limits: Limits,
    ) -> Self {
        let mut received = Self {
            is_whole: inner.is_end_stream(),
            inner: Some(inner),
            lease: Some(lease),
            progress,
            limits,
            waiting: None,
            failure: None,
            alarm: Alarm::default(),
        };
        if received.is_whole {
            received.end();
        }
        received
    }

    /// Polls the body, and with it the connection, until there is a frame or until nothing has
    /// moved for too long. Only time in which a reader waits for a frame counts, because a slow
    /// reader is not the upstream's fault. A moving upload restarts the time.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self {
            inner: Some(inner),
            lease,
            progress,
            limits,
            waiting,
            alarm,
            ..
        } = self
        else {
            return Poll::Ready(None);
        };
        let frame_of = |cx: &mut Context<'_>| Pin::new(&mut *inner).poll_frame(cx);
        let deadline = || {
            let since = *waiting.get_or_insert_with(Instant::now);
            let moved = progress.as_ref().map(|progress| progress.last().1);
            moved.map_or(since, |moved| moved.max(since)) + limits.frame
        };
        let found = match lease.as_mut().and_then(Lease::connection) {
            Some(connection) => ready!(connection.poll_with(cx, frame_of, deadline)),
            None => match { frame_of }(cx) {
                Poll::Ready(frame) => Some(frame),
                Poll::Pending => ready!(alarm.poll_anywhere({ deadline }(), cx).map(|()| None)),
            },
        };
        Poll::Ready(match found {
            Some(Some(Err(error))) => Some(Err(Broken(error).into())),
            // A stream that is reset without an error is not whole for that reason.
            Some(None) if !inner.is_end_stream() && inner.size_hint().lower() > 0 => {
                Some(Err(Short.into()))
            }
            Some(frame) => frame.map(|frame| frame.map_err(Into::into)),
            None => {
                if let Some(lease) = lease {
                    lease.retire();
                }
                Some(Err(Idle(limits.frame).into()))
            }
        })
    }

    /// Hands the connection back after the last frame.
    fn end(&mut self) {
        self.is_whole = true;
        if let (Some(lease), Some(idle_time)) = (self.lease.take(), self.limits.keep) {
            lease.hand_back(idle_time);
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
        if let Some(error) = self.failure.take() {
            self.inner = None;
            return Poll::Ready(Some(Err(error)));
        }
        let frame = ready!(self.poll(cx));
        self.waiting = None;
        match frame {
            Some(Err(error)) => {
                // It is an error and not the end, so the client's connection breaks off as well
                // (RFC 9112, section 8). hyper would drop what it has not written yet, so it gets
                // a turn before.
                tracing::warn!(error = %Chain(&*error), "the upstream broke off");
                self.failure = Some(error);
                self.lease = None;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Ok(frame)) => {
                if self.is_end_stream() {
                    self.end();
                }
                Poll::Ready(Some(Ok(without_hop_trailers(frame))))
            }
            None => {
                self.end();
                Poll::Ready(None)
            }
        }
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
        if let Some(progress) = &self.progress
            && (self.limits.keep.is_none() || !self.is_whole)
        {
            progress.stop();
        }
    }
}

/// The connection or the stream has ended before the response.
///
/// The code with which the upstream has reset its stream is that for the client, unless it means
/// something else there: that all is well, or that the request was not processed.
#[derive(Debug)]
struct Broken(hyper::Error);

impl Broken {
    /// Returns whether the client may see the code.
    fn is_shown(&self) -> bool {
        const OTHERS: [h2::Reason; 2] = [h2::Reason::NO_ERROR, h2::Reason::REFUSED_STREAM];
        let code = h2_error(&self.0).and_then(h2::Error::reason);
        code.is_some_and(|code| !OTHERS.contains(&code))
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_shown() {
            true => self.0.fmt(f),
            false => Chain(&self.0).fmt(f),
        }
    }
}

impl error::Error for Broken {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.is_shown().then_some(&self.0)
    }
}

/// The response is shorter than it said.
#[derive(Debug)]
struct Short;

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the response is shorter than its length")
    }
}

impl error::Error for Short {}

/// The upstream has sent nothing for this time.
#[derive(Debug)]
struct Idle(Duration);

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing came from the upstream for {:?}", self.0)
    }
}

impl error::Error for Idle {}

fn without_hop_trailers(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    if let Some(trailers) = frame.trailers_mut() {
        headers::trailers_to_client(trailers);
    }
    frame
}
