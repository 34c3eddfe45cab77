//! A service and a body that fail where a test wants them to.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower::{BoxError, Service};
use tower_exception::{ExceptionLayer, Incident};
use tower_kit::Rejection;

/// The phase in which to fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum At {
    Nowhere,
    Ready,
    Call,
    FirstPoll,
    LaterPoll,
    /// In the drop of the future that has responded.
    Drop,
    /// At this frame of the body, from 0. The third is the trailers.
    Frame(usize),
    /// In the body's `size_hint` or `is_end_stream`.
    Hint,
}

/// The kind of failure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum How {
    Panic,
    /// A panic, and another one when the value that panicked is dropped.
    PanicTwice,
    Error,
}

impl How {
    fn strike(self, place: &str) -> BoxError {
        match self {
            Self::Panic | Self::PanicTwice => panic!("broken at {place}"),
            Self::Error => format!("broken at {place}").into(),
        }
    }
}

/// Panics when it is dropped, if the field is `true`.
struct Bomb(bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.0 || std::thread::panicking(), "broken at drop");
    }
}

/// A service that fails, and panics if it is used after that. A clone works again, and fails too,
/// unless only the first one should.
pub(crate) struct Breaks {
    at: At,
    how: How,
    only_first: bool,
    ready: bool,
    broken: bool,
    bomb: Bomb,
    pub(crate) calls: Arc<AtomicUsize>,
}

impl Breaks {
    pub(crate) fn new(at: At, how: How) -> Self {
        Self {
            at,
            how,
            only_first: false,
            ready: false,
            broken: false,
            bomb: Bomb(false),
            calls: Arc::default(),
        }
    }

    pub(crate) fn only_first(mut self) -> Self {
        self.only_first = true;
        self
    }

    fn strike(&mut self, place: &str) -> BoxError {
        self.broken = true;
        self.bomb = self.how.bomb();
        self.how.strike(place)
    }
}

impl How {
    fn bomb(self) -> Bomb {
        Bomb(self == Self::PanicTwice)
    }
}

impl Clone for Breaks {
    fn clone(&self) -> Self {
        let at = if self.only_first {
            At::Nowhere
        } else {
            self.at
        };
        Self {
            calls: self.calls.clone(),
            only_first: self.only_first,
            ..Self::new(at, self.how)
        }
    }
}

impl Service<Request<()>> for Breaks {
    type Response = Response<Frames>;
    type Error = BoxError;
    type Future = Reply;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        assert!(!self.broken, "used again after it had broken");
        if self.at == At::Ready {
            return Poll::Ready(Err(self.strike("poll_ready")));
        }
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Reply {
        self.calls.fetch_add(1, Ordering::Relaxed);
        assert!(!self.broken, "used again after it had broken");
        assert!(
            std::mem::take(&mut self.ready),
            "called without being ready"
        );
        if self.at == At::Call {
            self.strike("call");
        }
        Reply {
            at: self.at,
            how: self.how,
            polls: 0,
            _bomb: Bomb(false),
        }
    }
}

pub(crate) struct Reply {
    at: At,
    how: How,
    polls: usize,
    _bomb: Bomb,
}

impl Future for Reply {
    type Output = Result<Response<Frames>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.polls += 1;
        let place = match (self.at, self.polls) {
            (At::FirstPoll, 1) => "the first poll",
            (At::LaterPoll, 3) => "a later poll",
            (At::LaterPoll, _) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            _ => {
                self._bomb = Bomb(self.at == At::Drop);
                return Poll::Ready(Ok(Response::new(Frames {
                    at: self.at,
                    how: self.how,
                    given: 0,
                    _bomb: Bomb(false),
                })));
            }
        };
        self._bomb = self.how.bomb();
        Poll::Ready(Err(self.how.strike(place)))
    }
}

/// Two frames of data, and trailers.
pub(crate) struct Frames {
    at: At,
    how: How,
    given: usize,
    _bomb: Bomb,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let index = self.given;
        self.given += 1;
        if self.at == At::Frame(index) {
            self._bomb = self.how.bomb();
            return Poll::Ready(Some(Err(self.how.strike("a frame"))));
        }
        Poll::Ready(match index {
            0 => Some(Ok(Frame::data(Bytes::from_static(b"one")))),
            1 => Some(Ok(Frame::data(Bytes::from_static(b"two")))),
            2 => Some(Ok(Frame::trailers(HeaderMap::new()))),
            _ => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        assert!(self.at != At::Hint, "broken at is_end_stream");
        self.given > 2
    }

    fn size_hint(&self) -> SizeHint {
        assert!(self.at != At::Hint, "broken at size_hint");
        SizeHint::with_exact(6_u64.saturating_sub(3 * self.given as u64))
    }
}

/// Returns a layer that keeps its incidents.
pub(crate) fn keeping() -> (ExceptionLayer, Arc<Mutex<Vec<Incident>>>) {
    let incidents: Arc<Mutex<Vec<Incident>>> = Arc::default();
    let keeps = incidents.clone();
    let layer = ExceptionLayer::production(move |incident| {
        keeps.lock().unwrap().push(incident.clone());
    });
    (layer, incidents)
}

/// Returns the incident that is the reason of this response.
pub(crate) fn reason<B>(response: &Response<B>) -> Incident {
    let rejection = Rejection::of(response).unwrap();
    let incident: &Incident = rejection.reason().unwrap();
    assert_eq!(rejection.status(), incident.status());
    assert_eq!(rejection.id(), Some(incident.id()));
    assert_eq!(response.headers()["x-incident-id"], incident.id());
    incident.clone()
}

/// Polls once, without a task to wake.
pub(crate) fn poll<B: Body + Unpin>(
    body: &mut B,
) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
    pin!(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}
