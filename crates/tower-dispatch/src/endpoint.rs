//! Endpoints of different types behind one type.

#[cfg(feature = "axum")]
use std::{any::Any, sync::Mutex};
use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::Future,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use tower_kit::Attempt;
use tower_service::Service;

use crate::{EndpointBody, EndpointFuture, not_dispatched, preflight};

/// An error of any type, as `tower` and `axum` have it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A service of any type, the endpoint of a route of
/// [`Dispatch::builder`](crate::Dispatch::builder).
///
/// A clone is a reference count. A call boxes the future and the response body, except a `Full` and
/// those of axum's handlers. The service inside is cloned for each call. It is called at once if it
/// is ready, and otherwise by the future. The errors of its body are `BoxError`, with the service's
/// own inside.
///
/// In axum, `handler.into_service()` (`HandlerWithoutStateExt`) makes a faster endpoint than
/// `get(handler)`, since the dispatcher chooses the method anyway.
///
/// ```
/// use axum::{body::Body, routing::get};
/// use tower_dispatch::{BuildDispatchError, Dispatch, Endpoint};
///
/// fn urls() -> Result<Dispatch<Endpoint<Body>>, BuildDispatchError> {
///     Dispatch::builder().get("/", get(async || "a page")).build()
/// }
/// assert!(urls().is_ok());
/// ```
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

/// Marks a [`Builder`](crate::Builder) whose endpoints become [`Endpoint`]s and have the same
/// error.
///
/// ```
/// use axum::{body::Body, routing::get};
/// use tower_dispatch::{Boxed, Builder, Dispatch, Endpoint};
///
/// fn pages() -> Builder<Endpoint<Body>, Boxed> {
///     Dispatch::builder().get("/", get(async || "a page"))
/// }
/// assert!(pages().build().is_ok());
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Boxed {}

/// Marks a [`Builder`](crate::Builder) whose endpoints become [`Endpoint`]s with [`BoxError`].
///
/// ```
/// use axum::{body::Body, routing::get};
/// use tower_dispatch::{BoxError, Builder, Dispatch, Endpoint, Fallible};
///
/// fn pages() -> Builder<Endpoint<Body, BoxError>, Fallible> {
///     Dispatch::fallible().get("/", get(async || "a page"))
/// }
/// assert!(pages().build().is_ok());
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Fallible {}

/// Marks a [`Builder`](crate::Builder) whose endpoints are of one type, and are not boxed.
///
/// ```
/// use axum::Router;
/// use tower_dispatch::{Builder, Dispatch, Typed};
///
/// fn routers(pages: Router, files: Router) -> Builder<Router, Typed> {
///     Dispatch::typed().route("/files/{*path}", files).route("/{*path}", pages)
/// }
/// assert!(routers(Router::new(), Router::new()).build().is_ok());
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Typed {}

/// A service that may be the endpoint of a route. It is implemented for services only.
///
/// - With [`Boxed`] it is every cloneable service that takes requests with the body `B` and has the
///   error `Err`, for an [`Endpoint<B, Err>`](Endpoint).
/// - With [`Fallible`] its error is any that converts into [`BoxError`], `Infallible` included.
/// - With [`Typed`] it is the service `E` itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an endpoint of this dispatcher",
    note = "all endpoints of `Dispatch::builder()` have the same error; `Dispatch::fallible()` takes any"
)]
pub trait IntoEndpoint<E, M>: Sealed<E, M> {}

impl<S, E, M> IntoEndpoint<E, M> for S where S: Sealed<E, M> {}

/// The conversion, which is not public.
pub trait Sealed<E, M>: Sized {
    /// Whether the endpoint may be made so that no preflight reaches it.
    const HAS_GUARD: bool = false;

    fn into_endpoint(self) -> E;

    /// Makes the same endpoint for a route with these methods, to which no preflight comes.
    fn into_endpoint_for(self, _: &[Method]) -> E {
        self.into_endpoint()
    }
}

impl<E> Sealed<E, Typed> for E {
    fn into_endpoint(self) -> E {
        self
    }
}

impl<S, B, ResBody, Err> Sealed<Endpoint<B, Err>, Boxed> for S
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
    const HAS_GUARD: bool = true;

    fn into_endpoint(self) -> Endpoint<B, Err> {
        let instance = Instance::new(self);
        Endpoint {
            call: Arc::new(move |request| instance.call(request)),
        }
    }

    fn into_endpoint_for(self, methods: &[Method]) -> Endpoint<B, Err> {
        let instance = Instance::new(self);
        Endpoint::guarded(methods, move |request| instance.call(request))
    }
}

impl<S, B, ResBody> Sealed<Endpoint<B, BoxError>, Fallible> for S
where
    S: Service<
            Request<B>,
            Response = Response<ResBody>,
            Error: Into<BoxError> + Send,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static,
    B: Send + 'static,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    const HAS_GUARD: bool = true;

    fn into_endpoint(self) -> Endpoint<B, BoxError> {
        Endpoint::new(move |request| attempt(&self, request))
    }

    fn into_endpoint_for(self, methods: &[Method]) -> Endpoint<B, BoxError> {
        Endpoint::guarded(methods, move |request| {
            EndpointFuture::new(attempt(&self, request))
        })
    }
}

/// A service that is cloned for each call.
struct Instance<S> {
    service: S,
    /// A clone for one call at a time, if a clone takes longer than this lock. Only axum's
    /// `MethodRouter` is known to: it allocates, and it is always ready
    /// (`dispatch/github-app-get/axum-router`).
    #[cfg(feature = "axum")]
    kept: Option<Mutex<S>>,
}

impl<S: Clone + 'static> Instance<S> {
    #[cfg(feature = "axum")]
    fn new(service: S) -> Self {
        use axum::routing::MethodRouter;

        let mut service = Some(service);
        let router: Option<&mut Option<MethodRouter>> =
            (&mut service as &mut dyn Any).downcast_mut();
        let is_router = router.is_some();
        if let Some(router) = router {
            // Otherwise it makes services of its handlers for each request.
            *router = router.take().map(|router| router.with_state(()));
        }
        let service = service.expect("it was put back");
        Self {
            kept: is_router.then(|| Mutex::new(service.clone())),
            service,
        }
    }

    #[cfg(not(feature = "axum"))]
    fn new(service: S) -> Self {
        Self { service }
    }

    fn call<B, ResBody, Err>(&self, request: Request<B>) -> EndpointFuture<Err>
    where
        S: Service<Request<B>, Response = Response<ResBody>, Error = Err, Future: Send> + Send,
        B: Send + 'static,
        ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
        Err: Send + 'static,
    {
        #[cfg(feature = "axum")]
        if let Some(kept) = &self.kept
            && let Ok(mut service) = kept.try_lock()
        {
            return EndpointFuture::new(service.call(request));
        }
        EndpointFuture::call(self.service.clone(), request)
    }
}

/// Calls a service whose error is boxed.
fn attempt<S, B, ResBody>(
    service: &S,
    request: Request<B>,
) -> impl Future<Output = Result<Response<ResBody>, BoxError>> + Send + use<S, B, ResBody>
where
    S: Service<
            Request<B>,
            Response = Response<ResBody>,
            Error: Into<BoxError> + Send,
            Future: Send,
        > + Clone
        + Send
        + 'static,
    B: Send + 'static,
{
    let attempt = Attempt::new(service.clone(), request);
    async { attempt.await.map_err(Into::into) }
}

/// Returns the dispatcher's own response to a preflight.
// It takes the request, because one that is lent is copied on its way to the endpoint
// (`overhead/dispatch-matched`).
#[cold]
fn to_preflight<B, Err: Send + 'static>(
    request: Request<B>,
    methods: &[Method],
) -> EndpointFuture<Err> {
    EndpointFuture::own(preflight::response(&request, methods))
}

impl<B, Err> Endpoint<B, Err> {
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

    /// Makes an endpoint for a route with these methods. Requests with OPTIONS, which are
    /// preflights, get the dispatcher's own response, unless the route is for OPTIONS.
    fn guarded(
        methods: &[Method],
        call: impl Fn(Request<B>) -> EndpointFuture<Err> + Send + Sync + 'static,
    ) -> Self
    where
        Err: Send + 'static,
    {
        if methods.contains(&Method::OPTIONS) {
            return Self {
                call: Arc::new(call),
            };
        }
        let methods: Box<[Method]> = methods.into();
        Self {
            call: Arc::new(move |request| match *request.method() {
                Method::OPTIONS => to_preflight(request, &methods),
                _ => call(request),
            }),
        }
    }

    /// Makes an endpoint that calls the one for the request's method, and for HEAD the one for GET
    /// if there is no other. A layer may have changed the method, so it may have none.
    pub(crate) fn by_method(endpoints: Vec<(Method, Self)>) -> Self
    where
        B: 'static,
        Err: Send + 'static,
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
                        EndpointFuture::own(match *method {
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
