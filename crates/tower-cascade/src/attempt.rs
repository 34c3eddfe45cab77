//! One app's turn: its readiness, its call, its answer.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use http::Request;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::ReplayBody;

pin_project! {
    #[project = AttemptProj]
    pub(crate) enum Attempt<A, B>
    where
        A: Service<Request<ReplayBody<B>>>,
    {
        Called { #[pin] future: A::Future },
        // The request waits until the app is ready for it: backpressure shows as waiting. In a box, since all requests move
        // this, and few wait.
        Waiting { app: Box<(A, Option<Request<ReplayBody<B>>>)> },
        Failed { error: Option<A::Error> },
    }
}

impl<A, B> Attempt<A, B>
where
    A: Service<Request<ReplayBody<B>>>,
{
    /// Calls the app at once if it is ready; if not, the future does when it is.
    #[inline]
    pub(crate) fn new(mut app: A, request: Request<ReplayBody<B>>) -> Self {
        // Who is to be woken is known when this is polled, and then it is asked again.
        match app.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Self::Called {
                future: app.call(request),
            },
            Poll::Ready(Err(error)) => Self::Failed { error: Some(error) },
            Poll::Pending => Self::Waiting {
                app: Box::new((app, Some(request))),
            },
        }
    }
}

impl<A, B> Future for Attempt<A, B>
where
    A: Service<Request<ReplayBody<B>>>,
{
    type Output = Result<A::Response, A::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let future = match self.as_mut().project() {
                AttemptProj::Called { future } => return future.poll(cx),
                AttemptProj::Waiting { app } => {
                    let (app, request) = &mut **app;
                    ready!(app.poll_ready(cx))?;
                    app.call(request.take().expect("`Waiting` is left with its request"))
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
