//! One app's turn: its readiness, its call, its answer.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
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
        // The request waits until the app is ready for it: backpressure shows as waiting.
        Waiting { app: A, request: Option<Request<ReplayBody<B>>> },
        Called { #[pin] future: A::Future },
    }
}

impl<A, B> Attempt<A, B>
where
    A: Service<Request<ReplayBody<B>>>,
{
    pub(crate) fn new(app: A, request: Request<ReplayBody<B>>) -> Self {
        Self::Waiting {
            app,
            request: Some(request),
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
            match self.as_mut().project() {
                AttemptProj::Called { future } => return future.poll(cx),
                AttemptProj::Waiting { app, request } => {
                    ready!(app.poll_ready(cx))?;
                    let request = request.take().expect("`Waiting` is left with its request");
                    let future = app.call(request);
                    self.set(Self::Called { future });
                }
            }
        }
    }
}
