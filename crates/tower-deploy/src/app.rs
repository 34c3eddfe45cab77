use std::{
    convert::Infallible,
    fmt,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use tower_layer::Layer;
use tower_serve::Shutdown;
use tower_service::Service;

use crate::{Body, BoxError};

type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A service of one type, whatever it is made of. A clone is the same app.
///
/// It is always ready: its own service is made ready when it is called.
#[derive(Clone)]
pub struct App {
    call: Arc<dyn Fn(Request<Body>) -> Answer + Send + Sync>,
}

impl App {
    /// An app that is this service. Each request has a clone of it.
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
            call: Arc::new(move |request| Box::pin(answer(service.clone(), request))),
        }
    }
}

async fn answer<S, B>(mut service: S, request: Request<Body>) -> Response<Body>
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
pub struct AppFuture(Answer);

impl Future for AppFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

/// What goes around an app.
pub struct Filter(Box<dyn FnOnce(App) -> Result<App, BoxError> + Send>);

impl Filter {
    /// A filter that is this layer.
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

    /// A filter that is this function. It is called once.
    pub fn from_fn<E>(wrap: impl FnOnce(App) -> Result<App, E> + Send + 'static) -> Self
    where
        E: Into<BoxError>,
    {
        Self(Box::new(|app| wrap(app).map_err(Into::into)))
    }

    /// Goes around an app.
    ///
    /// # Errors
    ///
    /// What the filter's own function gives.
    pub fn apply(self, app: App) -> Result<App, BoxError> {
        (self.0)(app)
    }
}

type Serving = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// What serves an app.
pub struct Server(Kind);

enum Kind {
    Http(Box<tower_serve::Server>),
    Own(Box<dyn FnOnce(App) -> Serving + Send>),
}

impl Server {
    /// A server that is this function.
    pub fn new<Fut>(serve: impl FnOnce(App) -> Fut + Send + 'static) -> Self
    where
        Fut: Future<Output = io::Result<()>> + Send + 'static,
    {
        Self(Kind::Own(Box::new(|app| Box::pin(serve(app)))))
    }

    /// Returns a server that serves HTTP with tower-serve.
    #[must_use]
    pub fn http(server: tower_serve::Server) -> Self {
        Self(Kind::Http(Box::new(server)))
    }

    /// The built-in server, or another one as it is.
    #[cfg_attr(
        not(feature = "cli"),
        expect(dead_code, reason = "the command listens by itself")
    )]
    pub(crate) fn into_http(self) -> Result<tower_serve::Server, Self> {
        match self.0 {
            Kind::Http(server) => Ok(*server),
            own => Err(Self(own)),
        }
    }

    /// Serves an app until it is told to end; the built-in server until SIGTERM or Ctrl-C.
    ///
    /// # Errors
    ///
    /// What keeps it from serving.
    pub async fn serve(self, app: App) -> io::Result<()> {
        match self.0 {
            Kind::Http(server) => {
                let shutdown = Shutdown::signals()?;
                server.bind().await?.serve(app, shutdown).await
            }
            Kind::Own(serve) => serve(app).await,
        }
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

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}
