//! Records a request's body while a service reads it, and replays it to the next service.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{BoxError, CascadeError};

/// Frames shorter than this many bytes are recorded in one piece with their neighbours. So a body
/// of many small frames costs no more memory than its bytes.
const JOIN_BELOW: usize = 512;

pin_project! {
    /// The body of a request to a service of a cascade.
    ///
    /// For a service that another one may follow it is the original body, recorded while it is
    /// read. For the last one it is the recorded frames, and then the rest of the original body.
    /// Its errors are boxed: those of the original body, or a [`CascadeError`].
    ///
    /// A service made from a closure names its request type, or takes any. A service that needs
    /// another body type gets it from `tower::util::MapRequestLayer`. In axum, with the feature
    /// `axum`, `.map_request(ReplayBody::into_axum)` makes `axum::body::Body` of it, which
    /// `axum::middleware::from_fn` needs.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::{BodyExt, Full};
    /// use tower::BoxError;
    /// use tower_cascade::ReplayBody;
    ///
    /// /// A service of a cascade.
    /// async fn echo(
    ///     request: Request<ReplayBody<Full<Bytes>>>,
    /// ) -> Result<Response<Full<Bytes>>, BoxError> {
    ///     let body = request.into_body().collect().await?.to_bytes();
    ///     Ok(Response::new(body.into()))
    /// }
    /// ```
    pub struct ReplayBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        // There are no more frames.
        Ended,
        // The original body, of which nothing was read yet. It is not recorded.
        Original { #[pin] body: B },
        // The original body, recorded while it is read.
        Recorded { tape: SharedTape<B> },
        // The recorded frames, and then the rest of the original body, which is not recorded.
        // In a box, since all requests move this.
        Replayed { tape: Box<Tape<B>> },
    }
}

/// The tape is taken out when the next service gets the body.
type SharedTape<B> = Arc<Shared<B>>;

struct Shared<B> {
    tape: Mutex<Option<Tape<B>>>,
    /// The recording is not needed any more.
    unwanted: AtomicBool,
}

impl<B> Shared<B> {
    fn new(tape: Option<Tape<B>>) -> Arc<Self> {
        Arc::new(Self {
            tape: Mutex::new(tape),
            unwanted: AtomicBool::new(false),
        })
    }

    /// A body that panicked while it was polled has left the tape consistent: its source has
    /// failed.
    fn lock(&self) -> MutexGuard<'_, Option<Tape<B>>> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops the recorded frames if they are not needed any more. Each poll of the body calls this
    /// afterwards: the poll may have dropped the [`Reading`], on the same thread.
    fn clean_up(&self) {
        if !self.unwanted.load(Ordering::SeqCst) {
            return;
        }
        let mut guard = match self.tape.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let garbage = guard.as_mut().map(|tape| tape.stop(Recording::Off));
        drop(guard);
        // Not under the lock.
        drop(garbage);
    }
}

/// The cascade's hold on a request's body. Dropping it ends the recording.
pub(crate) enum Replay<B> {
    /// No service has had it, or it has no frames.
    // DIFFERENCE: Paste copies it now, before an application reads it, and only if it has a
    // Content-Length.
    Original(B),
    /// A service has had it.
    // In a box, since most requests have no body that a service reads, and all of them move this.
    Rewound(Box<Tape<B>>),
    /// A service has it.
    Reading(Reading<B>),
    /// The last service has it.
    Gone,
}

impl<B> Default for ReplayBody<B> {
    /// Returns an empty body, for layers that send a second request without a body.
    fn default() -> Self {
        Self { kind: Kind::Ended }
    }
}

impl<B> ReplayBody<B> {
    fn taken() -> Self {
        Self {
            kind: Kind::Recorded {
                tape: Shared::new(None),
            },
        }
    }
}

#[cfg(feature = "axum")]
impl<B> ReplayBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    /// Returns a request with axum's body type, for `.map_request(ReplayBody::into_axum)`.
    ///
    /// An `axum::Router` takes a request with any body. `axum::middleware::from_fn` does not.
    ///
    /// ```
    /// use axum::{Router, body::Body, extract::Request, middleware::{Next, from_fn}, routing::get};
    /// use tower::{Layer, ServiceBuilder, ServiceExt};
    /// use tower_cascade::{CascadeLayer, ReplayBody};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let first: Router = Router::new().route("/", get(async || "first"));
    /// let first = ServiceBuilder::new()
    ///     .map_request(ReplayBody::into_axum)
    ///     .layer(from_fn(async |request: Request, next: Next| next.run(request).await))
    ///     .service(first);
    /// let app: Router =
    ///     Router::new().fallback_service(CascadeLayer::new(first).layer(Router::new()));
    /// let response = app.oneshot(Request::new(Body::empty())).await?;
    /// assert_eq!(response.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_axum(request: http::Request<Self>) -> http::Request<axum_core::body::Body> {
        request.map(axum_core::body::Body::new)
    }
}

impl<B> Replay<B> {
    pub(crate) fn new(body: B) -> Self {
        Self::Original(body)
    }

    /// Returns the body for a service that another one may follow. No more than `limit` bytes of
    /// the recording are kept, for all services together.
    pub(crate) fn attempt(&mut self, limit: usize) -> ReplayBody<B>
    where
        B: Body,
    {
        let tape = match std::mem::replace(self, Self::Gone) {
            Self::Original(body) if body.is_end_stream() => {
                *self = Self::Original(body);
                return ReplayBody::default();
            }
            Self::Original(body) => Tape::new(body, limit),
            Self::Rewound(tape) => *tape,
            // This is not called then. A body that fails is not taken for a whole one.
            Self::Reading(_) | Self::Gone => return ReplayBody::taken(),
        };
        let tape = Shared::new(Some(tape));
        *self = Self::Reading(Reading(tape.clone()));
        ReplayBody {
            kind: Kind::Recorded { tape },
        }
    }

    /// Takes the body back from the service that had it, wherever that service keeps it.
    ///
    /// # Errors
    ///
    /// Returns an error if more was read than the limit.
    pub(crate) fn rewind(&mut self) -> Result<(), CascadeError> {
        let Self::Reading(Reading(shared)) = self else {
            return Ok(());
        };
        let Some(mut tape) = shared.lock().take() else {
            return Ok(());
        };
        if let Some(reader) = tape.reader.take()
            && Arc::strong_count(shared) > 1
        {
            // The service has kept its body. It is woken to read that the body was taken back.
            reader.wake();
        }
        tape.rewind()?;
        *self = match tape.source {
            Source::Unread(body) => Self::Original(body),
            _ => Self::Rewound(Box::new(tape)),
        };
        Ok(())
    }

    /// Returns the body for a service that no other follows.
    #[inline]
    pub(crate) fn last(self) -> ReplayBody<B> {
        let kind = match self {
            Self::Original(body) => Kind::Original { body },
            Self::Rewound(mut tape) => {
                tape.recording = Recording::Off;
                Kind::Replayed { tape }
            }
            Self::Reading(_) | Self::Gone => return ReplayBody::taken(),
        };
        ReplayBody { kind }
    }
}

/// Dropping it means that the recording is not needed any more.
pub(crate) struct Reading<B>(SharedTape<B>);

impl<B> Drop for Reading<B> {
    fn drop(&mut self) {
        self.0.unwanted.store(true, Ordering::SeqCst);
        self.0.clean_up();
    }
}

/// A frame that can be replayed.
#[derive(Clone, Debug)]
enum Recorded {
    Data(Bytes),
    Trailers(Box<HeaderMap>),
}

impl Recorded {
    fn into_frame(self) -> Frame<Bytes> {
        match self {
            Self::Data(data) => Frame::data(data),
            Self::Trailers(trailers) => Frame::trailers(*trailers),
        }
    }

    fn len(&self) -> u64 {
        match self {
            Self::Data(data) => data.len() as u64,
            Self::Trailers(_) => 0,
        }
    }
}

/// The original body, or how it ended.
enum Source<B> {
    /// It was not polled.
    Unread(B),
    /// It was polled, so it must not move.
    Reading(Pin<Box<B>>),
    Ended,
    /// It failed or panicked. Each reader after that gets one error.
    Failed {
        reported: bool,
    },
}

impl<B> Source<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // A body that panics in here has failed. A body that has ended is dropped at once, since it
        // may hold a permit or a file.
        let mut body = match std::mem::replace(self, Self::Failed { reported: false }) {
            Self::Unread(body) => Box::pin(body),
            Self::Reading(body) => body,
            Self::Failed { reported: false } => {
                *self = Self::Failed { reported: true };
                return Poll::Ready(Some(Err(CascadeError::BodyFailed.into())));
            }
            over => {
                *self = over;
                return Poll::Ready(None);
            }
        };
        let polled = body.as_mut().poll_frame(cx);
        *self = match &polled {
            Poll::Pending | Poll::Ready(Some(Ok(_))) => Self::Reading(body),
            Poll::Ready(Some(Err(_))) => Self::Failed { reported: true },
            Poll::Ready(None) => Self::Ended,
        };
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Unread(body) => body.is_end_stream(),
            Self::Reading(body) => body.is_end_stream(),
            Self::Ended => true,
            Self::Failed { reported } => *reported,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Unread(body) => body.size_hint(),
            Self::Reading(body) => body.size_hint(),
            Self::Ended | Self::Failed { reported: true } => SizeHint::with_exact(0),
            Self::Failed { reported: false } => SizeHint::default(),
        }
    }
}

/// A body that is being read, and the frames that were read.
pub(crate) struct Tape<B> {
    source: Source<B>,
    frames: Vec<Recorded>,
    /// The index of the next recorded frame, or `None` once the reader has reached the source.
    next: Option<usize>,
    /// Short frames, to be recorded as one.
    joined: BytesMut,
    recording: Recording,
    /// The task that waits for the next frame.
    reader: Option<Waker>,
}

enum Recording {
    /// There is room for `left` more bytes.
    On { left: usize, limit: usize },
    /// The limit was passed, and the recorded frames were dropped.
    Overrun(CascadeError),
    /// The recording is not needed any more.
    Off,
}

impl<B> Tape<B> {
    fn new(body: B, limit: usize) -> Self {
        Self {
            source: Source::Unread(body),
            frames: Vec::new(),
            next: None,
            joined: BytesMut::new(),
            recording: Recording::On { left: limit, limit },
            reader: None,
        }
    }

    fn record(&mut self, frame: &Frame<Bytes>) {
        let Recording::On { left, limit } = &mut self.recording else {
            return;
        };
        if let Some(data) = frame.data_ref() {
            let Some(still_left) = left.checked_sub(data.len()) else {
                let exceeded = CascadeError::ReplayLimitExceeded { limit: *limit };
                drop(self.stop(Recording::Overrun(exceeded)));
                return;
            };
            *left = still_left;
            if data.len() < JOIN_BELOW {
                self.joined.extend_from_slice(data);
            } else {
                self.close_joined();
                self.frames.push(Recorded::Data(data.clone()));
            }
        } else if let Some(trailers) = frame.trailers_ref() {
            self.close_joined();
            self.frames
                .push(Recorded::Trailers(Box::new(trailers.clone())));
        }
    }

    fn close_joined(&mut self) {
        if !self.joined.is_empty() {
            let joined = std::mem::take(&mut self.joined);
            self.frames.push(Recorded::Data(joined.freeze()));
        }
    }

    /// Ends the recording. Returns the frames that will not be read again, for the caller to drop.
    fn stop(&mut self, recording: Recording) -> impl Sized + use<B> {
        self.recording = recording;
        let waiting = match &mut self.next {
            Some(next) => self.frames.split_off(std::mem::take(next)),
            None => Vec::new(),
        };
        let frames = std::mem::replace(&mut self.frames, waiting);
        let joined = std::mem::take(&mut self.joined);
        (frames, joined, self.reader.take())
    }

    /// Rewinds to the start, for the next reader.
    fn rewind(&mut self) -> Result<(), CascadeError> {
        if let Recording::Overrun(exceeded) = self.recording {
            return Err(exceeded);
        }
        self.close_joined();
        self.next = Some(0);
        // The next reader has not had the error.
        if let Source::Failed { reported } = &mut self.source {
            *reported = false;
        }
        Ok(())
    }

    fn waiting(&self) -> &[Recorded] {
        self.next.map_or(&[], |next| &self.frames[next..])
    }
}

impl<B> Tape<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    /// Returns the next frame, and a waker that is not needed any more. Dropping a waker may run
    /// any code, so it is not dropped here, under the lock.
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> (Poll<Option<Result<Frame<Bytes>, BoxError>>>, Option<Waker>) {
        if let Some(next) = self.next.filter(|next| *next < self.frames.len()) {
            let frame = match self.recording {
                Recording::Off => {
                    std::mem::replace(&mut self.frames[next], Recorded::Data(Bytes::new()))
                }
                _ => self.frames[next].clone(),
            };
            self.next = Some(next + 1);
            return (Poll::Ready(Some(Ok(frame.into_frame()))), None);
        }
        let polled = self.source.poll_frame(cx);
        let old = match (&polled, &self.reader) {
            (Poll::Pending, Some(reader)) if reader.will_wake(cx.waker()) => None,
            (Poll::Pending, _) if !matches!(self.recording, Recording::Off) => {
                self.reader.replace(cx.waker().clone())
            }
            _ => self.reader.take(),
        };
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.next = None;
            self.record(frame);
        }
        (polled, old)
    }

    fn is_end_stream(&self) -> bool {
        self.waiting().is_empty() && self.source.is_end_stream()
    }

    /// Returns the size hint of the recorded frames and the source together.
    fn size_hint(&self) -> SizeHint {
        let frames = self.waiting();
        let waiting = frames.iter().map(Recorded::len).sum();
        let is_trailers = |frame: &Recorded| matches!(frame, Recorded::Trailers(_));
        if frames.iter().any(is_trailers) {
            // A client that sends a body of exact length over HTTP/1 leaves its trailers out.
            let mut hint = SizeHint::default();
            hint.set_lower(waiting);
            return hint;
        }
        plus(&self.source.size_hint(), waiting)
    }
}

impl<B> Body for ReplayBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut kind = self.project().kind;
        match kind.as_mut().project() {
            KindProj::Ended => return Poll::Ready(None),
            KindProj::Original { body } => {
                return body.poll_frame(cx).map_err(Into::into);
            }
            KindProj::Recorded { tape } => {
                let mut guard = tape.lock();
                if let Some(recorded) = &mut *guard {
                    let (polled, _old) = recorded.poll_frame(cx);
                    drop(guard);
                    tape.clean_up();
                    return polled;
                }
            }
            KindProj::Replayed { tape } => return tape.poll_frame(cx).0,
        }
        kind.set(Kind::Ended);
        Poll::Ready(Some(Err(CascadeError::BodyTaken.into())))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Ended => true,
            Kind::Original { body } => body.is_end_stream(),
            Kind::Recorded { tape } => tape.lock().as_ref().is_some_and(Tape::is_end_stream),
            Kind::Replayed { tape } => tape.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Ended => SizeHint::with_exact(0),
            Kind::Original { body } => body.size_hint(),
            Kind::Recorded { tape } => {
                let tape = tape.lock();
                tape.as_ref()
                    .map_or_else(SizeHint::default, Tape::size_hint)
            }
            Kind::Replayed { tape } => tape.size_hint(),
        }
    }
}

fn plus(rest: &SizeHint, waiting: u64) -> SizeHint {
    let mut hint = SizeHint::new();
    hint.set_lower(rest.lower().saturating_add(waiting));
    if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(waiting)) {
        hint.set_upper(upper);
    }
    hint
}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Ended => "ended",
            Kind::Original { .. } => "original",
            Kind::Recorded { .. } => "recorded",
            Kind::Replayed { .. } => "replayed",
        };
        f.debug_tuple("ReplayBody").field(&kind).finish()
    }
}
