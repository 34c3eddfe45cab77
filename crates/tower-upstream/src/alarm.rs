//! The timer of one connection.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is set for each request, and moves the runtime's timer only about once in the time
/// that it is set to: a later time does not move it, and when it rings for the earlier one, it is
/// set again.
#[derive(Default)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Becomes ready at this time, whatever waker it is polled with.
    pub(crate) fn poll_anywhere(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }

    /// Becomes ready at this time.
    pub(crate) fn poll(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn upstream_9_an_alarm_rings_at_the_time_of_its_last_setting() {
        const SECOND: Duration = Duration::from_secs(1);
        let mut alarm = Alarm::default();
        for seconds in [3, 1, 5, 5, 2] {
            let began = Instant::now();
            let deadline = began + seconds * SECOND;
            // A request that ends before the time leaves the timer as it is.
            let early = poll_fn(|cx| alarm.poll(deadline, cx));
            assert!(tokio::time::timeout(SECOND / 2, early).await.is_err());
            poll_fn(|cx| alarm.poll(deadline, cx)).await;
            let taken = began.elapsed();
            let late = Duration::from_millis(10);
            assert!((seconds * SECOND..seconds * SECOND + late).contains(&taken));
        }
    }
}
