//! The state that the two bodies of an exchange share.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use tokio::time::Instant;

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

/// The state that the two bodies of an exchange share.
pub(crate) struct Progress(Mutex<State>);

struct State {
    upload: Upload,
    since: Instant,
    wanted: Wanted,
    /// The task of the connection, which waits for the client's body.
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
        state.waker = Some(waker.clone());
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

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
