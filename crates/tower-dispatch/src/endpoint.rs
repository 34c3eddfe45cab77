//! Endpoints of different types behind one type.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use tower_service::Service;

use crate::attempt::Attempt;

/// An error of any type, as `tower` and `axum` have it.
pub type BoxError = Box<dyn Error + Send + Sync>;

type Answer<Err> = Result<Response<UnsyncBoxBody<Bytes, BoxError>>, Err>;

/// A service of any type: what a route of [`Dispatch::builder`](crate::Dispatch::builder) leads to.
///
/// A clone is a reference count; a call boxes the future and the response body. The service inside is cloned for
/// each call, and its readiness is awaited in the future.
pub struct Endpoint<B, Err = Infallible> {
    call: Arc<dyn Fn(Request<B>) -> EndpointFuture<Err> + Send + Sync>,
}

impl<B, Err> Service<Request<B>> for Endpoint<B, Err> {
    type Response = Response<UnsyncBoxBody<Bytes, BoxError>>;
    type Error = Err;
    type Future = EndpointFuture<Err>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Err>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        (self.call)(request)
    }
}

impl<B, Err> Clone for Endpoint<B, Err> {
    fn clone(&self) -> Self {
        Self {
            call: self.call.clone(),
        }
    }
}

impl<B, Err> fmt::Debug for Endpoint<B, Err> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").finish_non_exhaustive()
    }
}

/// What a route may lead to: every cloneable service that takes a request with this body and has this
/// error. All endpoints of one dispatcher share both.
pub trait IntoEndpoint<B, Err> {
    /// Hides the service's type.
    fn into_endpoint(self) -> Endpoint<B, Err>;
}

impl<S, B, ResBody, Err> IntoEndpoint<B, Err> for S
where
    S: Service<Request<B>, Response = Response<ResBody>, Error = Err, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Send + 'static,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    Err: 'static,
{
    fn into_endpoint(self) -> Endpoint<B, Err> {
        Endpoint {
            call: Arc::new(move |request| {
                let attempt = Attempt::new(self.clone(), request);
                EndpointFuture(Box::pin(async move {
                    let response = attempt.await?;
                    Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
                }))
            }),
        }
    }
}

/// The future of [`Endpoint`].
pub struct EndpointFuture<Err>(Pin<Box<dyn Future<Output = Answer<Err>> + Send>>);

impl<Err> Future for EndpointFuture<Err> {
    type Output = Answer<Err>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<Err> fmt::Debug for EndpointFuture<Err> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointFuture").finish_non_exhaustive()
    }
}
