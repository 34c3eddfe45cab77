use std::{fmt, future::Future, ops::ControlFlow};

use bytes::Bytes;
use http::{Response, request, response};
use http_body_util::Full;

use crate::Hook;

/// A function that can be a [`before`](Hook::before): an `async fn`, or a closure `async |request: &mut request::Parts| …`, with its type written out, whose future borrows nothing
/// that it has captured. What needs that is a [`Hook`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no `before`",
    note = "write `async |request: &mut http::request::Parts| …`; what captures something is a `Hook`"
)]
pub trait BeforeFn<'a>: Send + Sync + 'static {
    /// What it gives.
    type Future: Future<Output = ControlFlow<Response<Full<Bytes>>>> + Send + 'a;

    /// Calls it.
    fn call(&self, request: &'a mut request::Parts) -> Self::Future;
}

impl<'a, F, Fut> BeforeFn<'a> for F
where
    F: Fn(&'a mut request::Parts) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ControlFlow<Response<Full<Bytes>>>> + Send + 'a,
{
    type Future = Fut;

    fn call(&self, request: &'a mut request::Parts) -> Fut {
        self(request)
    }
}

/// A function that can be an [`after`](Hook::after): an `async fn`, or a closure `async |response: &mut response::Parts| …`, with its type written out, whose future borrows nothing
/// that it has captured. What needs that is a [`Hook`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no `after`",
    note = "write `async |response: &mut http::response::Parts| …`; what captures something is a `Hook`"
)]
pub trait AfterFn<'a>: Send + Sync + 'static {
    /// What it gives.
    type Future: Future<Output = ()> + Send + 'a;

    /// Calls it.
    fn call(&self, response: &'a mut response::Parts) -> Self::Future;
}

impl<'a, F, Fut> AfterFn<'a> for F
where
    F: Fn(&'a mut response::Parts) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'a,
{
    type Future = Fut;

    fn call(&self, response: &'a mut response::Parts) -> Fut {
        self(response)
    }
}

/// The hook of [`HooksLayer::before`](crate::HooksLayer::before).
pub struct Before<F>(pub(crate) F);

impl<F> Hook for Before<F>
where
    F: for<'a> BeforeFn<'a>,
{
    type State = ();

    fn before(
        &self,
        (): &mut (),
        request: &mut request::Parts,
    ) -> impl Future<Output = ControlFlow<Response<Full<Bytes>>>> + Send {
        self.0.call(request)
    }
}

/// The hook of [`HooksLayer::after`](crate::HooksLayer::after).
pub struct After<F>(pub(crate) F);

impl<F> Hook for After<F>
where
    F: for<'a> AfterFn<'a>,
{
    type State = ();

    fn after(
        &self,
        (): &mut (),
        response: &mut response::Parts,
    ) -> impl Future<Output = ()> + Send {
        self.0.call(response)
    }
}

impl<F> fmt::Debug for Before<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Before").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for After<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("After").finish_non_exhaustive()
    }
}
