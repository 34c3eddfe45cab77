//! The service: it starts each request's way along the services.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Either;
use tower_kit::EitherBody;
use tower_service::Service;

use crate::{BoxError, ReplayBody, ResponseFuture, kept::Habit, layer::Options};

/// A service that tries services in turn: some of one type, and then a last one.
///
/// Each of them is a service for requests with a [`ReplayBody`], and is cloned for a request when
/// its turn comes. [`CascadeLayer`](crate::CascadeLayer) makes it, or [`new`](Self::new).
///
/// A clone is one reference count, so a cascade is `Send` only if its services are `Sync`.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower::Layer;
/// use tower_cascade::{Cascade, CascadeLayer};
///
/// let files: Router = Router::new().route("/robots.txt", get(async || "User-agent: *\n"));
/// let pages: Router = Router::new().route("/", get(async || "a page"));
/// let app: Cascade<Router, Router> = CascadeLayer::new(files).layer(pages);
/// let app: Router = Router::new().fallback_service(app);
/// ```
pub struct Cascade<A, S> {
    shared: Arc<Shared<A, S>>,
}

/// The services and the options.
#[derive(Debug)]
pub(crate) struct Shared<A, S> {
    pub(crate) firsts: Box<[A]>,
    /// One for each of them.
    pub(crate) habits: Box<[Habit]>,
    /// `None` for an empty list.
    pub(crate) last: Option<S>,
    pub(crate) options: Options,
}

impl<A> Cascade<A, A> {
    /// Returns a service that tries services of one type in turn. The response of the last one is
    /// returned, whatever its status. An empty list responds with 404.
    ///
    /// For a list with options, see [`CascadeLayer::list`](crate::CascadeLayer::list). Services of
    /// different types are boxed.
    ///
    /// ```
    /// use axum::{Router, body::Body, extract::Request, routing::get};
    /// use tower::ServiceExt;
    /// use tower_cascade::Cascade;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let router = |path| -> Router { Router::new().route(path, get(async || "found")) };
    /// let routers = ["/one", "/two"].map(router);
    /// let app = Cascade::new(routers);
    /// let request = Request::get("/two").body(Body::empty())?;
    /// assert_eq!(app.oneshot(request).await?.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(services: impl IntoIterator<Item = A>) -> Self {
        crate::CascadeLayer::list(services).service()
    }
}

impl<A, S> Cascade<A, S> {
    pub(crate) fn of(firsts: Vec<A>, last: Option<S>, options: Options) -> Self {
        if let Some(error) = options.rule.contradiction() {
            panic!("{error}");
        }
        let shared = Shared {
            habits: firsts.iter().map(|_| Habit::new()).collect(),
            firsts: firsts.into(),
            last,
            options,
        };
        Self {
            shared: Arc::new(shared),
        }
    }
}

impl<A, S> Clone for Cascade<A, S> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<A: fmt::Debug, S: fmt::Debug> fmt::Debug for Cascade<A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cascade")
            .field("firsts", &self.shared.firsts)
            .field("last", &self.shared.last)
            .field("options", &self.shared.options)
            .finish()
    }
}

impl<A, S, B, BodyA, BodyS> Service<Request<B>> for Cascade<A, S>
where
    A: Service<Request<ReplayBody<B>>, Response = Response<BodyA>, Error: Into<S::Error>> + Clone,
    S: Service<Request<ReplayBody<B>>, Response = Response<BodyS>, Error: 'static> + Clone,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    BodyA: Body<Data = Bytes, Error: Into<BoxError>>,
    BodyS: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<EitherBody<Either<BodyA, BodyS>>>;
    type Error = S::Error;
    type Future = ResponseFuture<A, S, B>;

    /// Returns that the cascade is ready, always. It does not know which services a request will
    /// need, and a readiness that is not used would hold a permit. So each service is made ready
    /// when its turn comes.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        ResponseFuture::new(request, self.shared.clone())
    }
}
