use std::{
    fmt,
    future::{self, Future, Pending},
    ops::ControlFlow,
    sync::Arc,
};

use bytes::Bytes;
use http::{Response, request, response};
use http_body_util::Full;
use tower_kit::guard::{self, Payload};

use crate::{Hook, Outcome};

/// Where a request's hooks come from: those that [`HooksLayer::hook`](crate::HooksLayer::hook) put one after the other, or a
/// [`HookList`](crate::HookList). Nothing else implements it.
pub trait Chain: Clone + Send + Sync + 'static + sealed::Sealed {
    /// The hooks themselves.
    type Links: Links;

    /// The app's future, where there may be no hooks.
    type Bare<F: Future>: Future<Output = F::Output>;

    /// Those of the next request; `None` if there are none.
    #[doc(hidden)]
    fn links(&self) -> Option<Self::Links>;

    /// Where there are none.
    #[doc(hidden)]
    fn bare<F: Future>(future: F) -> Self::Bare<F>;
}

impl<L: Links> Chain for Arc<L> {
    type Links = Self;
    /// There are always some, and a future that is not there is not moved.
    type Bare<F: Future> = Pending<F::Output>;

    fn links(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn bare<F: Future>(_: F) -> Pending<F::Output> {
        future::pending()
    }
}

/// Hooks, one after the other. Nothing else implements it.
pub trait Links: Send + Sync + 'static + sealed::Sealed {
    /// What they know of one request.
    type States: Default + Send;

    /// Calls `before` in order, up to one that answers.
    #[doc(hidden)]
    fn before(
        &self,
        states: &mut Self::States,
        request: &mut request::Parts,
    ) -> impl Future<Output = ControlFlow<Response<Full<Bytes>>>> + Send;

    /// Calls `after` in reverse order, of those whose `before` let the request pass. The first panic is kept.
    #[doc(hidden)]
    fn after(
        &self,
        states: &mut Self::States,
        response: &mut response::Parts,
        panic: &mut Option<Payload>,
    ) -> impl Future<Output = ()> + Send;

    /// Calls `finish` in reverse order, of those whose `before` was called.
    #[doc(hidden)]
    fn finish(&self, states: Self::States, outcome: Outcome);
}

pub(crate) mod sealed {
    use std::sync::Arc;

    pub trait Sealed {}

    impl Sealed for () {}
    impl<C, H> Sealed for (C, H) {}
    impl<L> Sealed for Arc<L> {}
}

/// One hook's place in a request.
pub struct Place<T> {
    /// There once its `before` was called.
    state: Option<T>,
    /// Whether that let the request pass.
    passed: bool,
}

impl<T> Default for Place<T> {
    fn default() -> Self {
        Self {
            state: None,
            passed: false,
        }
    }
}

impl<T> fmt::Debug for Place<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("entered", &self.state.is_some())
            .field("passed", &self.passed)
            .finish()
    }
}

impl<T: Default> Place<T> {
    pub(crate) async fn before<H: Hook<State = T>>(
        &mut self,
        hook: &H,
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        let state = self.state.insert(T::default());
        hook.before(state, request).await?;
        self.passed = true;
        ControlFlow::Continue(())
    }

    pub(crate) async fn after<H: Hook<State = T>>(
        &mut self,
        hook: &H,
        response: &mut response::Parts,
        panic: &mut Option<Payload>,
    ) {
        let Some(state) = self.state.as_mut().filter(|_| self.passed) else {
            return;
        };
        if let Err(another) = guard::catch_future(async { hook.after(state, response).await }).await
        {
            panic.get_or_insert(another);
        }
    }

    pub(crate) fn finish<H: Hook<State = T>>(self, hook: &H, outcome: Outcome) {
        if let Some(state) = self.state {
            drop(guard::catch(|| hook.finish(state, outcome)));
        }
    }
}

impl Links for () {
    type States = ();

    async fn before(
        &self,
        (): &mut (),
        _: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        ControlFlow::Continue(())
    }

    async fn after(&self, (): &mut (), _: &mut response::Parts, _: &mut Option<Payload>) {}

    fn finish(&self, (): (), _: Outcome) {}
}

impl<L: Links> Links for Arc<L> {
    type States = L::States;

    fn before(
        &self,
        states: &mut Self::States,
        request: &mut request::Parts,
    ) -> impl Future<Output = ControlFlow<Response<Full<Bytes>>>> + Send {
        L::before(self, states, request)
    }

    fn after(
        &self,
        states: &mut Self::States,
        response: &mut response::Parts,
        panic: &mut Option<Payload>,
    ) -> impl Future<Output = ()> + Send {
        L::after(self, states, response, panic)
    }

    fn finish(&self, states: Self::States, outcome: Outcome) {
        L::finish(self, states, outcome);
    }
}

impl<L: Links, H: Hook> Links for (L, H) {
    type States = (L::States, Place<H::State>);

    async fn before(
        &self,
        (first, last): &mut Self::States,
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        self.0.before(first, request).await?;
        last.before(&self.1, request).await
    }

    async fn after(
        &self,
        (first, last): &mut Self::States,
        response: &mut response::Parts,
        panic: &mut Option<Payload>,
    ) {
        last.after(&self.1, response, panic).await;
        self.0.after(first, response, panic).await;
    }

    fn finish(&self, (first, last): Self::States, outcome: Outcome) {
        last.finish(&self.1, outcome);
        self.0.finish(first, outcome);
    }
}
