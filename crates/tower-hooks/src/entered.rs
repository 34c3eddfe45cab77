use std::{ops::ControlFlow, sync::Arc, thread};

use http::{request, response};
use smallvec::SmallVec;
use sync_wrapper::SyncWrapper;
use tower_kit::guard::{self, Payload};

use crate::{
    BoxHook, Outcome, OutcomeKind,
    boxed::{Flow, State},
};

/// The hooks that a request was given to. Their `finish` is called once, however the request ends.
pub(crate) struct Entered {
    /// `None` while it is dropped.
    hooks: Option<Arc<[BoxHook]>>,
    /// The states of the hooks whose `before` was called, in order. Empty after `finish`. One state is
    /// stored in place, for `ratios` hooks/one-hook.
    states: SyncWrapper<SmallVec<[State; 1]>>,
    /// The number of hooks whose `before` let the request pass.
    passed: usize,
    /// The first panic of an `after`, while the others run.
    panic: SyncWrapper<Option<Payload>>,
}

impl Entered {
    pub(crate) fn new(hooks: Arc<[BoxHook]>) -> Self {
        Self {
            hooks: Some(hooks),
            states: SyncWrapper::new(SmallVec::new()),
            passed: 0,
            panic: SyncWrapper::new(None),
        }
    }

    /// Calls each `before` in order, up to one that responds.
    pub(crate) async fn before(&mut self, request: &mut request::Parts) -> Flow {
        let states = self.states.get_mut();
        for hook in self.hooks.as_deref().unwrap_or_default() {
            let hook = hook.erased();
            states.push(hook.state());
            if let Some(state) = states.last_mut() {
                hook.before(&mut **state, request).await?;
            }
            self.passed += 1;
        }
        ControlFlow::Continue(())
    }

    /// Calls each `after` in reverse order, of the hooks whose `before` let the request pass. If one
    /// panics, the others are called, and then the panic continues.
    pub(crate) async fn after(&mut self, response: &mut response::Parts) {
        let panic = self.panic.get_mut();
        let hooks = self.hooks.as_deref().unwrap_or_default().iter();
        let entered = hooks.zip(self.states.get_mut());
        for (hook, state) in entered.take(self.passed).rev() {
            let after = async { hook.erased().after(&mut **state, response).await };
            if let Err(another) = guard::catch_future(after).await {
                panic.get_or_insert(another);
            }
        }
        if let Some(panic) = panic.take() {
            panic.resume();
        }
    }

    pub(crate) fn is_finished(&mut self) -> bool {
        self.states.get_mut().is_empty()
    }

    /// Calls each `finish` in reverse order, of the hooks whose `before` was called.
    pub(crate) fn finish(&mut self, outcome: Outcome) {
        let states = self.states.get_mut();
        let hooks = self.hooks.as_deref().unwrap_or_default();
        while let Some(state) = states.pop() {
            if let Some(hook) = hooks.get(states.len()) {
                drop(guard::catch(|| hook.erased().finish(state, outcome)));
            }
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if !self.is_finished() {
            let panicked = thread::panicking() || self.panic.get_mut().is_some();
            let kind = match panicked {
                true => OutcomeKind::Panicked,
                false => OutcomeKind::Cancelled,
            };
            self.finish(Outcome::new(kind, None));
        }
        // It may be the last to hold the hooks, which are user code.
        guard::discard(self.hooks.take());
    }
}
