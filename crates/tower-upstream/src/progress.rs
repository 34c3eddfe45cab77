//! What the two bodies of an exchange know of each other.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use tokio::time::Instant;

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
pub(crate) enum Wanted {
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
    pub(crate) fn stop(&self) {
        let mut state = self.state();
        state.wanted = Wanted::No;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Registers the task that polls the client's body, and returns whether the upstream still wants
    /// it.
    pub(crate) fn begin(&self, waker: &Waker) -> Wanted {
        let mut state = self.state();
        state.waker = Some(waker.clone());
        state.wanted
    }

    /// Notes what a poll of the client's body has come to.
    pub(crate) fn note(&self, upload: Upload) {
        let mut state = self.state();
        // Being asked again is no progress.
        if upload == Upload::Awaited && state.upload == Upload::Awaited {
            return;
        }
        (state.upload, state.since) = (upload, Instant::now());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
