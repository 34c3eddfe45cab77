use std::{
    future::poll_fn,
    pin::Pin,
    task::{Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

use crate::{
    activity::{Activity, Phase},
    limits::Limits,
};

pin_project! {
    /// The time that a client has for what the server waits for. It begins with each phase.
    pub(crate) struct Timer {
        header_timeout: Duration,
        keep_alive_timeout: Duration,
        phase: Phase,
        // A whole request may pass between two polls, and begins a new phase of the same kind.
        requests: usize,
        #[pin]
        sleep: Sleep,
        is_over: bool,
    }
}

impl Timer {
    /// Returns the timer of a connection that has just been accepted.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            header_timeout: limits.header_timeout,
            keep_alive_timeout: limits.keep_alive_timeout,
            phase: Phase::Head,
            requests: 0,
            sleep: sleep(limits.header_timeout),
            is_over: false,
        }
    }

    fn follow(self: Pin<&mut Self>, activity: &Activity) {
        let this = self.project();
        let (phase, requests) = (activity.phase(), activity.requests());
        if (*this.phase, *this.requests) == (phase, requests) {
            return;
        }
        (*this.phase, *this.requests) = (phase, requests);
        *this.is_over = phase == Phase::Busy;
        let timeout = match phase {
            Phase::Head => *this.header_timeout,
            Phase::Idle => *this.keep_alive_timeout,
            Phase::Busy => return,
        };
        this.sleep.reset(Instant::now() + timeout);
    }

    /// Waits until a phase has taken too long, and returns it. It is returned once. The phase is
    /// that of the last poll.
    pub(crate) async fn late(mut self: Pin<&mut Self>, activity: &Activity) -> Phase {
        poll_fn(|cx| {
            self.as_mut().follow(activity);
            let mut this = self.as_mut().project();
            if *this.is_over {
                return Poll::Pending;
            }
            ready!(this.sleep.as_mut().poll(cx));
            *this.is_over = true;
            Poll::Ready(*this.phase)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, sync::Arc};

    use tokio::time::timeout;

    use super::*;
    use crate::activity::Open;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn serve_9_each_phase_has_its_own_time() {
        let limits = Limits {
            header_timeout: SECOND * 2,
            keep_alive_timeout: SECOND * 5,
            ..Limits::default()
        };
        let activity = Arc::new(Activity::default());
        let start = Instant::now();
        let mut timer = pin!(Timer::new(&limits));
        tokio::time::advance(SECOND).await;
        // The time of a phase that continues does not begin again.
        activity.bytes_came();
        assert_eq!(timer.as_mut().late(&activity).await, Phase::Head);
        assert_eq!(start.elapsed().as_secs(), 2);
        let late = timeout(SECOND * 9, timer.as_mut().late(&activity)).await;
        assert!(late.is_err(), "{late:?}");

        for (phase, time) in [(Phase::Idle, 5), (Phase::Idle, 5), (Phase::Head, 2)] {
            let open = Open::new(&activity);
            activity.request_came(false, false);
            let late = timeout(SECOND * 9, timer.as_mut().late(&activity)).await;
            assert!(late.is_err(), "{late:?}");
            drop(open);
            if phase == Phase::Head {
                activity.bytes_came();
            }
            let start = Instant::now();
            assert_eq!(timer.as_mut().late(&activity).await, phase);
            assert_eq!(start.elapsed().as_secs(), time);
        }
        activity.request_came(false, false);
        assert_eq!(timer.as_mut().late(&activity).await, Phase::Idle);
        activity.request_came(false, false);
        assert_eq!(timer.as_mut().late(&activity).await, Phase::Idle);
    }
}
