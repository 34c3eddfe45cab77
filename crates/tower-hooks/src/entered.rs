use std::{ops::ControlFlow, panic::resume_unwind, thread};

use bytes::Bytes;
use http::{Response, request, response};
use http_body_util::Full;

use crate::{Links, Outcome};

/// The hooks that a request has come through. However it ends, they are told, once.
pub(crate) struct Entered<L: Links> {
    links: L,
    /// `None` when they have been told.
    states: Option<L::States>,
}

impl<L: Links> Entered<L> {
    pub(crate) fn new(links: L) -> Self {
        Self {
            links,
            states: Some(L::States::default()),
        }
    }

    pub(crate) async fn before(
        &mut self,
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        match &mut self.states {
            Some(states) => self.links.before(states, request).await,
            None => ControlFlow::Continue(()),
        }
    }

    /// A panic of one of them does not keep it from the others, and goes on when all are done.
    pub(crate) async fn after(&mut self, response: &mut response::Parts) {
        if let Some(states) = &mut self.states {
            let mut panic = None;
            self.links.after(states, response, &mut panic).await;
            if let Some(panic) = panic {
                resume_unwind(panic);
            }
        }
    }

    pub(crate) fn finish(&mut self, outcome: Outcome) {
        if let Some(states) = self.states.take() {
            self.links.finish(states, outcome);
        }
    }
}

impl<L: Links> Drop for Entered<L> {
    fn drop(&mut self) {
        self.finish(if thread::panicking() {
            Outcome::Panicked
        } else {
            Outcome::Cancelled
        });
    }
}
