use std::{future::Future, ops::ControlFlow};

use bytes::Bytes;
use http::{Response, request, response};
use http_body_util::Full;

use crate::Hook;

/// A function that is a hook: an `async fn`, or an async closure with its argument's type written
/// out.
///
/// It is the bound of [`HooksLayer::before`](crate::HooksLayer::before), where `Head` is
/// `request::Parts` and `Output` a `ControlFlow`, and of
/// [`HooksLayer::after`](crate::HooksLayer::after), where `Head` is `response::Parts` and `Output`
/// is `()`. It is implemented for such functions, and cannot be implemented for anything else.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function that is a hook",
    note = "write `async move |request: &mut http::request::Parts| …` in `before`, and `async move \
            |response: &mut http::response::Parts| …` in `after`, with the types of the arguments",
    note = "the future has to be `Send`, and what the closure captures `Clone`"
)]
pub trait HookFn<'a, Head: 'a, Output>: sealed::Call<'a, Head, Output> {}

impl<'a, F, Head: 'a, Output> HookFn<'a, Head, Output> for F where F: sealed::Call<'a, Head, Output> {}

mod sealed {
    use super::Future;

    /// `FnOnce`, because an async closure that uses what it captures is no `Fn`: its future borrows
    /// from the closure. Called once, the closure is part of its future. So it is cloned for each
    /// request.
    pub trait Call<'a, Head: 'a, Output> {
        type Future: Future<Output = Output> + Send + 'a;

        fn call(self, head: &'a mut Head) -> Self::Future;
    }

    impl<'a, F, Head, Output, Fut> Call<'a, Head, Output> for F
    where
        F: FnOnce(&'a mut Head) -> Fut,
        Head: 'a,
        Fut: Future<Output = Output> + Send + 'a,
    {
        type Future = Fut;

        fn call(self, head: &'a mut Head) -> Fut {
            self(head)
        }
    }
}

/// The hook of [`HooksLayer::before`](crate::HooksLayer::before).
pub(crate) struct Before<F>(pub(crate) F);

impl<F> Hook for Before<F>
where
    F: for<'a> HookFn<'a, request::Parts, ControlFlow<Response<Full<Bytes>>>>,
    F: Clone + Send + Sync + 'static,
{
    type State = ();

    fn before(
        &self,
        (): &mut (),
        request: &mut request::Parts,
    ) -> impl Future<Output = ControlFlow<Response<Full<Bytes>>>> + Send {
        self.0.clone().call(request)
    }
}

/// The hook of [`HooksLayer::after`](crate::HooksLayer::after).
pub(crate) struct After<F>(pub(crate) F);

impl<F> Hook for After<F>
where
    F: for<'a> HookFn<'a, response::Parts, ()>,
    F: Clone + Send + Sync + 'static,
{
    type State = ();

    fn after(
        &self,
        (): &mut (),
        response: &mut response::Parts,
    ) -> impl Future<Output = ()> + Send {
        self.0.clone().call(response)
    }
}
