//! Apps and filters: the things that a file describes.

use std::{
    convert::Infallible,
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Body, BoxError};

type Responding = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A service of one type, which holds any service in an `Arc`. A clone is the same app.
///
/// It is always ready: its own service is made ready when it is called. It takes requests with any
/// body, so it is a fallback in axum, and `tower_serve::serve` serves it.
///
/// ```
/// use std::convert::Infallible;
///
/// use http::{Request, Response};
/// use tower::service_fn;
/// use tower_deploy::{App, Body};
///
/// let app = App::new(service_fn(async |_: Request<Body>| {
///     Ok::<_, Infallible>(Response::new(Body::from("hello")))
/// }));
/// let router: axum::Router = axum::Router::new().fallback_service(app);
/// ```
#[derive(Clone)]
pub struct App {
    call: Arc<dyn Fn(Request<Body>) -> Responding + Send + Sync>,
}

impl App {
    /// Returns an app that passes each request to a clone of the service.
    ///
    /// The service cannot fail. Wrap a service that can, for example in the `ExceptionLayer` of
    /// tower-exception.
    pub fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible, Future: Send>
            + Clone
            + Send
            + Sync
            + 'static,
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self {
            call: Arc::new(move |request| Box::pin(respond(service.clone(), request))),
        }
    }

    /// Returns an app that passes each request to the app that the function returns. It adds no
    /// future of its own.
    pub(crate) fn choosing(app: impl Fn() -> Self + Send + Sync + 'static) -> Self {
        Self {
            call: Arc::new(move |request| (app().call)(request)),
        }
    }
}

async fn respond<S, B>(mut service: S, request: Request<Body>) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    match poll_fn(|cx| service.poll_ready(cx)).await {
        Ok(()) => {}
        Err(never) => match never {},
    }
    match service.call(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

impl<B> Service<Request<B>> for App
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = AppFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> AppFuture {
        AppFuture((self.call)(request.map(Body::new)))
    }
}

/// The future of an [`App`].
pub struct AppFuture(Responding);

impl Future for AppFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

/// A filter, which wraps an app.
///
/// ```
/// use tower_deploy::{App, Filter};
///
/// let unchanged = Filter::new(tower::layer::util::Identity::new());
/// let picky = Filter::from_fn(|_: App| Err("no app is good enough"));
/// ```
pub struct Filter(Box<dyn FnOnce(App) -> Result<App, BoxError> + Send>);

impl Filter {
    /// Returns a filter that wraps an app in the layer.
    pub fn new<L, B>(layer: L) -> Self
    where
        L: Layer<App> + Send + 'static,
        L::Service: Service<Request<Body>, Response = Response<B>, Error = Infallible, Future: Send>
            + Clone
            + Send
            + Sync
            + 'static,
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self::from_fn(move |app| Ok::<_, Infallible>(App::new(layer.layer(app))))
    }

    /// Returns a filter that calls the function with the app, once.
    pub fn from_fn<E>(wrap: impl FnOnce(App) -> Result<App, E> + Send + 'static) -> Self
    where
        E: Into<BoxError>,
    {
        Self(Box::new(|app| wrap(app).map_err(Into::into)))
    }

    /// Wraps an app.
    ///
    /// # Errors
    ///
    /// The filter's own function fails.
    pub fn apply(self, app: App) -> Result<App, BoxError> {
        (self.0)(app)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

impl fmt::Debug for AppFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppFuture").finish_non_exhaustive()
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter").finish_non_exhaustive()
    }
}
