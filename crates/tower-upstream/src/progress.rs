//! The state that the two bodies of an exchange share.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use tokio::time::Instant;

use crate::source::Source;

/// The state of the client's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upload {
    /// The upstream has taken all of it so far, and has not asked for more.
    Passed,
    /// The upstream has asked for a frame, and there is none.
    Awaited,
    /// The body has failed.
    Failed,
}

/// Whether the upstream still wants the client's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Yes,
    /// It rejects the body, and must not be disturbed while it sends the reason.
    NotNow,
    No,
}

/// The state that the two bodies of an exchange share. A request without a body has none.
pub(crate) struct Progress(Mutex<State>);

struct State {
    upload: Upload,
    since: Instant,
    wanted: Wanted,
    /// The task of the connection, which waits for the client's body.
    waker: Option<Waker>,
    /// The task that waits until the connection has dropped the client's body.
    end_waker: Option<Waker>,
    /// Whether the connection has dropped the client's body.
    has_ended: bool,
    /// Whether there is a response, so that the body is not sent again.
    has_response: bool,
    /// The client's body, if it can be sent again.
    returned: Option<Source>,
}

impl Progress {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            upload: Upload::Passed,
            since: Instant::now(),
            wanted: Wanted::Yes,
            waker: None,
            end_waker: None,
            has_ended: false,
            has_response: false,
            returned: None,
        })))
    }

    /// Returns the state of the client's body, and the time since which it has it.
    pub(crate) fn last(&self) -> (Upload, Instant) {
        let state = self.state();
        (state.upload, state.since)
    }

    /// Stops the client's body for now: the upstream rejects the rest of it, and closes the
    /// connection (RFC 9112, section 9.5).
    pub(crate) fn pause(&self) {
        self.state().wanted = Wanted::NotNow;
    }

    /// Ends the client's body: the client has left, or the connection closes.
    pub(crate) fn stop(&self) {
        let mut state = self.state();
        state.wanted = Wanted::No;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Registers the task that polls the client's body, and returns whether the upstream still
    /// wants it.
    pub(crate) fn begin(&self, waker: &Waker) -> Wanted {
        let mut state = self.state();
        if !state.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        state.wanted
    }

    /// Notes the result of a poll of the client's body.
    pub(crate) fn note(&self, upload: Upload) {
        let mut state = self.state();
        // A second poll is no progress.
        if upload == Upload::Awaited && state.upload == Upload::Awaited {
            return;
        }
        (state.upload, state.since) = (upload, Instant::now());
    }

    /// Notes that the connection has dropped the client's body, which is kept if it can be sent
    /// again.
    pub(crate) fn end(&self, source: Option<Source>) {
        let mut state = self.state();
        state.has_ended = true;
        let unwanted = match state.has_response {
            true => source,
            false => std::mem::replace(&mut state.returned, source),
        };
        let waker = state.end_waker.take();
        drop(state);
        drop(unwanted);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Returns whether the connection has taken all of the client's body that it will take.
    pub(crate) fn has_ended(&self) -> bool {
        self.state().has_ended
    }

    /// Waits until the connection has dropped the client's body.
    pub(crate) async fn ended(&self) {
        poll_fn(|cx| {
            let mut state = self.state();
            if state.has_ended {
                return Poll::Ready(());
            }
            state.end_waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Notes that there is a response, so that nothing is sent again.
    pub(crate) fn respond(&self) {
        let mut state = self.state();
        state.has_response = true;
        let unneeded = state.returned.take();
        drop(state);
        drop(unneeded);
    }

    pub(crate) fn has_response(&self) -> bool {
        self.state().has_response
    }

    /// Returns whether the client's body can be sent again.
    pub(crate) fn can_repeat(&self) -> bool {
        self.state().returned.is_some()
    }

    /// Returns the client's body for another attempt, if it can be sent again.
    pub(crate) fn again(&self) -> Option<Source> {
        let mut state = self.state();
        let source = state.returned.take();
        if source.is_some() {
            state.has_ended = false;
        }
        source
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
