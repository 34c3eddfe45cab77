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
    /// It is being stopped.
    Stopping,
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

    /// Sets the state, unless the process is to be stopped: that does not change any more.
    pub(crate) fn set(&self, state: State) {
        self.state.send_if_modified(|now| {
            let is_kept = match *now {
                State::Stopping => state != State::Stopped,
                State::Stopped => true,
                State::Starting | State::Ready | State::Ended { .. } => false,
            };
            if !is_kept {
                *now = state;
            }
            !is_kept
        });
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

    /// Waits until it accepts connections, also through several starts. It does not wait for a
    /// start that comes too late.
    pub(crate) async fn ready_within(&self, limit: Duration) -> Result<(), ProcessError> {
        // There is no end if the clock does not reach it.
        let end = Instant::now().checked_add(limit);
        let found = self.until(|state| match state {
            State::Starting => false,
            State::Ended { next_start } => end.is_some_and(|end| *next_start >= end),
            State::Ready | State::Stopping | State::Stopped => true,
        });
        match timeout(limit, found).await {
            Ok(State::Ready) => Ok(()),
            Ok(State::Stopping | State::Stopped) => Err(ProcessError::Stopped),
            Ok(State::Starting | State::Ended { .. }) | Err(_) => Err(ProcessError::NotReady),
        }
    }

    /// Waits until it accepts connections, or has failed to.
    pub(crate) async fn ready(&self) -> Result<(), ProcessError> {
        match self.until(|state| *state != State::Starting).await {
            State::Ready => Ok(()),
            State::Stopping | State::Stopped => Err(ProcessError::Stopped),
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

    /// Asks the supervisor to stop it. From now on, it gets no requests.
    pub(crate) fn stop(&self) {
        self.set(State::Stopping);
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// Returns what a request finds that comes at this state, and how long it has waited.
    async fn found(state: State) -> (Result<(), ProcessError>, Duration) {
        let shared = Shared::new();
        shared.set(state);
        let start = Instant::now();
        (shared.ready_within(LIMIT).await, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn process_6_a_request_does_not_wait_for_a_start_that_comes_too_late() {
        let not_ready = Err(ProcessError::NotReady);
        assert_eq!(found(State::Ready).await, (Ok(()), Duration::ZERO));
        let stopped = Err(ProcessError::Stopped);
        assert_eq!(found(State::Stopped).await, (stopped, Duration::ZERO));
        assert_eq!(found(State::Starting).await.0, not_ready);
        for (seconds, waits) in [(5, true), (20, false)] {
            let next_start = Instant::now() + Duration::from_secs(seconds);
            let (result, waited) = found(State::Ended { next_start }).await;
            assert_eq!(result, not_ready);
            assert_eq!(waited >= LIMIT, waits, "{seconds}");
        }
    }
}
