use std::time::Duration;

use tokio::sync::Semaphore;

use crate::linger::Patience;

/// The limits of a server, and what a client may do besides.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) header_timeout: Duration,
    pub(crate) keep_alive_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) drain_timeout: Duration,
    pub(crate) connections: usize,
    pub(crate) half_close: bool,
    pub(crate) connect_protocol: bool,
    pub(crate) lingering: Patience,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
            connections: 10_000,
            half_close: false,
            connect_protocol: false,
            lingering: Patience {
                bytes: 32 << 20,
                time: Duration::from_secs(30),
            },
        }
    }
}

impl Limits {
    /// Returns the time after the signal to end in which a head may still come. A client connects
    /// when it has a request, so that is on its way.
    pub(crate) fn last_head(&self) -> Duration {
        const ON_ITS_WAY: Duration = Duration::from_secs(1);
        ON_ITS_WAY.min(self.drain_timeout / 2)
    }
}

/// Returns a time that can be added to an [`Instant`](tokio::time::Instant). `Duration::MAX`, which
/// stands for "never", cannot. A year is long enough.
pub(crate) fn countable(time: Duration) -> Duration {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    time.min(YEAR)
}

/// Returns a number of connections that a semaphore can have, and at least one.
pub(crate) fn possible(connections: usize) -> usize {
    connections.clamp(1, Semaphore::MAX_PERMITS)
}
