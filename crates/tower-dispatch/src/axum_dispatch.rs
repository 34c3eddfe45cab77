//! A dispatcher as `axum::serve` takes it.

use std::{
    any::Any,
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Either;
use pin_project_lite::pin_project;
use tower_kit::EitherBody;
use tower_service::Service;

use crate::{BoxError, Dispatch, Endpoint, EndpointBody, WithDispatch};

/// A dispatcher whose responses have axum's body, see [`Dispatch::into_axum`].
///
/// ```
/// use axum::{ServiceExt, body::Body, handler::HandlerWithoutStateExt};
/// use tower_dispatch::{AxumDispatch, Dispatch, Endpoint};
///
/// let urls = Dispatch::builder().get("/a/{*path}", (async || "a page").into_service()).build()?;
/// let app: AxumDispatch<Dispatch<Endpoint<Body>>> = urls.into_axum();
/// // For `axum::serve(listener, served)`:
/// let served = app.into_make_service();
/// # Ok::<(), tower_dispatch::BuildDispatchError>(())
/// ```
#[derive(Clone)]
pub struct AxumDispatch<S> {
    inner: S,
}

impl Dispatch<Endpoint<Body>> {
    /// Returns the service that `axum::serve` takes, after `into_make_service` or
    /// `into_make_service_with_connect_info` of [`axum::ServiceExt`].
    ///
    /// It is faster than the dispatcher as the fallback of a router, which searches the router's
    /// table first. A router has its turn after the dispatcher if that is a
    /// [`DispatchLayer`](crate::DispatchLayer), see [`WithDispatch::into_axum`].
    ///
    /// It needs the crate's feature `axum`.
    #[must_use]
    pub fn into_axum(self) -> AxumDispatch<Self> {
        AxumDispatch { inner: self }
    }
}

impl<S> WithDispatch<Endpoint<Body>, S> {
    /// Returns the service that `axum::serve` takes, as [`Dispatch::into_axum`] does.
    ///
    /// ```
    /// use axum::{Router, body::Body, http::Request, routing::get};
    /// use tower::{Layer, ServiceExt};
    /// use tower_dispatch::{Dispatch, DispatchLayer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let urls = Dispatch::builder().get("/a/{*path}", get(async || "dispatched")).build()?;
    /// let router = Router::new().route("/", get(async || "a page"));
    /// let app = DispatchLayer::new(urls).layer(router).into_axum();
    /// for path in ["/a/b/c", "/"] {
    ///     let request = Request::get(path).body(Body::empty())?;
    ///     assert_eq!(app.clone().oneshot(request).await?.status(), 200);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// It needs the crate's feature `axum`.
    #[must_use]
    pub fn into_axum(self) -> AxumDispatch<Self> {
        AxumDispatch { inner: self }
    }
}

impl<S, B> Service<Request<Body>> for AxumDispatch<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = AxumResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        AxumResponseFuture {
            future: self.inner.call(request),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for AxumDispatch<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AxumDispatch").field(&self.inner).finish()
    }
}

pin_project! {
    /// The future of [`AxumDispatch`].
    pub struct AxumResponseFuture<Fut> {
        #[pin]
        future: Fut,
    }
}

impl<Fut, B> Future for AxumResponseFuture<Fut>
where
    Fut: Future<Output = Result<Response<B>, Infallible>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Ok(response) = ready!(self.project().future.poll(cx));
        Poll::Ready(Ok(response.map(axum_body)))
    }
}

impl<Fut> fmt::Debug for AxumResponseFuture<Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AxumResponseFuture").finish_non_exhaustive()
    }
}

/// Returns a response's body as axum's. That of a handler is one already, without another box.
// `dispatch/github-app-in-axum`
fn axum_body<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let mut body = Some(body);
    let any = &mut body as &mut dyn Any;
    if let Some(own) = any.downcast_mut::<Option<EitherBody<EndpointBody>>>() {
        return match own.take().map(EitherBody::into_either) {
            Some(Either::Left(body)) => body.into_axum(),
            Some(Either::Right(body)) => Body::new(body),
            None => Body::default(),
        };
    }
    if let Some(own) = any.downcast_mut::<Option<EitherBody<Either<EndpointBody, Body>>>>() {
        return match own.take().map(EitherBody::into_either) {
            Some(Either::Left(Either::Left(body))) => body.into_axum(),
            Some(Either::Left(Either::Right(body))) => body,
            Some(Either::Right(body)) => Body::new(body),
            None => Body::default(),
        };
    }
    body.map_or_else(Body::default, Body::new)
}
