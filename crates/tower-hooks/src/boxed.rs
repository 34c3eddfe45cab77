use std::{any::Any, fmt, future::Future, ops::ControlFlow, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{Response, request, response};
use http_body_util::Full;

use crate::{Hook, Outcome};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A hook of any type. Its clones are the same hook.
///
/// Its state and each of its futures are allocated.
#[derive(Clone)]
pub struct BoxHook(Arc<dyn Twin>);

impl BoxHook {
    /// Boxes a hook.
    pub fn new(hook: impl Hook) -> Self {
        Self(Arc::new(hook))
    }
}

/// The state of a [`BoxHook`].
#[derive(Default)]
pub struct BoxState(Option<Box<dyn Any + Send>>);

/// What a hook is behind a pointer.
trait Twin: Send + Sync {
    fn state(&self) -> Box<dyn Any + Send>;

    fn before<'a>(
        &'a self,
        state: &'a mut (dyn Any + Send),
        request: &'a mut request::Parts,
    ) -> Boxed<'a, ControlFlow<Response<Full<Bytes>>>>;

    fn after<'a>(
        &'a self,
        state: &'a mut (dyn Any + Send),
        response: &'a mut response::Parts,
    ) -> Boxed<'a, ()>;

    fn finish(&self, state: Box<dyn Any + Send>, outcome: Outcome);
}

const OWN: &str = "a hook gets the state that it made";

impl<H: Hook> Twin for H {
    fn state(&self) -> Box<dyn Any + Send> {
        Box::new(H::State::default())
    }

    fn before<'a>(
        &'a self,
        state: &'a mut (dyn Any + Send),
        request: &'a mut request::Parts,
    ) -> Boxed<'a, ControlFlow<Response<Full<Bytes>>>> {
        Box::pin(Hook::before(
            self,
            state.downcast_mut().expect(OWN),
            request,
        ))
    }

    fn after<'a>(
        &'a self,
        state: &'a mut (dyn Any + Send),
        response: &'a mut response::Parts,
    ) -> Boxed<'a, ()> {
        Box::pin(Hook::after(
            self,
            state.downcast_mut().expect(OWN),
            response,
        ))
    }

    fn finish(&self, state: Box<dyn Any + Send>, outcome: Outcome) {
        Hook::finish(self, *state.downcast().expect(OWN), outcome);
    }
}

impl Hook for BoxHook {
    type State = BoxState;

    async fn before(
        &self,
        state: &mut BoxState,
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        let state = state.0.insert(self.0.state());
        self.0.before(&mut **state, request).await
    }

    async fn after(&self, state: &mut BoxState, response: &mut response::Parts) {
        if let Some(state) = &mut state.0 {
            self.0.after(&mut **state, response).await;
        }
    }

    fn finish(&self, state: BoxState, outcome: Outcome) {
        if let Some(state) = state.0 {
            self.0.finish(state, outcome);
        }
    }
}

impl fmt::Debug for BoxHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxHook").finish_non_exhaustive()
    }
}

impl fmt::Debug for BoxState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxState").finish_non_exhaustive()
    }
}
