use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
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
    ///
    /// It moves the runtime's timer only if the time ends earlier than that rings. If that rings
    /// too early, it is set again.
    pub(crate) struct Timer {
        header_timeout: Duration,
        keep_alive_timeout: Duration,
        phase: Phase,
        // A whole request may pass between two polls, and begins a new phase of the same kind.
        requests: usize,
        // `None` in a phase without an end, and after the end.
        deadline: Option<Instant>,
        #[pin]
        sleep: Sleep,
    }
}

impl Timer {
    /// Returns the timer of a connection that has just been accepted.
    pub(crate) fn new(limits: &Limits) -> Self {
        let sleep = sleep(limits.header_timeout);
        Self {
            header_timeout: limits.header_timeout,
            keep_alive_timeout: limits.keep_alive_timeout,
            phase: Phase::Head,
            requests: 0,
            deadline: Some(sleep.deadline()),
            sleep,
        }
    }

    /// Notes the phase, and returns whether the timer has to be polled for it.
    pub(crate) fn follow(self: Pin<&mut Self>, activity: &Activity) -> bool {
        let this = self.project();
        let (phase, requests) = (activity.phase(), activity.requests());
        if (*this.phase, *this.requests) == (phase, requests) {
            return false;
        }
        (*this.phase, *this.requests) = (phase, requests);
        let timeout = match phase {
            Phase::Head => *this.header_timeout,
            Phase::Idle => *this.keep_alive_timeout,
            Phase::Busy => {
                *this.deadline = None;
                return false;
            }
        };
        let deadline = Instant::now() + timeout;
        *this.deadline = Some(deadline);
        deadline < this.sleep.deadline() || this.sleep.is_elapsed()
    }

    /// Ends the time of this phase after another one, if it would end later.
    pub(crate) fn hurry(self: Pin<&mut Self>, time: Duration) {
        let this = self.project();
        let earlier = this.deadline.zip(Instant::now().checked_add(time));
        if let Some((deadline, earlier)) = earlier {
            *this.deadline = Some(deadline.min(earlier));
        }
    }

    /// Becomes ready when a phase has taken too long, and returns it. It is returned once. The
    /// phase is that of the last [`follow`](Self::follow).
    pub(crate) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Phase> {
        let mut this = self.project();
        let Some(deadline) = *this.deadline else {
            // A later phase relies on this ring, and on this waker.
            let _ = this.sleep.poll(cx);
            return Poll::Pending;
        };
        if deadline < this.sleep.deadline() || this.sleep.is_elapsed() {
            this.sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(this.sleep.as_mut().poll(cx));
            if deadline <= Instant::now() {
                *this.deadline = None;
                return Poll::Ready(*this.phase);
            }
            this.sleep.as_mut().reset(deadline);
        }
    }

    /// Waits until a phase has taken too long, and returns it. It is returned once. The phase is
    /// that of the last poll.
    pub(crate) async fn late(mut self: Pin<&mut Self>, activity: &Activity) -> Phase {
        poll_fn(|cx| {
            self.as_mut().follow(activity);
            self.as_mut().poll(cx)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::Arc,
        task::{Context, Waker},
    };

    use tokio::time::timeout;

    use http::Version;

    use super::*;
    use crate::{activity::Open, bell::Bell};

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
            activity.request_came(false, Version::HTTP_11);
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
        activity.request_came(false, Version::HTTP_11);
        assert_eq!(timer.as_mut().late(&activity).await, Phase::Idle);
        activity.request_came(false, Version::HTTP_11);
        assert_eq!(timer.as_mut().late(&activity).await, Phase::Idle);
    }

    /// The runtime's timer is seldom moved, so it often rings for an earlier phase.
    #[tokio::test(start_paused = true)]
    async fn serve_9_an_early_ring_reaches_the_last_waker() {
        let limits = Limits {
            header_timeout: SECOND * 2,
            keep_alive_timeout: SECOND * 5,
            ..Limits::default()
        };
        let activity = Arc::new(Activity::default());
        let mut timer = pin!(Timer::new(&limits));
        let mut before = Context::from_waker(Waker::noop());
        assert!(timer.as_mut().poll(&mut before).is_pending());
        let open = Open::new(&activity);
        activity.request_came(false, Version::HTTP_11);
        let (bell, task) = (Bell::new(), Waker::noop());
        let own = Waker::from(Arc::clone(&bell));
        let mut cx = Context::from_waker(&own);
        assert!(!timer.as_mut().follow(&activity) && bell.has_rung(task));
        assert!(timer.as_mut().poll(&mut cx).is_pending());
        drop(open);
        // The runtime's timer rings before this phase ends.
        assert!(!timer.as_mut().follow(&activity));
        let mut found = Vec::new();
        for second in 1..9 {
            tokio::time::sleep(SECOND).await;
            assert!(!timer.as_mut().follow(&activity));
            if bell.has_rung(task)
                && let Poll::Ready(phase) = timer.as_mut().poll(&mut cx)
            {
                found.push((second, phase));
            }
        }
        assert_eq!(found, [(5, Phase::Idle)]);
    }
}
