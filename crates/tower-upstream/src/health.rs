//! Whether an upstream responds, by what became of the last requests.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// The time for which an upstream gets no request after its first failure. It doubles with each
/// further one.
const FIRST: Duration = Duration::from_millis(50);
/// The longest such time. An upstream that is back gets a request within a second.
const LONGEST: Duration = Duration::from_millis(800);

/// Whether an upstream responds.
#[derive(Default)]
pub(crate) struct Health {
    /// The number of failures since the last response.
    failures: AtomicU32,
    /// The end of the time without requests.
    until: Mutex<Option<Instant>>,
}

impl Health {
    /// Returns the time before which the upstream gets no request, if it is later than now.
    pub(crate) fn ejected(&self, now: Instant) -> Option<Instant> {
        match self.has_failed() {
            true => (*self.until()).filter(|until| now < *until),
            false => None,
        }
    }

    /// Returns whether the upstream has failed since its last response.
    pub(crate) fn has_failed(&self) -> bool {
        self.failures.load(Ordering::Relaxed) > 0
    }

    /// Notes that the upstream gets a request. If it has failed before, this is a trial, and until
    /// it has a response there is only one for each time.
    pub(crate) fn begin(&self, now: Instant) {
        let failures = self.failures.load(Ordering::Relaxed);
        if failures > 0 {
            *self.until() = Some(now + pause(failures));
        }
    }

    /// Notes that no connection could be made, or that one ended without a response.
    pub(crate) fn fail(&self, now: Instant) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed);
        *self.until() = Some(now + pause(failures.saturating_add(1)));
    }

    /// Notes a response.
    pub(crate) fn succeed(&self) {
        if self.has_failed() {
            self.failures.store(0, Ordering::Relaxed);
            *self.until() = None;
        }
    }

    fn until(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pause(failures: u32) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10));
    doubled.min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn upstream_18_ejection_grows_to_less_than_a_second() {
        let health = Health::default();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let now = Instant::now();
            assert_eq!(health.ejected(now), None);
            health.begin(now);
            health.fail(now);
            let until = health.ejected(now).unwrap();
            pauses.push((until - now).as_millis());
            tokio::time::advance(until - now).await;
        }
        assert_eq!(pauses, [50, 100, 200, 400, 800, 800, 800]);
        // A trial is one request.
        let now = Instant::now();
        assert_eq!(health.ejected(now), None);
        health.begin(now);
        assert!(health.ejected(now).is_some());
        health.succeed();
        assert_eq!(health.ejected(now), None);
        health.begin(now);
        assert_eq!(health.ejected(now), None);
    }
}
