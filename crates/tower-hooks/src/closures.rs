use std::{future::Future, ops::ControlFlow, sync::Arc};

use bytes::Bytes;
use http::{Response, request, response};
use http_body_util::Full;

use crate::{BoxHook, Hook, boxed::Kind};

/// A function that is a hook: a function, an `async fn`, or a closure or async closure with its
/// argument's type written out.
///
/// It is the bound of [`HooksLayer::before`](crate::HooksLayer::before), where `Head` is
/// `request::Parts` and the function returns a `ControlFlow`, and of
/// [`HooksLayer::after`](crate::HooksLayer::after), where `Head` is `response::Parts` and it
/// returns nothing. `Kind` says whether it is async, and is inferred. The trait is implemented for
/// such functions, and cannot be implemented for anything else.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function that is a hook",
    note = "write `|request: &mut http::request::Parts| …` in `before`, and \
            `|response: &mut http::response::Parts| …` in `after`, with the types of the arguments",
    note = "the future of an async closure has to be `Send`, and what the closure captures `Clone`"
)]
pub trait HookFn<Head, Kind: sealed::Kind> {
    #[doc(hidden)]
    fn into_hook(self) -> BoxHook;
}

impl<F> HookFn<request::Parts, sealed::Plain> for F
where
    F: Fn(&mut request::Parts) -> ControlFlow<Response<Full<Bytes>>> + Send + Sync + 'static,
{
    fn into_hook(self) -> BoxHook {
        BoxHook::of(Kind::Before(Arc::new(self)))
    }
}

impl<F> HookFn<response::Parts, sealed::Plain> for F
where
    F: Fn(&mut response::Parts) + Send + Sync + 'static,
{
    fn into_hook(self) -> BoxHook {
        BoxHook::of(Kind::After(Arc::new(self)))
    }
}

impl<F> HookFn<request::Parts, sealed::Async> for F
where
    F: for<'a> sealed::Call<'a, request::Parts, ControlFlow<Response<Full<Bytes>>>>,
    F: Clone + Send + Sync + 'static,
{
    fn into_hook(self) -> BoxHook {
        BoxHook::new(Before(self))
    }
}

impl<F> HookFn<response::Parts, sealed::Async> for F
where
    F: for<'a> sealed::Call<'a, response::Parts, ()>,
    F: Clone + Send + Sync + 'static,
{
    fn into_hook(self) -> BoxHook {
        BoxHook::new(After(self))
    }
}

pub(crate) mod sealed {
    use super::Future;

    /// Whether a function is async.
    pub trait Kind {}

    #[derive(Debug)]
    pub enum Plain {}

    #[derive(Debug)]
    pub enum Async {}

    impl Kind for Plain {}
    impl Kind for Async {}

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

/// The hook of an async function in [`HooksLayer::before`](crate::HooksLayer::before).
struct Before<F>(F);

impl<F> Hook for Before<F>
where
    F: for<'a> sealed::Call<'a, request::Parts, ControlFlow<Response<Full<Bytes>>>>,
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

/// The hook of an async function in [`HooksLayer::after`](crate::HooksLayer::after).
struct After<F>(F);

impl<F> Hook for After<F>
where
    F: for<'a> sealed::Call<'a, response::Parts, ()>,
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
