use std::{ops::ControlFlow, thread};

use bytes::Bytes;
use http::{Response, request, response};
use http_body_util::Full;
use sync_wrapper::SyncWrapper;
use tower_kit::guard::{self, Payload};

use crate::{Links, Outcome};

/// The hooks that a request has come through. However it ends, they are told, once.
pub(crate) struct Entered<L: Links> {
    /// `None` while it is dropped.
    links: Option<L>,
    /// `None` when they have been told. Nobody looks at them but who has all of this.
    states: SyncWrapper<Option<L::States>>,
    /// Of an `after`, until the others have had their turn.
    panic: SyncWrapper<Option<Payload>>,
}

impl<L: Links> Entered<L> {
    pub(crate) fn new(links: L) -> Self {
        Self {
            links: Some(links),
            states: SyncWrapper::new(Some(L::States::default())),
            panic: SyncWrapper::new(None),
        }
    }

    pub(crate) async fn before(
        &mut self,
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        match (&self.links, self.states.get_mut()) {
            (Some(links), Some(states)) => links.before(states, request).await,
            _ => ControlFlow::Continue(()),
        }
    }

    /// A panic of one of them does not keep it from the others, and goes on when all are done.
    pub(crate) async fn after(&mut self, response: &mut response::Parts) {
        let panic = self.panic.get_mut();
        if let (Some(links), Some(states)) = (&self.links, self.states.get_mut()) {
            links.after(states, response, panic).await;
        }
        if let Some(panic) = panic.take() {
            panic.resume();
        }
    }

    pub(crate) fn is_told(&mut self) -> bool {
        self.states.get_mut().is_none()
    }

    pub(crate) fn finish(&mut self, outcome: Outcome) {
        if let (Some(links), Some(states)) = (&self.links, self.states.get_mut().take()) {
            links.finish(states, outcome);
        }
    }
}

impl<L: Links> Drop for Entered<L> {
    fn drop(&mut self) {
        if !self.is_told() {
            let panicked = thread::panicking() || self.panic.get_mut().is_some();
            self.finish(if panicked {
                Outcome::Panicked
            } else {
                Outcome::Cancelled
            });
        }
        // It may be the last to hold the hooks, which are user code.
        guard::discard(self.links.take());
    }
}
