//! What the services of a process know of it.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::ProcessError;

/// In which state a process is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum State {
    /// It does not accept connections yet, or not any more.
    Starting,
    /// It accepts connections.
    Ready,
    /// It has ended, and is started again at this time.
    Ended { next_start: Instant },
    /// It has ended for good.
    Stopped,
}

/// A process, as its supervisor and its services share it.
#[derive(Debug)]
pub(crate) struct Shared {
    state: watch::Sender<State>,
    /// Whether it is to be stopped.
    stop: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: watch::Sender::new(State::Starting),
            stop: watch::Sender::new(false),
        })
    }

    pub(crate) fn set(&self, state: State) {
        self.state.send_replace(state);
    }

    pub(crate) fn is_ready(&self) -> bool {
        *self.state.borrow() == State::Ready
    }

    /// Returns the time until the next start, if it is known.
    pub(crate) fn next_start(&self) -> Duration {
        match *self.state.borrow() {
            State::Ended { next_start } => next_start.saturating_duration_since(Instant::now()),
            _ => Duration::ZERO,
        }
    }

    /// Waits until it accepts connections, also through several starts.
    pub(crate) async fn ready_within(&self, limit: Duration) -> Result<(), ProcessError> {
        let found = self.until(|state| matches!(state, State::Ready | State::Stopped));
        match timeout(limit, found).await {
            Ok(State::Ready) => Ok(()),
            Ok(_) => Err(ProcessError::Stopped),
            Err(_) => Err(ProcessError::NotReady),
        }
    }

    /// Waits until it accepts connections, or has failed to.
    pub(crate) async fn ready(&self) -> Result<(), ProcessError> {
        match self.until(|state| *state != State::Starting).await {
            State::Ready => Ok(()),
            State::Stopped => Err(ProcessError::Stopped),
            State::Starting | State::Ended { .. } => Err(ProcessError::NotReady),
        }
    }

    /// Waits until it has ended for good.
    pub(crate) async fn stopped(&self) {
        self.until(|state| *state == State::Stopped).await;
    }

    async fn until(&self, is_wanted: impl FnMut(&State) -> bool) -> State {
        let mut state = self.state.subscribe();
        // The sender is in this struct, so it is never closed.
        state
            .wait_for(is_wanted)
            .await
            .map_or(State::Stopped, |state| *state)
    }

    /// Asks the supervisor to stop it.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until it is to be stopped.
    pub(crate) async fn stopping(&self) {
        let mut stop = self.stop.subscribe();
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

/// A use of a process. It is stopped when the last one is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) shared: Arc<Shared>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
