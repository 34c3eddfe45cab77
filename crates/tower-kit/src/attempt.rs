use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use pin_project_lite::pin_project;
use tower_service::Service;

pin_project! {
    /// A future for one call of a service that belongs to this request: its readiness, then its
    /// response.
    ///
    /// It is for a service that learns only from the request which inner service it needs. Such a
    /// service is always ready itself, and the inner one is made ready when its turn comes.
    ///
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use tower::service_fn;
    /// use tower_kit::Attempt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let double = service_fn(async |number: u32| Ok::<_, Infallible>(2 * number));
    /// assert_eq!(Attempt::new(double, 21).await, Ok(42));
    /// # }
    /// ```
    pub struct Attempt<S, Request>
    where
        S: Service<Request>,
    {
        #[pin]
        state: State<S, Request>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, Request>
    where
        S: Service<Request>,
    {
        Called { #[pin] future: S::Future },
        // The request waits until the service is ready for it: backpressure shows as waiting. It is
        // in a box, since all requests move this, and few wait.
        Waiting { service: Box<(S, Option<Request>)> },
        Failed { error: Option<S::Error> },
    }
}

impl<S, Request> Attempt<S, Request>
where
    S: Service<Request>,
{
    /// Returns the future of this call. It calls the service at once if that is ready, and
    /// otherwise when it is.
    #[inline]
    pub fn new(mut service: S, request: Request) -> Self {
        // The task to wake is known when this future is polled. Then the service is polled again.
        let state = match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => State::Called {
                future: service.call(request),
            },
            Poll::Ready(Err(error)) => State::Failed { error: Some(error) },
            Poll::Pending => State::Waiting {
                service: Box::new((service, Some(request))),
            },
        };
        Self { state }
    }
}

impl<S, Request> Future for Attempt<S, Request>
where
    S: Service<Request>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let future = match state.as_mut().project() {
                StateProj::Called { future } => return future.poll(cx),
                StateProj::Waiting { service } => {
                    let (service, request) = &mut **service;
                    ready!(service.poll_ready(cx))?;
                    service.call(request.take().expect("polled after a panic"))
                }
                StateProj::Failed { error } => {
                    return Poll::Ready(Err(error.take().expect("polled after completion")));
                }
            };
            state.set(State::Called { future });
        }
    }
}

impl<S, Request> fmt::Debug for Attempt<S, Request>
where
    S: Service<Request>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").finish_non_exhaustive()
    }
}
