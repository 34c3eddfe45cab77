//! Recording a request's body as an app reads it, and giving it to the next app from its start.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    vec,
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{BoxError, CascadeError};

/// Frames shorter than this many bytes are recorded in one piece with their neighbours, so that a body
/// of many small frames costs no more memory than its bytes.
const JOIN_BELOW: usize = 512;

pin_project! {
    /// The body of a request to a service of a cascade.
    ///
    /// A service that wants another body type gets it from a function before it. In axum, with the
    /// feature `axum`, `.map_request(ReplayBody::into_axum)` makes `axum::body::Body` of it; that is
    /// what `axum::middleware::from_fn` needs, see [`into_axum`](Self::into_axum).
    ///
    /// For a service that another one may follow it is the original body, recorded while it is read.
    /// For the last one it is the recorded frames, and then the rest of the original body.
    pub struct ReplayBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        // Nothing more comes.
        Ended,
        // The original body, of which nothing was read yet. It is not recorded.
        Original { #[pin] body: B },
        // The original body, recorded while it is read.
        Recorded { tape: SharedTape<B> },
        // What was recorded, and then the rest of the original body, which is not recorded.
        Replayed { frames: vec::IntoIter<Recorded>, source: Source<B> },
    }
}

/// The tape is taken out when the body goes on to the next app.
type SharedTape<B> = Arc<Shared<B>>;

struct Shared<B> {
    tape: Mutex<Option<Tape<B>>>,
    /// Nobody will ask for the recording.
    unwanted: AtomicBool,
}

impl<B> Shared<B> {
    fn new(tape: Option<Tape<B>>) -> Arc<Self> {
        Arc::new(Self {
            tape: Mutex::new(tape),
            unwanted: AtomicBool::new(false),
        })
    }

    /// A body that panicked while it was polled has left the tape consistent: its source has failed.
    fn lock(&self) -> MutexGuard<'_, Option<Tape<B>>> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Throws away what was recorded, if nobody will ask for it. Whoever polls the body does it afterwards: the poll may have
    /// dropped whatever ends the recording, on the same thread.
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
    /// Nobody has had it, or it has not a single frame.
    // DIFFERENCE: Paste copies it now, before anybody asks for it, and only if it has a Content-Length.
    Original(B),
    /// An app has had it.
    // In a box, since most requests have no body that an app reads, and all of them move this.
    Rewound(Box<Tape<B>>),
    /// An app has it.
    Reading(Reading<B>),
    /// It is handed on.
    Gone,
}

impl<B> Default for ReplayBody<B> {
    /// An empty body, for layers that ask again without one.
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

    /// The body for an app that another one may follow. Of the recording no more than `limit` bytes are kept, by all apps
    /// together.
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
            // Nobody asks then; a body that fails is not taken for a whole one.
            Self::Reading(_) | Self::Gone => return ReplayBody::taken(),
        };
        let tape = Shared::new(Some(tape));
        *self = Self::Reading(Reading(tape.clone()));
        ReplayBody {
            kind: Kind::Recorded { tape },
        }
    }

    /// Takes the body back from the app that had it, wherever that app may have put it.
    ///
    /// # Errors
    ///
    /// Where more was read than the limit.
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
            // The app has kept its body; to be told that it is its own no longer.
            reader.wake();
        }
        tape.rewind()?;
        *self = match tape.source {
            Source::Unread(body) => Self::Original(body),
            _ => Self::Rewound(Box::new(tape)),
        };
        Ok(())
    }

    /// The body for an app that no other follows.
    #[inline]
    pub(crate) fn last(self) -> ReplayBody<B> {
        let kind = match self {
            Self::Original(body) => Kind::Original { body },
            Self::Rewound(tape) => Kind::Replayed {
                frames: tape.frames.into_iter(),
                source: tape.source,
            },
            Self::Reading(_) | Self::Gone => return ReplayBody::taken(),
        };
        ReplayBody { kind }
    }
}

/// Nobody will ask for a recording that is dropped.
pub(crate) struct Reading<B>(SharedTape<B>);

impl<B> Drop for Reading<B> {
    fn drop(&mut self) {
        self.0.unwanted.store(true, Ordering::SeqCst);
        self.0.clean_up();
    }
}

/// A frame that can be given again.
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

/// The original body, or what became of it.
enum Source<B> {
    /// Nobody has polled it.
    Unread(B),
    /// Somebody has, so it must not move.
    Reading(Pin<Box<B>>),
    Ended,
    /// It gave an error, or panicked. Whoever reads on must be told once.
    Failed {
        told: bool,
    },
}

impl<B> Source<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // A body that panics in here has failed; one that is over is dropped at once, since it may hold a
        // permit, or a file.
        let mut body = match std::mem::replace(self, Self::Failed { told: false }) {
            Self::Unread(body) => Box::pin(body),
            Self::Reading(body) => body,
            Self::Failed { told: false } => {
                *self = Self::Failed { told: true };
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
            Poll::Ready(Some(Err(_))) => Self::Failed { told: true },
            Poll::Ready(None) => Self::Ended,
        };
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Unread(body) => body.is_end_stream(),
            Self::Reading(body) => body.is_end_stream(),
            Self::Ended => true,
            Self::Failed { told } => *told,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Unread(body) => body.size_hint(),
            Self::Reading(body) => body.size_hint(),
            Self::Ended | Self::Failed { told: true } => SizeHint::with_exact(0),
            Self::Failed { told: false } => SizeHint::default(),
        }
    }
}

/// A body that is being read, and what was read of it.
pub(crate) struct Tape<B> {
    source: Source<B>,
    frames: Vec<Recorded>,
    /// The next of them for a reader who has them again; `None` once it reads on in the source.
    next: Option<usize>,
    /// Short frames, to be recorded as one.
    joined: BytesMut,
    recording: Recording,
    /// Who waits for the next frame.
    reader: Option<Waker>,
}

enum Recording {
    /// So many more bytes fit.
    On { left: usize, limit: usize },
    /// The limit was passed: what was read before is gone.
    Overrun(CascadeError),
    /// Nobody will ask for it.
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

    /// Ends the recording, and gives away to be dropped what was recorded and is not to be read again.
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

    /// For the next reader, who begins at the start.
    fn rewind(&mut self) -> Result<(), CascadeError> {
        if let Recording::Overrun(exceeded) = self.recording {
            return Err(exceeded);
        }
        self.close_joined();
        self.next = Some(0);
        // The next reader has not been told.
        if let Source::Failed { told } = &mut self.source {
            *told = false;
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
    /// The next frame, and a waker that is not needed any more: dropping one may run anything, so it is not
    /// done here, under the lock.
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
            KindProj::Replayed { frames, source } => match frames.next() {
                Some(frame) => return Poll::Ready(Some(Ok(frame.into_frame()))),
                None => return source.poll_frame(cx),
            },
        }
        kind.set(Kind::Ended);
        Poll::Ready(Some(Err(CascadeError::BodyTaken.into())))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Ended => true,
            Kind::Original { body } => body.is_end_stream(),
            Kind::Recorded { tape } => tape
                .lock()
                .as_ref()
                .is_some_and(|tape| tape.waiting().is_empty() && tape.source.is_end_stream()),
            Kind::Replayed { frames, source } => {
                frames.as_slice().is_empty() && source.is_end_stream()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Ended => SizeHint::with_exact(0),
            Kind::Original { body } => body.size_hint(),
            Kind::Recorded { tape } => {
                tape.lock().as_ref().map_or_else(SizeHint::default, |tape| {
                    size_hint(tape.waiting(), &tape.source)
                })
            }
            Kind::Replayed { frames, source } => size_hint(frames.as_slice(), source),
        }
    }
}

/// The length of recorded frames, and then of the rest.
fn size_hint<B>(frames: &[Recorded], source: &Source<B>) -> SizeHint
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let waiting = frames.iter().map(Recorded::len).sum();
    let is_trailers = |frame: &Recorded| matches!(frame, Recorded::Trailers(_));
    if frames.iter().any(is_trailers) {
        // A client that sends a body of exact length over HTTP/1 leaves its trailers out.
        let mut hint = SizeHint::default();
        hint.set_lower(waiting);
        return hint;
    }
    plus(&source.size_hint(), waiting)
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
