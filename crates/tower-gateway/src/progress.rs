//! The state of a request's body, which the time limits depend on.

use std::{
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

/// The state of a request's body on its way to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upload {
    /// The program has not taken all that there is.
    Sending,
    /// The program has taken everything so far, and the client has to send more.
    Awaited,
    /// The program has the whole request.
    Done,
    /// The client's body failed.
    Failed,
}

/// The state of a request's body, and the time since which it has it.
#[derive(Debug)]
pub(crate) struct Progress(Mutex<(Upload, Instant)>);

impl Progress {
    pub(crate) fn new() -> Self {
        Self(Mutex::new((Upload::Sending, Instant::now())))
    }

    pub(crate) fn set(&self, upload: Upload) {
        *self.state() = (upload, Instant::now());
    }

    pub(crate) fn upload(&self) -> Upload {
        self.state().0
    }

    fn since(&self) -> Instant {
        self.state().1
    }

    fn state(&self) -> MutexGuard<'_, (Upload, Instant)> {
        // No code panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time limit, which a moving upload restarts.
pub(crate) struct Clock {
    limit: Duration,
    /// The time since which the program is waited for.
    since: Option<Instant>,
    timer: Timer,
}

/// A timer of the runtime, which is made when it is needed for the first time.
///
/// It is kept with a connection, and set only if it would be too late. Mostly nothing has to wait
/// for so long, and the timer of an earlier request wakes a later one once in vain at most.
pub(crate) type Timer = Option<Pin<Box<Sleep>>>;

impl Clock {
    pub(crate) fn new(limit: Duration) -> Self {
        Self::with(limit, None)
    }

    /// Returns a clock with a timer that may have been set before.
    pub(crate) fn with(limit: Duration, timer: Timer) -> Self {
        Self {
            limit,
            since: None,
            timer,
        }
    }

    /// Returns the timer for a later clock.
    pub(crate) fn into_timer(self) -> Timer {
        self.timer
    }

    /// Stops the clock until it is polled again, because the program has sent something.
    pub(crate) fn stop(&mut self) {
        self.since = None;
    }

    /// Becomes ready when nothing has moved for the time.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, progress: &Progress) -> Poll<()> {
        let mut now = Instant::now();
        let since = *self.since.get_or_insert(now);
        loop {
            let Some(deadline) = since.max(progress.since()).checked_add(self.limit) else {
                return Poll::Pending;
            };
            // A timer is not ready while a task has used up its turn, as with endless output.
            if deadline <= now {
                return Poll::Ready(());
            }
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            if timer.deadline() > deadline || timer.is_elapsed() {
                timer.as_mut().reset(deadline);
            }
            ready!(timer.as_mut().poll(cx));
            now = Instant::now();
        }
    }
}
