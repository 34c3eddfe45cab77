use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;
use pin_project_lite::pin_project;

use crate::ResponseBody;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pin_project! {
    /// The response future of [`Hooks`](crate::Hooks).
    pub struct ResponseFuture<F, B, E> {
        #[pin]
        kind: Kind<F, B, E>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<F, B, E> {
        // There are no hooks.
        Bare { #[pin] future: F },
        Boxed { future: Boxed<Result<Response<ResponseBody<B>>, E>> },
    }
}

impl<F, B, E> ResponseFuture<F, B, E> {
    pub(crate) fn bare(future: F) -> Self {
        Self {
            kind: Kind::Bare { future },
        }
    }

    /// The future is made where it stays: it is large, and to move it takes longer than to allocate it.
    pub(crate) fn boxed<T>(make: impl FnOnce() -> T) -> Self
    where
        T: Future<Output = Result<Response<ResponseBody<B>>, E>> + Send + 'static,
    {
        let future = Box::into_pin(Box::write(Box::new_uninit(), make()));
        Self {
            kind: Kind::Boxed { future },
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Bare { future } => future
                .poll(cx)
                .map_ok(|response| response.map(ResponseBody::unwatched)),
            KindProj::Boxed { future } => future.as_mut().poll(cx),
        }
    }
}

impl<F, B, E> fmt::Debug for ResponseFuture<F, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
