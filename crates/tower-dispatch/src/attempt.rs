//! The call of a chosen service: its readiness, then its answer.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
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
        // The request waits until the service is ready for it: backpressure shows as waiting.
        Waiting { service: S, request: Option<Request<B>> },
        Called { #[pin] future: S::Future },
    }
}

impl<S, B> Attempt<S, B>
where
    S: Service<Request<B>>,
{
    pub(crate) fn new(service: S, request: Request<B>) -> Self {
        Self::Waiting {
            service,
            request: Some(request),
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
            match self.as_mut().project() {
                AttemptProj::Called { future } => return future.poll(cx),
                AttemptProj::Waiting { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    let request = request.take().expect("`Waiting` is left with its request");
                    let future = service.call(request);
                    self.set(Self::Called { future });
                }
            }
        }
    }
}
