use std::time::Duration;

use tokio::sync::Semaphore;

/// How long a client may take, how many there may be, and whether one may stop sending.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) header_timeout: Duration,
    pub(super) body_timeout: Duration,
    pub(super) write_timeout: Duration,
    pub(super) drain_timeout: Duration,
    pub(super) connections: usize,
    pub(super) half_close: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
            connections: 10_000,
            half_close: false,
        }
    }
}

/// `Duration::MAX` is how one says "never", and more than a clock can count to. A year is long enough.
pub(super) fn countable(time: Duration) -> Duration {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    time.min(YEAR)
}

/// None at all would serve nobody; `usize::MAX` is more than a semaphore has.
pub(super) fn possible(connections: usize) -> usize {
    connections.clamp(1, Semaphore::MAX_PERMITS)
}
