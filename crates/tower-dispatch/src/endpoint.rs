//! Endpoints of different types behind one type.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_kit::Attempt;
use tower_service::Service;

use crate::{EndpointBody, not_dispatched, preflight};

/// An error of any type, as `tower` and `axum` have it.
pub type BoxError = Box<dyn Error + Send + Sync>;

type Answer<Err> = Result<Response<EndpointBody>, Err>;

/// A service of any type: what a route of [`Dispatch::builder`](crate::Dispatch::builder) leads to.
///
/// A clone is a reference count; a call boxes the future and, unless it is a `Full`, the response body. The service inside is cloned for
/// each call, and called at once if it is ready, or in the future when it is.
pub struct Endpoint<B, Err = Infallible> {
    call: Arc<dyn Fn(Request<B>) -> EndpointFuture<Err> + Send + Sync>,
}

impl<B, Err> Service<Request<B>> for Endpoint<B, Err> {
    type Response = Response<EndpointBody>;
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

/// Endpoints of any type become [`Endpoint`]s.
#[derive(Clone, Copy, Debug)]
pub enum Boxed {}

/// Endpoints are of one type, and stay as they are.
#[derive(Clone, Copy, Debug)]
pub enum Typed {}

/// What a route may lead to. With [`Boxed`] it is every cloneable service that takes a request with this body and has
/// this error, which all endpoints of one dispatcher share. With [`Typed`] it is the service `E` itself.
pub trait IntoEndpoint<E, M> {
    /// Hides the service's type, or does not.
    fn into_endpoint(self) -> E;

    #[doc(hidden)]
    const HAS_GUARD: bool = false;

    /// Makes the same endpoint for a route with these methods, to which no preflight comes.
    #[doc(hidden)]
    fn into_endpoint_for(self, _: &[Method]) -> E
    where
        Self: Sized,
    {
        self.into_endpoint()
    }
}

impl<E> IntoEndpoint<E, Typed> for E {
    fn into_endpoint(self) -> E {
        self
    }
}

impl<S, B, ResBody, Err> IntoEndpoint<Endpoint<B, Err>, Boxed> for S
where
    S: Service<Request<B>, Response = Response<ResBody>, Error = Err, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Send + 'static,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    Err: Send + 'static,
{
    fn into_endpoint(self) -> Endpoint<B, Err> {
        Endpoint::new(move |request| Attempt::new(self.clone(), request))
    }

    const HAS_GUARD: bool = true;

    fn into_endpoint_for(self, methods: &[Method]) -> Endpoint<B, Err> {
        if methods.contains(&Method::OPTIONS) {
            return self.into_endpoint();
        }
        let methods: Box<[Method]> = methods.into();
        Endpoint {
            call: Arc::new(move |request: Request<B>| match *request.method() {
                Method::OPTIONS => Endpoint::<B, Err>::own(preflight::response(&request, &methods)),
                _ => EndpointFuture::new(Attempt::new(self.clone(), request)),
            }),
        }
    }
}

impl<B, Err> Endpoint<B, Err> {
    /// Returns the dispatcher's own response where an endpoint would be called.
    fn own(response: Response<Full<Bytes>>) -> EndpointFuture<Err>
    where
        Err: 'static,
    {
        let response = response.map(EndpointBody::new);
        EndpointFuture(Box::pin(async { Ok(response) }))
    }

    pub(crate) fn new<Fut, ResBody>(
        call: impl Fn(Request<B>) -> Fut + Send + Sync + 'static,
    ) -> Self
    where
        Fut: Future<Output = Result<Response<ResBody>, Err>> + Send + 'static,
        ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self {
            call: Arc::new(move |request| EndpointFuture::new(call(request))),
        }
    }

    /// Calls the one for the request's method, and for HEAD that for GET if there is no other. A layer on the way here may have
    /// changed the method.
    pub(crate) fn by_method(endpoints: Vec<(Method, Self)>) -> Self
    where
        B: 'static,
        Err: 'static,
    {
        Self {
            call: Arc::new(move |request| {
                let method = request.method();
                let find = |method| endpoints.iter().find(|(own, _)| own == method);
                let get = || find(&Method::GET).filter(|_| method == Method::HEAD);
                match find(method).or_else(get) {
                    Some((_, endpoint)) => (endpoint.call)(request),
                    None => {
                        let methods: Vec<Method> =
                            endpoints.iter().map(|(own, _)| own.clone()).collect();
                        Self::own(match *method {
                            Method::OPTIONS => preflight::response(&request, &methods),
                            _ => not_dispatched::method_not_allowed(&methods.iter().collect())
                                .response_for(&request),
                        })
                    }
                }
            }),
        }
    }
}

pin_project! {
    /// Gives back at its end what the endpoint's future holds.
    struct WithEndpointBody<Fut> {
        #[pin]
        answer: Option<Fut>,
    }
}

impl<Fut, ResBody, Err> Future for WithEndpointBody<Fut>
where
    Fut: Future<Output = Result<Response<ResBody>, Err>>,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Output = Answer<Err>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut answer = self.project().answer;
        let future = answer.as_mut().as_pin_mut();
        let future = future.expect("a future is not polled after it is done");
        let response = ready!(future.poll(cx));
        answer.set(None);
        Poll::Ready(response.map(|response| response.map(EndpointBody::new)))
    }
}

/// The future of [`Endpoint`].
pub struct EndpointFuture<Err>(Pin<Box<dyn Future<Output = Answer<Err>> + Send>>);

impl<Err> EndpointFuture<Err> {
    fn new<Fut, ResBody>(call: Fut) -> Self
    where
        Fut: Future<Output = Result<Response<ResBody>, Err>> + Send + 'static,
        ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let answer = Some(call);
        Self(Box::pin(WithEndpointBody { answer }))
    }
}

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
