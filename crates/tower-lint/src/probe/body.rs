use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use super::{Error, Tracked};

/// A step of a [`Body`]: the result of a poll.
#[derive(Clone, Debug)]
pub enum Step {
    /// Returns a frame of data.
    Data(Bytes),
    /// Returns the same frame of data at every poll, without an end.
    Endless(Bytes),
    /// Returns trailers.
    Trailers(HeaderMap),
    /// Returns an error.
    Fail(Error),
    /// Panics with this text.
    Panic(&'static str),
    /// Returns pending once, and wakes the task at once.
    Yield,
    /// Returns pending until the gate opens.
    Wait(Gate),
}

impl From<&'static str> for Step {
    fn from(data: &'static str) -> Self {
        Self::Data(Bytes::from_static(data.as_bytes()))
    }
}

/// A body that follows a script.
///
/// Its size hint and its end are true, except after [`claim_hint`](Self::claim_hint) and
/// [`claim_end`](Self::claim_end).
///
/// # Examples
///
/// ```
/// use http_body_util::BodyExt;
/// use tower_lint::probe::{Body, Error, Step, block_on};
///
/// let body = Body::new(["one".into(), Step::Yield, Step::Fail(Error("gone"))]);
/// let error = block_on(body.collect()).unwrap().unwrap_err();
/// assert_eq!(error, Error("gone"));
/// ```
#[derive(Debug, Default)]
pub struct Body {
    steps: VecDeque<Step>,
    hint: Option<SizeHint>,
    end: Option<bool>,
    tracked: Option<Tracked>,
    polls: Arc<AtomicUsize>,
}

impl Body {
    /// Creates a body that follows these steps and then ends.
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Creates a body that returns these bytes in frames of one byte.
    pub fn byte_by_byte(data: impl Into<Bytes>) -> Self {
        let data = data.into();
        Self::new((0..data.len()).map(|at| Step::Data(data.slice(at..=at))))
    }

    /// Sets the size hint, true or not. By default it is true.
    #[must_use]
    pub fn claim_hint(mut self, hint: SizeHint) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Sets the result of `is_end_stream`, true or not. By default it is true.
    #[must_use]
    pub fn claim_end(mut self, end: bool) -> Self {
        self.end = Some(end);
        self
    }

    /// Holds a tracked value until the body is dropped. By default it holds none.
    #[must_use]
    pub fn holding(mut self, tracked: Tracked) -> Self {
        self.tracked = Some(tracked);
        self
    }

    /// Returns the counter of polls, which outlives the body.
    #[must_use]
    pub fn polls(&self) -> Arc<AtomicUsize> {
        self.polls.clone()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(match self.steps.pop_front() {
            None => None,
            Some(Step::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Step::Endless(data)) => {
                self.steps.push_front(Step::Endless(data.clone()));
                Some(Ok(Frame::data(data)))
            }
            Some(Step::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Step::Fail(error)) => Some(Err(error)),
            Some(Step::Panic(text)) => panic!("{text}"),
            Some(Step::Yield) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Step::Wait(gate)) => {
                if gate.poll(cx).is_pending() {
                    self.steps.push_front(Step::Wait(gate));
                    return Poll::Pending;
                }
                return self.poll_frame(cx);
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.end.unwrap_or(self.steps.is_empty())
    }

    #[allow(
        clippy::clone_on_copy,
        reason = "it is not `Copy` in every http-body 1"
    )]
    fn size_hint(&self) -> SizeHint {
        if let Some(hint) = &self.hint {
            return hint.clone();
        }
        let mut hint = SizeHint::new();
        let mut exact = true;
        for step in &self.steps {
            match step {
                Step::Data(data) => hint.set_lower(hint.lower() + data.len() as u64),
                Step::Yield | Step::Wait(_) => {}
                // The steps after these may not be reached, or are not all.
                _ => {
                    exact = false;
                    break;
                }
            }
        }
        if exact {
            hint.set_upper(hint.lower());
        }
        hint
    }
}

/// A gate that a body or a service waits for, and that a test opens.
///
/// # Examples
///
/// ```
/// use std::future::poll_fn;
/// use tower_lint::probe::{Gate, block_on};
///
/// let gate = Gate::new();
/// gate.open();
/// assert_eq!(block_on(poll_fn(|cx| gate.poll(cx))), Ok(()));
/// ```
#[derive(Clone, Default)]
pub struct Gate {
    state: Arc<Mutex<(bool, Vec<Waker>)>>,
}

impl Gate {
    /// Creates a closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the gate, and wakes all tasks that wait for it.
    pub fn open(&self) {
        let wakers = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.0 = true;
            std::mem::take(&mut state.1)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Returns ready if the gate is open. Otherwise the task is woken when it opens.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0 {
            return Poll::Ready(());
        }
        if !state.1.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.1.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}
