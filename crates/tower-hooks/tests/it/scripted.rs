//! Hooks that write down what happens to them.

use std::{
    ops::ControlFlow,
    panic,
    sync::{Arc, Mutex},
    task::Poll,
};

use bytes::Bytes;
use http::{Response, request, response};
use http_body_util::Full;
use tower_hooks::{Hook, Outcome, OutcomeKind};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event {
    Before(usize),
    App,
    After(usize),
    Finish(usize, OutcomeKind),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Event>>>);

impl Log {
    pub(crate) fn add(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }

    pub(crate) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    pub(crate) fn finishes(&self) -> Vec<OutcomeKind> {
        let finishes = self.take().into_iter().filter_map(|event| match event {
            Event::Finish(_, outcome) => Some(outcome),
            _ => None,
        });
        finishes.collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Deed {
    Pass,
    Answer,
    Panic,
}

/// What a hook does, after so many times that it waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    pub(crate) before: (usize, Deed),
    pub(crate) after: (usize, Deed),
    pub(crate) finish: Deed,
}

impl Script {
    pub(crate) const PASSES: Self = Self {
        before: (0, Deed::Pass),
        after: (0, Deed::Pass),
        finish: Deed::Pass,
    };
}

#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    pub(crate) number: usize,
    pub(crate) script: Script,
    pub(crate) log: Log,
}

impl Scripted {
    pub(crate) fn passing(log: &Log) -> Self {
        Self {
            number: 0,
            script: Script::PASSES,
            log: log.clone(),
        }
    }
}

/// A panic that no hook of the process prints.
pub(crate) fn silent_panic() -> ! {
    panic::resume_unwind(Box::new("silent"));
}

pub(crate) async fn waits(times: usize) {
    let mut left = times;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Hook for Scripted {
    type State = Vec<&'static str>;

    async fn before(
        &self,
        state: &mut Self::State,
        _: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        self.log.add(Event::Before(self.number));
        assert!(state.is_empty(), "a new state for each request");
        state.push("before");
        let (times, deed) = self.script.before;
        waits(times).await;
        match deed {
            Deed::Pass => ControlFlow::Continue(()),
            Deed::Answer => ControlFlow::Break(Response::new(Full::from("hook"))),
            Deed::Panic => silent_panic(),
        }
    }

    async fn after(&self, state: &mut Self::State, _: &mut response::Parts) {
        self.log.add(Event::After(self.number));
        assert_eq!(*state, ["before"], "the same state");
        state.push("after");
        let (times, deed) = self.script.after;
        waits(times).await;
        if deed == Deed::Panic {
            silent_panic();
        }
    }

    fn finish(&self, state: Self::State, outcome: Outcome) {
        assert_eq!(state[0], "before", "the same state");
        self.log.add(Event::Finish(self.number, outcome.kind()));
        if self.script.finish == Deed::Panic {
            silent_panic();
        }
    }
}
