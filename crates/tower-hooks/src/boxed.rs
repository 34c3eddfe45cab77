use std::{
    any::Any,
    fmt,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Response, request, response};
use http_body_util::Full;
use pin_project_lite::pin_project;
use stackfuture::StackFuture;

use crate::{Hook, Outcome};

/// A hook of any type. Its clones are the same hook.
///
/// It is for hooks that are chosen while the program runs, and for a [`HookList`](crate::HookList).
#[derive(Clone)]
pub struct BoxHook(Arc<dyn Erased>);

impl BoxHook {
    /// Returns the hook as one of any type.
    pub fn new<H: Hook>(hook: H) -> Self {
        match (&hook as &dyn Any).downcast_ref() {
            Some(hook) => Self::clone(hook),
            None => Self(Arc::new(hook)),
        }
    }

    #[inline]
    pub(crate) fn erased(&self) -> &dyn Erased {
        &*self.0
    }
}

/// A [`Hook::State`].
pub(crate) type State = Box<dyn Any + Send>;

/// The result of a `before`. A response is rare, and boxed, because the result is moved several times.
pub(crate) type Flow = ControlFlow<Box<Response<Full<Bytes>>>>;

/// A hook's future, in place up to this number of bytes, and boxed if it is larger. For `ratios`
/// hooks/one-hook: two boxes for each hook, of `before` and of `after`, take a fourth more
/// instructions.
pub(crate) type HookFuture<'a, T> = StackFuture<'a, T, 64>;

/// A hook behind a pointer.
pub(crate) trait Erased: Send + Sync {
    fn state(&self) -> State;

    fn before<'a>(
        &'a self,
        state: &'a mut (dyn Any + Send),
        request: &'a mut request::Parts,
    ) -> HookFuture<'a, Flow>;

    fn after<'a>(
        &'a self,
        state: &'a mut (dyn Any + Send),
        response: &'a mut response::Parts,
    ) -> HookFuture<'a, ()>;

    fn finish(&self, state: State, outcome: Outcome);
}

const OWN: &str = "a hook gets the state that it made";

impl<H: Hook> Erased for H {
    #[inline]
    fn state(&self) -> State {
        Box::new(H::State::default())
    }

    fn before<'a>(
        &'a self,
        state: &'a mut (dyn Any + Send),
        request: &'a mut request::Parts,
    ) -> HookFuture<'a, Flow> {
        let state = state.downcast_mut().expect(OWN);
        StackFuture::from_or_box(Decides {
            future: Hook::before(self, state, request),
        })
    }

    fn after<'a>(
        &'a self,
        state: &'a mut (dyn Any + Send),
        response: &'a mut response::Parts,
    ) -> HookFuture<'a, ()> {
        let state = state.downcast_mut().expect(OWN);
        StackFuture::from_or_box(Hook::after(self, state, response))
    }

    fn finish(&self, state: State, outcome: Outcome) {
        Hook::finish(self, *state.downcast().expect(OWN), outcome);
    }
}

pin_project! {
    /// Boxes the response of a `before`.
    struct Decides<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future<Output = ControlFlow<Response<Full<Bytes>>>>> Future for Decides<F> {
    type Output = Flow;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Flow> {
        match self.project().future.poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(ControlFlow::Continue(())) => Poll::Ready(ControlFlow::Continue(())),
            Poll::Ready(ControlFlow::Break(response)) => {
                Poll::Ready(ControlFlow::Break(Box::new(response)))
            }
        }
    }
}

impl Hook for BoxHook {
    type State = Option<Box<dyn Any + Send>>;

    async fn before(
        &self,
        state: &mut Self::State,
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        let state = state.insert(self.0.state());
        match self.0.before(&mut **state, request).await {
            ControlFlow::Continue(()) => ControlFlow::Continue(()),
            ControlFlow::Break(response) => ControlFlow::Break(*response),
        }
    }

    async fn after(&self, state: &mut Self::State, response: &mut response::Parts) {
        if let Some(state) = state {
            self.0.after(&mut **state, response).await;
        }
    }

    fn finish(&self, state: Self::State, outcome: Outcome) {
        if let Some(state) = state {
            self.0.finish(state, outcome);
        }
    }
}

impl fmt::Debug for BoxHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxHook").finish_non_exhaustive()
    }
}
