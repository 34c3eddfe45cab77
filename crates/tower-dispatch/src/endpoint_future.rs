//! The future of a boxed endpoint.

#[cfg(feature = "axum")]
use std::any::Any;
use std::{
    fmt,
    future::{self, Future},
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_kit::Attempt;
use tower_service::Service;

use crate::{BoxError, EndpointBody};

type EndpointResult<Err> = Result<Response<EndpointBody>, Err>;

/// The future of an axum handler, which is in a box already.
#[cfg(feature = "axum")]
type HandlerFuture = axum::handler::future::IntoServiceFuture<
    Pin<Box<dyn Future<Output = axum::response::Response> + Send>>,
>;

/// The future of [`Endpoint`](crate::Endpoint).
pub struct EndpointFuture<Err> {
    state: State<Err>,
}

enum State<Err> {
    Boxed(Pin<Box<dyn Future<Output = EndpointResult<Err>> + Send>>),
    // It has its box inside (`dispatch/github-app/axum-router`).
    #[cfg(feature = "axum")]
    Handler(HandlerFuture),
    #[cfg(feature = "axum")]
    Done,
}

impl<Err> EndpointFuture<Err> {
    /// Makes the future of the future of any endpoint.
    pub(crate) fn new<Fut, ResBody>(future: Fut) -> Self
    where
        Fut: Future<Output = Result<Response<ResBody>, Err>> + Send + 'static,
        ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let future = Some(future);
        #[cfg(feature = "axum")]
        let mut future = future;
        #[cfg(feature = "axum")]
        {
            let any = &mut future as &mut dyn Any;
            if let Some(Some(future)) = any.downcast_mut().map(Option::<HandlerFuture>::take) {
                let state = State::Handler(future);
                return Self { state };
            }
        }
        Self {
            state: State::Boxed(Box::pin(WithEndpointBody { future })),
        }
    }

    /// Makes the future of a response.
    pub(crate) fn own(response: Response<Full<Bytes>>) -> Self
    where
        Err: Send + 'static,
    {
        Self::new(future::ready(Ok(response)))
    }

    /// Calls a service at once if it is ready, and otherwise when it is.
    pub(crate) fn call<S, B, ResBody>(mut service: S, request: Request<B>) -> Self
    where
        S: Service<Request<B>, Response = Response<ResBody>, Error = Err, Future: Send>
            + Send
            + 'static,
        B: Send + 'static,
        ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
        Err: Send + 'static,
    {
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Self::new(service.call(request)),
            Poll::Ready(Err(error)) => {
                Self::new(future::ready(Err::<Response<ResBody>, Err>(error)))
            }
            Poll::Pending => Self::new(Attempt::new(service, request)),
        }
    }
}

impl<Err> Future for EndpointFuture<Err> {
    type Output = EndpointResult<Err>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Boxed(future) => future.as_mut().poll(cx),
            #[cfg(feature = "axum")]
            State::Handler(future) => match Pin::new(future).poll(cx) {
                Poll::Ready(Ok(response)) => {
                    self.state = State::Done;
                    Poll::Ready(Ok(response.map(EndpointBody::axum)))
                }
                Poll::Ready(Err(never)) => match never {},
                Poll::Pending => Poll::Pending,
            },
            #[cfg(feature = "axum")]
            State::Done => panic!("polled after completion"),
        }
    }
}

impl<Err> fmt::Debug for EndpointFuture<Err> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// Converts the response body, and drops the endpoint's future when it has responded.
    struct WithEndpointBody<Fut> {
        #[pin]
        future: Option<Fut>,
    }
}

impl<Fut, ResBody, Err> Future for WithEndpointBody<Fut>
where
    Fut: Future<Output = Result<Response<ResBody>, Err>>,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Output = EndpointResult<Err>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Here, and not around the box, where the response would be moved once more
        // (`overhead/dispatch-matched`).
        let mut place = self.project().future;
        let future = place.as_mut().as_pin_mut();
        let result = ready!(future.expect("polled after completion").poll(cx));
        place.set(None);
        Poll::Ready(result.map(|response| response.map(EndpointBody::new)))
    }
}
