//! The dispatcher as a service: it passes a request to its endpoint, or responds itself.

use std::{
    fmt::{self, Display},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use tower_kit::EitherBody;
use tower_service::Service;

#[cfg(feature = "regex")]
use crate::Audit;
use crate::{
    BoxError, Boxed, Builder, Endpoint, Fallible, NotDispatched, ResponseFuture, Typed,
    UrlForError, not_dispatched,
    routes::{Outcome, Routes},
};

/// A service that passes each request to the endpoint of the first route that matches.
///
/// In a [`DispatchLayer`](crate::DispatchLayer) requests without a route fall through to another
/// service. The errors of the endpoints and of their bodies pass unchanged.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response, StatusCode};
/// use http_body_util::{BodyExt, Full};
/// use tower::{BoxError, ServiceExt, service_fn};
/// use tower_dispatch::{Dispatch, Pattern, UrlArgs};
///
/// async fn hello<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, BoxError> {
///     let args = request.extensions().get::<UrlArgs>();
///     let name = args.and_then(|args| args.get(0)).unwrap_or("World");
///     Ok(Response::new(format!("Hello {name}").into()))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let urls = Dispatch::builder()
///     .get("/hello", service_fn(hello))
///     .route("/hello/{name}", service_fn(hello))
///     .route(Pattern::regex("/(?:hi|hey)/(.+)")?, service_fn(hello))
///     .build()?;
///
/// for (path, greeting) in [("/hello/J%C3%B6rg", "Hello Jörg"), ("/hey/a/b", "Hello a/b")] {
///     let response = urls.clone().oneshot(Request::get(path).body(())?).await?;
///     assert_eq!(response.into_body().collect().await?.to_bytes(), greeting);
/// }
/// let response = urls.oneshot(Request::put("/hello").body(())?).await?;
/// assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
/// assert_eq!(response.headers()["allow"], "GET, HEAD, OPTIONS");
/// # Ok(())
/// # }
/// ```
///
/// # Errors of this crate
///
/// | error | of | distinguished by |
/// |---|---|---|
/// | [`BuildDispatchError`](crate::BuildDispatchError) | [`build`](crate::Builder::build) | `kind()`, `route()`, `source()` |
/// | [`PatternError`](crate::PatternError) | a pattern | `pattern()`, `column()` |
/// | [`TableError`](crate::TableError) | patterns together | `index()`, `limit()` |
/// | [`UrlForError`] | [`url_for`](Self::url_for) | `kind()`, `route()` |
/// | [`ParseArgsError`](crate::ParseArgsError) | [`UrlArgs::parse`](crate::UrlArgs::parse), the extractors | `is_permanent()`, `parameter()`, `source()` |
/// | [`DecodePathError`](crate::DecodePathError), [`UnsafePath`](crate::UnsafePath) | a path, a value | the variants |
pub struct Dispatch<E> {
    pub(crate) routes: Arc<Routes<E>>,
}

impl<B, Err> Dispatch<Endpoint<B, Err>> {
    /// Starts a dispatcher whose endpoints may be services of different types, with one error.
    ///
    /// The type of the request's body is that of the endpoints, or of the requests that the
    /// dispatcher is called with. An axum handler takes any, so the compiler needs to know it from
    /// elsewhere. If the dispatcher is neither called nor passed to a router, as in a test of
    /// [`audit`](Self::audit), `Dispatch::for_axum` sets it.
    pub fn builder() -> Builder<Endpoint<B, Err>, Boxed> {
        Builder::new()
    }
}

impl<B> Dispatch<Endpoint<B, BoxError>> {
    /// Starts a dispatcher whose endpoints may have different errors. They are boxed.
    ///
    /// In axum, where services are infallible, a layer around the dispatcher has to make responses
    /// of these errors.
    ///
    /// ```
    /// use std::{convert::Infallible, io};
    ///
    /// use http::{Request, Response};
    /// use tower::{BoxError, ServiceExt, service_fn};
    /// use tower_dispatch::Dispatch;
    ///
    /// async fn never_fails(_: Request<()>) -> Result<Response<String>, Infallible> {
    ///     Ok(Response::new("fine".to_owned()))
    /// }
    ///
    /// async fn fails(_: Request<()>) -> Result<Response<String>, io::Error> {
    ///     Err(io::Error::other("no disk"))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let urls = Dispatch::fallible()
    ///     .get("/ok", service_fn(never_fails))
    ///     .get("/disk", service_fn(fails))
    ///     .build()?;
    /// let error = urls.oneshot(Request::get("/disk").body(())?).await.unwrap_err();
    /// assert_eq!(error.to_string(), "no disk");
    /// # Ok(())
    /// # }
    /// ```
    pub fn fallible() -> Builder<Endpoint<B, BoxError>, Fallible> {
        Builder::new()
    }
}

#[cfg(feature = "axum")]
impl Dispatch<Endpoint<axum::body::Body>> {
    /// Starts a dispatcher for axum's request body: [`builder`](Self::builder), if the compiler
    /// cannot infer the body.
    ///
    /// ```
    /// use axum::routing::get;
    /// use tower_dispatch::Dispatch;
    ///
    /// let urls = Dispatch::for_axum()
    ///     .get("/users/{id:int}", get(async || "a user"))
    ///     .get("/users/{name}", get(async || "a user"))
    ///     .build()?;
    /// assert!(urls.audit().is_empty());
    /// # Ok::<(), tower_dispatch::BuildDispatchError>(())
    /// ```
    pub fn for_axum() -> Builder<Endpoint<axum::body::Body>, Boxed> {
        Builder::new()
    }
}

impl<E> Dispatch<E> {
    /// Starts a dispatcher whose endpoints are all of one type. They are not boxed.
    ///
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use http::{Request, Response};
    /// use tower::service_fn;
    /// use tower_dispatch::Dispatch;
    ///
    /// async fn page(request: Request<()>) -> Result<Response<String>, Infallible> {
    ///     Ok(Response::new(request.uri().path().to_owned()))
    /// }
    ///
    /// let urls = Dispatch::typed()
    ///     .get("/a", service_fn(page))
    ///     .get("/b", service_fn(page))
    ///     .build()?;
    /// # let _ = tower::ServiceExt::oneshot(urls, Request::new(()));
    /// # Ok::<(), tower_dispatch::BuildDispatchError>(())
    /// ```
    pub fn typed() -> Builder<E, Typed> {
        Builder::new()
    }

    /// Returns the routes that can never be reached, because earlier ones take all their paths. It
    /// takes milliseconds for a hundred routes. Use it in a test, or for a log line at the start.
    ///
    /// ```
    /// use axum::{body::Body, routing::get};
    /// use tower_dispatch::{Dispatch, Endpoint};
    ///
    /// let urls: Dispatch<Endpoint<Body>> = Dispatch::builder()
    ///     .get("/users/{name}", get(async || "a user"))
    ///     .get("/users/{id:int}", get(async || "never"))
    ///     .build()?;
    /// let audit = urls.audit();
    /// assert_eq!(audit.unreachable()[0].route(), 1);
    /// assert_eq!(
    ///     audit.to_string(),
    ///     "route 1 (GET /users/{id:int}) is never reached: \
    ///      route 0 (GET /users/{name}) takes all its paths\n"
    /// );
    /// # Ok::<(), tower_dispatch::BuildDispatchError>(())
    /// ```
    ///
    /// It needs the crate's feature `regex`.
    #[cfg(feature = "regex")]
    #[cfg_attr(docsrs, doc(cfg(feature = "regex")))]
    #[must_use]
    pub fn audit(&self) -> Audit {
        self.routes.audit()
    }

    /// Returns a path that leads to the route with this name, with these parameters.
    ///
    /// It is percent-encoded, and relative to the place where the dispatcher is mounted. Prepend
    /// `request.script_name()` of tower-environ's `MountExt`. The optional end of a pattern is left
    /// out if its parameters have no value. If an earlier route takes the path, it leads there.
    ///
    /// # Errors
    ///
    /// Returns a [`UrlForError`], see [`UrlForErrorKind`](crate::UrlForErrorKind) for the cases.
    ///
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use http::{Request, Response};
    /// use tower::service_fn;
    /// use tower_dispatch::Dispatch;
    ///
    /// async fn file(_: Request<()>) -> Result<Response<String>, Infallible> {
    ///     Ok(Response::new("a file".to_owned()))
    /// }
    ///
    /// let urls = Dispatch::builder()
    ///     .get("/users/{id:int}/files/{*path}", service_fn(file))
    ///     .name("file")
    ///     .build()?;
    /// let url = urls.url_for("file", &[("id", &7), ("path", &"a b/c")]);
    /// assert_eq!(url.as_deref(), Ok("/users/7/files/a%20b/c"));
    /// assert!(urls.url_for("file", &[("id", &7), ("path", &"../c")]).is_err());
    /// # Ok::<(), tower_dispatch::BuildDispatchError>(())
    /// ```
    pub fn url_for(
        &self,
        name: &str,
        args: &[(&str, &dyn Display)],
    ) -> Result<String, UrlForError> {
        self.routes.named().url_for(name, args)
    }
}

impl<E, B, ResBody> Service<Request<B>> for Dispatch<E>
where
    E: Service<Request<B>, Response = Response<ResBody>> + Clone,
    ResBody: Body<Data = Bytes>,
{
    type Response = Response<EitherBody<ResBody>>;
    type Error = E::Error;
    type Future = ResponseFuture<E, B>;

    /// Returns that it is ready, always, since only a request decides which endpoint it needs. If
    /// that is not ready, the future waits for it.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let outcome = self.routes.find_for(&mut request);
        ResponseFuture::own(match outcome {
            Outcome::Found {
                endpoint,
                args,
                mount,
                head_by_get,
            } => {
                args.enter(&mut request, mount);
                return ResponseFuture::endpoint(endpoint.clone(), request, head_by_get);
            }
            Outcome::OtherMethods(mut allow) => {
                // It gets a response below, so it is allowed.
                allow.add(&Method::OPTIONS);
                match *request.method() {
                    Method::OPTIONS => allow.options(),
                    _ => not_dispatched::method_not_allowed(&allow).response_for(&request),
                }
            }
            Outcome::NotFound => NotDispatched::NotFound.rejection().response_for(&request),
            Outcome::Undecodable(error) => NotDispatched::UndecodablePath(error)
                .rejection()
                .response_for(&request),
        })
    }
}

impl<E> Clone for Dispatch<E> {
    fn clone(&self) -> Self {
        Self {
            routes: self.routes.clone(),
        }
    }
}

impl<E> fmt::Debug for Dispatch<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch")
            .field("routes", &self.routes)
            .finish()
    }
}
