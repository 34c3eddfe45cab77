//! The call of a chosen service: its readiness, then its answer.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use http::Request;
use pin_project_lite::pin_project;
use tower_service::Service;

pin_project! {
    #[project = AttemptProj]
    pub(crate) enum Attempt<S, B>
    where
        S: Service<Request<B>>,
    {
        Called { #[pin] future: S::Future },
        // The request waits until the service is ready for it: backpressure shows as waiting. In a box, since all requests move
        // this, and few wait.
        Waiting { service: Box<(S, Option<Request<B>>)> },
        Failed { error: Option<S::Error> },
    }
}

impl<S, B> Attempt<S, B>
where
    S: Service<Request<B>>,
{
    /// Calls the service at once if it is ready; if not, the future does when it is.
    #[inline]
    pub(crate) fn new(mut service: S, request: Request<B>) -> Self {
        // Who is to be woken is known when this is polled, and then it is asked again.
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Self::Called {
                future: service.call(request),
            },
            Poll::Ready(Err(error)) => Self::Failed { error: Some(error) },
            Poll::Pending => Self::Waiting {
                service: Box::new((service, Some(request))),
            },
        }
    }
}

impl<S, B> Future for Attempt<S, B>
where
    S: Service<Request<B>>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let future = match self.as_mut().project() {
                AttemptProj::Called { future } => return future.poll(cx),
                AttemptProj::Waiting { service } => {
                    let (service, request) = &mut **service;
                    ready!(service.poll_ready(cx))?;
                    service.call(request.take().expect("`Waiting` is left with its request"))
                }
                AttemptProj::Failed { error } => {
                    let error = error.take();
                    return Poll::Ready(Err(
                        error.expect("a future is not polled after it is done")
                    ));
                }
            };
            self.set(Self::Called { future });
        }
    }
}
