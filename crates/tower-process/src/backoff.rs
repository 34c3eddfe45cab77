//! How long to wait before a process is started again.

use std::time::Duration;

/// The first pause. It doubles with each further one.
const FIRST: Duration = Duration::from_millis(100);
/// The longest pause.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);
/// The time after which a process that accepted connections counts as one that runs well.
const WELL: Duration = Duration::from_secs(10);

/// The pauses before starts.
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// Returns the pause after a process that has accepted connections for this time.
    pub(crate) fn pause_after(&mut self, ran: Duration) -> Duration {
        if ran >= WELL {
            self.next = FIRST;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_7_pauses_double_and_begin_again_after_a_good_run() {
        let mut backoff = Backoff::new();
        let mut pause_after = |ran| backoff.pause_after(Duration::from_millis(ran)).as_millis();
        let pauses: Vec<_> = (0..11).map(|_| pause_after(9_999)).collect();
        let expected = [
            100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000,
        ];
        assert_eq!(pauses, expected);
        assert_eq!(pause_after(10_000), 100);
        assert_eq!(pause_after(0), 200);
    }
}
