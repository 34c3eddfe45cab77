//! The layer: the services to try, and the options that decide when a request falls through.

use std::{
    any::{Any, type_name},
    fmt,
    sync::Arc,
};

use http::{StatusCode, request, response};
use tower_layer::Layer;

use crate::{
    Cascade, StatusError,
    rule::{self, Rule},
};

/// A layer that tries a service, or several of one type, before the wrapped one.
///
/// Services of different types are layers of their own: the outermost is tried first. A cascade is
/// `Send` if its services are `Send` and `Sync`, so a boxed one is a `BoxCloneSyncService`.
///
/// An error of a service ends the request. It is converted into the wrapped service's error
/// (`A::Error: Into<S::Error>`). Give an `Infallible` service the other error type with
/// `.map_err(|never| match never {})`. A service that can fail goes before an `axum::Router`
/// through `ExceptionLayer` of tower-exception or axum's `HandleError`.
///
/// # Examples
///
/// A service reads the whole body and responds with 404. The next one gets it again.
///
/// ```
/// use bytes::Bytes;
/// use http::{Method, Request, Response, StatusCode};
/// use http_body_util::{BodyExt, Full};
/// use tower::{BoxError, Layer, ServiceExt, service_fn};
/// use tower_cascade::{CascadeLayer, ReplayBody};
///
/// type Body = ReplayBody<Full<Bytes>>;
///
/// async fn files(request: Request<Body>) -> Result<Response<Full<Bytes>>, BoxError> {
///     request.into_body().collect().await?;
///     let mut response = Response::default();
///     *response.status_mut() = StatusCode::NOT_FOUND;
///     Ok(response)
/// }
///
/// async fn echo(request: Request<Body>) -> Result<Response<Full<Bytes>>, BoxError> {
///     let body = request.into_body().collect().await?.to_bytes();
///     Ok(Response::new(body.into()))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let app = CascadeLayer::new(service_fn(files))
///     .only(|head| head.method == Method::PUT)
///     .layer(service_fn(echo));
/// let request = Request::put("/").body(Full::from("every byte"))?;
/// let response = app.oneshot(request).await?;
/// assert_eq!(response.status(), StatusCode::OK);
/// assert_eq!(response.into_body().collect().await?.to_bytes(), "every byte");
/// # Ok(())
/// # }
/// ```
///
/// Several layers are tried from the outermost to the innermost.
///
/// ```
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_cascade::CascadeLayer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let first: Router = Router::new().route("/one", get(async || "one"));
/// let second: Router = Router::new().route("/two", get(async || "two"));
/// let last: Router = Router::new().route("/three", get(async || "three"));
/// let app = ServiceBuilder::new()
///     .layer(CascadeLayer::new(first))
///     .layer(CascadeLayer::new(second))
///     .service(last);
/// for path in ["/one", "/two", "/three"] {
///     let request = Request::get(path).body(Body::empty())?;
///     assert_eq!(app.clone().oneshot(request).await?.status(), 200);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # In axum
///
/// Around a whole router, a cascade is before the router's routes and its other layers.
/// `Router::layer` puts it inside of axum's routing, before the routes and the fallback that exist
/// by then. There the request has the path parameters of the route already, to which axum adds. So
/// a router with path parameters does not belong there.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower::Layer;
/// use tower_cascade::CascadeLayer;
///
/// let first: Router = Router::new().route("/first/{id}", get(async || "first"));
/// let last: Router = Router::new().route("/", get(async || "last"));
/// let around = CascadeLayer::new(first).layer(last.clone());
/// let app: Router = Router::new().fallback_service(around);
///
/// let plain: Router = Router::new().route("/first", get(async || "first"));
/// let router: Router = last.layer(CascadeLayer::new(plain));
/// ```
///
/// # Files
///
/// tower-http's `ServeDir` has responses of its own to requests that are not for a file. Each of
/// them would shadow a route:
///
/// - 405 to any method other than GET and HEAD. `.only` keeps these requests away.
/// - 307 to a directory without a slash at its end. So a directory `wiki` would shadow the route
///   `/wiki`, with an `index.html` in it or without. `.statuses` names 307 too, and `/` and
///   `/wiki/` are still index pages. Without index pages, `append_index_html_on_directories(false)`
///   makes a directory 404, and `.statuses` is not needed.
/// - 500 to a name that is too long for the file system. Most file systems take 255 bytes.
///   `try_call` returns the error itself, and `.on_error` takes it for a missing file.
///
/// ```
/// use std::io::{self, ErrorKind};
///
/// use bytes::Bytes;
/// use http::{Method, Request, Response, StatusCode};
/// use http_body_util::Full;
/// use tower::{BoxError, Layer, ServiceExt, service_fn};
/// use tower_cascade::{CascadeLayer, ReplayBody};
/// use tower_http::services::ServeDir;
///
/// type Body = ReplayBody<Full<Bytes>>;
///
/// async fn routes(request: Request<Body>) -> Result<Response<Full<Bytes>>, BoxError> {
///     Ok(Response::new(request.uri().to_string().into()))
/// }
///
/// fn no_such_file(error: &BoxError) -> bool {
///     let error = error.downcast_ref::<io::Error>();
///     matches!(
///         error.map(io::Error::kind),
///         Some(
///             ErrorKind::NotFound
///                 | ErrorKind::NotADirectory
///                 | ErrorKind::PermissionDenied
///                 | ErrorKind::InvalidFilename
///         )
///     )
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let files = ServeDir::new(env!("CARGO_MANIFEST_DIR"));
/// let files = service_fn(move |request: Request<Body>| files.clone().try_call(request));
/// let app = CascadeLayer::new(files)
///     .only(|head| matches!(head.method, Method::GET | Method::HEAD))
///     .statuses([StatusCode::NOT_FOUND, StatusCode::TEMPORARY_REDIRECT])?
///     .on_error(no_such_file)
///     .layer(service_fn(routes));
/// let long = format!("/{}", "n".repeat(300));
/// for path in ["/src", "/src/", "/none", &long] {
///     let response = app.clone().oneshot(Request::get(path).body(Full::default())?).await?;
///     assert_eq!(response.status(), StatusCode::OK, "{path}");
/// }
/// # Ok(())
/// # }
/// ```
///
/// Around an `axum::Router`, the wrapped service's error is `Infallible`. Give it the error type of
/// the files with `.map_err`, and put `ExceptionLayer` of tower-exception around the whole. Around
/// the files alone, it would make a 500 of their errors before `.on_error` sees them. The whole
/// program is the guide `docs/guides/files.md` of the repository.
#[derive(Clone)]
pub struct CascadeLayer<A> {
    services: Vec<A>,
    options: Options,
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) rule: Rule,
    pub(crate) guards: Guards,
    pub(crate) errors: Errors,
    pub(crate) replay_limit: usize,
    pub(crate) trace: bool,
    pub(crate) x_cascade: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rule: Rule::default(),
            guards: Guards::default(),
            errors: Errors::default(),
            replay_limit: 64 * 1024,
            trace: false,
            x_cascade: false,
        }
    }
}

impl<A> CascadeLayer<A> {
    /// Returns a layer that tries this service before the wrapped one.
    ///
    /// A request falls through to the wrapped service if the response is a 404, or is one that the
    /// options name.
    pub fn new(service: A) -> Self {
        Self::list([service])
    }

    /// Returns a layer that tries these services in turn, and then the wrapped one.
    ///
    /// [`service`](Self::service) makes a service of them without a wrapped one.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use tower::Layer;
    /// use tower_cascade::CascadeLayer;
    ///
    /// let router = |path| -> Router { Router::new().route(path, get(async || "found")) };
    /// let [one, two] = ["/one", "/two"].map(router);
    /// let last: Router = Router::new().fallback(async || "last");
    /// let app = CascadeLayer::list([one, two]).trace().layer(last);
    /// ```
    pub fn list(services: impl IntoIterator<Item = A>) -> Self {
        Self {
            services: services.into_iter().collect(),
            options: Options::default(),
        }
    }

    /// Returns the service that tries the layer's own services in turn, with the last of them
    /// instead of a wrapped one. An empty list responds with 404.
    ///
    /// # Panics
    ///
    /// See [`statuses`](Self::statuses).
    #[must_use]
    pub fn service(mut self) -> Cascade<A, A> {
        let last = self.services.pop();
        Cascade::of(self.services, last, self.options)
    }

    /// Adds a condition on the requests that the layer's services are tried for.
    ///
    /// Other requests go to the wrapped service, or to the last of a list. They are neither cloned
    /// nor recorded. Default: none.
    ///
    /// It is for a service that has a response to requests that are not for it. A file service
    /// responds to POST with 405.
    ///
    /// ```
    /// use axum::{Router, body::Body, http::{Method, Request, StatusCode}, routing::{get, post}};
    /// use tower::{Layer, ServiceExt};
    /// use tower_cascade::CascadeLayer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let files: Router = Router::new().route("/orders", get(async || "orders.html"));
    /// let api: Router = Router::new().route("/orders", post(async || "ordered"));
    /// let all = CascadeLayer::new(files.clone());
    /// let some = CascadeLayer::new(files)
    ///     .only(|head| matches!(head.method, Method::GET | Method::HEAD));
    /// for (layer, status) in [(all, StatusCode::METHOD_NOT_ALLOWED), (some, StatusCode::OK)] {
    ///     let request = Request::post("/orders").body(Body::empty())?;
    ///     assert_eq!(layer.layer(api.clone()).oneshot(request).await?.status(), status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn only(
        mut self,
        condition: impl Fn(&request::Parts) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.options.guards.0.push(Arc::new(condition));
        self
    }

    /// Replaces the statuses whose responses fall through to the next service. Default: 404.
    ///
    /// They replace 404 too, so name it as well if it should still fall through. The status of a
    /// [`tower_kit::Rejection`] counts, which for a client of gRPC is 200 on the wire. Other rules
    /// add to the statuses: [`fall_through_if`](Self::fall_through_if) and
    /// [`on_grpc_unimplemented`](Self::on_grpc_unimplemented).
    ///
    /// After a 5xx, a request whose method is not idempotent does not fall through, since the
    /// service may have acted on it. (A service may decide otherwise with [`Pass`](crate::Pass).)
    /// If 405 is among the statuses and the final response is a 405 too, it has the `Allow` of all
    /// of them.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_cascade::CascadeLayer;
    ///
    /// # let service = ();
    /// let statuses = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
    /// let layer = CascadeLayer::new(service).statuses(statuses)?;
    /// # Ok::<(), tower_cascade::StatusError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error for 204, 304 and 1xx.
    ///
    /// # Panics
    ///
    /// 401 and 403 need [`allow_auth_statuses`](Self::allow_auth_statuses), before or after this
    /// call. Without it, `layer` and [`service`](Self::service) panic.
    pub fn statuses(
        mut self,
        statuses: impl IntoIterator<Item = StatusCode>,
    ) -> Result<Self, StatusError> {
        let checked = statuses
            .into_iter()
            .map(|status| rule::is_final(status).map(|()| status));
        self.options.rule.statuses = checked.collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// Adds a rule: responses for whose head the function returns `true` fall through to the next
    /// service.
    ///
    /// It is not called for 1xx, 204 and 304, nor for 401 and 403 without
    /// [`allow_auth_statuses`](Self::allow_auth_statuses), nor for a 5xx to a request that is not
    /// idempotent. The status in the head is that on the wire; the one of a rejection is in
    /// [`Rejection::of_head`](tower_kit::Rejection::of_head).
    ///
    /// ```
    /// # use tower_cascade::CascadeLayer;
    /// # let service = ();
    /// // Responses that a cache has marked as missing.
    /// CascadeLayer::new(service).fall_through_if(|head| head.headers.contains_key("x-miss"));
    /// ```
    #[must_use]
    pub fn fall_through_if(
        mut self,
        predicate: impl Fn(&response::Parts) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.options.rule.predicates.push(Arc::new(predicate));
        self
    }

    /// Switches on a rule for gRPC: responses with `grpc-status: 12` (unimplemented) in the head
    /// fall through to the next service.
    ///
    /// A gRPC server responds so to a path that it does not know, and to a request that is not
    /// gRPC. The response is a 200 on the wire. A handler may respond with the same status, and
    /// that falls through too, unless the response has [`Final`](crate::Final) in its extensions. A
    /// rejection falls through by this rule if it is a 404. A response with a message has its
    /// status in the trailers and does not fall through. Default: off.
    ///
    /// With this, an `axum::Router` and tonic's `Routes` share a port in either order. The
    /// repository's `examples/rest_and_grpc.rs` is the whole program.
    ///
    /// ```
    /// use axum::{Router, body::Body, extract::Request};
    /// use tower::{Layer, ServiceExt};
    /// use tower_cascade::CascadeLayer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // A gRPC server's response to a path that it does not know.
    /// let headers = [("content-type", "application/grpc"), ("grpc-status", "12")];
    /// let grpc: Router = Router::new().fallback(async move || (headers, ()));
    /// let pages: Router = Router::new().fallback(async || "a page");
    /// let app = CascadeLayer::new(grpc).on_grpc_unimplemented().layer(pages);
    /// let response = app.oneshot(Request::new(Body::empty())).await?;
    /// assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_grpc_unimplemented(mut self) -> Self {
        self.options.rule.grpc_unimplemented = true;
        self
    }

    /// Switches on that 401 and 403 fall through, if another rule names them.
    ///
    /// The next service then gets requests that one has rejected, and must reject them by itself.
    /// Default: off.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_cascade::CascadeLayer;
    ///
    /// # let service = ();
    /// let statuses = [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN];
    /// let layer = CascadeLayer::new(service).statuses(statuses)?.allow_auth_statuses();
    /// # Ok::<(), tower_cascade::StatusError>(())
    /// ```
    #[must_use]
    pub fn allow_auth_statuses(mut self) -> Self {
        self.options.rule.auth_statuses = true;
        self
    }

    /// Adds errors after which a request falls through: those for which the function returns
    /// `true`.
    ///
    /// It sees them as errors of the wrapped service's type. A request whose method is not
    /// idempotent does not fall through, since the service may have acted on it, see
    /// [`on_error_any_method`](Self::on_error_any_method). Default: none.
    ///
    /// The function's argument names the type of the errors, so a closure must name it:
    /// `|error: &BoxError| …`. A function for another type is never called. In a debug build, the
    /// first error of another type is a panic.
    ///
    /// # In a task
    ///
    /// `tokio::spawn(async move { app.oneshot(request).await })` may fail to compile with
    /// "implementation of `From` is not general enough". This happens if a service within the
    /// cascade has `BoxError` in its own type: a `BoxCloneSyncService<_, _, BoxError>`, a closure
    /// that returns a `BoxError`, or `.map_err` with a closure. Within an async block, rustc
    /// forgets that the trait object in `BoxError` is `'static`
    /// ([rust#102211](https://github.com/rust-lang/rust/issues/102211)). A library cannot cure
    /// this. Each of these avoids it:
    ///
    /// - Box the whole cascade: `tower::util::BoxCloneSyncService::new(app)`.
    /// - Use a `fn` or an `async fn` instead of the closure.
    /// - Spawn the future itself, without a block: `tokio::spawn(app.oneshot(request))`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    ///
    /// use http::{Request, Response};
    /// use tower::{BoxError, Layer, ServiceExt, service_fn};
    /// use tower_cascade::CascadeLayer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// async fn down<B>(_: Request<B>) -> Result<Response<String>, BoxError> {
    ///     Err(io::Error::from(io::ErrorKind::ConnectionRefused).into())
    /// }
    ///
    /// async fn page<B>(_: Request<B>) -> Result<Response<String>, BoxError> {
    ///     Ok(Response::new("a page".to_owned()))
    /// }
    ///
    /// let app = CascadeLayer::new(service_fn(down))
    ///     .on_error(|error: &BoxError| match error.downcast_ref::<io::Error>() {
    ///         Some(error) => error.kind() == io::ErrorKind::ConnectionRefused,
    ///         None => false,
    ///     })
    ///     .layer(service_fn(page));
    /// let task = tokio::spawn(async move {
    ///     let response = app.oneshot(Request::new(String::new())).await;
    ///     response.map(|response| response.status())
    /// });
    /// assert_eq!(task.await??, 200);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_error<E: 'static>(
        mut self,
        predicate: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.options.errors.predicates.push(ErrorPredicate {
            predicate: Arc::new(move |error| error.downcast_ref().map(&predicate)),
            asks_about: type_name::<E>(),
        });
        self
    }

    /// Switches on that [`on_error`](Self::on_error) counts for every method.
    ///
    /// It is for errors after which the service has certainly not acted on the request. Otherwise a
    /// POST may be done twice. Default: off, for idempotent methods only.
    #[must_use]
    pub fn on_error_any_method(mut self) -> Self {
        self.options.errors.any_method = true;
        self
    }

    /// Sets how much of a body is kept for the next service, in bytes. Default: 65,536.
    ///
    /// A service may read more than that, and its response counts. But if it falls through after
    /// that, the cascade responds with 413 (Content Too Large). Bytes that the service does not
    /// read do not count: an upload of any size passes a service that responds without reading it.
    ///
    /// ```
    /// use tower_cascade::CascadeLayer;
    ///
    /// # let service = ();
    /// let layer = CascadeLayer::new(service).replay_limit(1024 * 1024);
    /// ```
    #[must_use]
    pub fn replay_limit(mut self, bytes: usize) -> Self {
        self.options.replay_limit = bytes;
        self
    }

    /// Switches on a [`CascadeTrace`](crate::CascadeTrace) in the response's extensions. Default:
    /// off.
    #[must_use]
    pub fn trace(mut self) -> Self {
        self.options.trace = true;
        self
    }

    /// Switches on that the header `X-Cascade: pass`, which Rack's routers send, means
    /// [`Pass`](crate::Pass), and is removed from the final response.
    ///
    /// The response falls through whatever its status. So this is for services whose headers you
    /// trust, and not for a proxy. Default: off.
    ///
    /// ```
    /// use axum::{Router, body::Body, extract::Request, routing::get};
    /// use tower::{Layer, ServiceExt};
    /// use tower_cascade::CascadeLayer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let first: Router = Router::new().route("/", get(async || ([("x-cascade", "pass")], "first")));
    /// let last: Router = Router::new().route("/", get(async || "last"));
    /// let app = CascadeLayer::new(first).x_cascade_header().layer(last);
    /// let response = app.oneshot(Request::new(Body::empty())).await?;
    /// assert!(!response.headers().contains_key("x-cascade"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn x_cascade_header(mut self) -> Self {
        self.options.x_cascade = true;
        self
    }
}

impl<A: Clone, S> Layer<S> for CascadeLayer<A> {
    type Service = Cascade<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Cascade::of(self.services.clone(), Some(inner), self.options.clone())
    }
}

impl<A: fmt::Debug> fmt::Debug for CascadeLayer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CascadeLayer")
            .field("services", &self.services)
            .field("options", &self.options)
            .finish()
    }
}

type Guard = Arc<dyn Fn(&request::Parts) -> bool + Send + Sync>;

/// The conditions on which the services are tried for a request.
#[derive(Clone, Default)]
pub(crate) struct Guards(Vec<Guard>);

impl Guards {
    #[inline]
    pub(crate) fn allow(&self, parts: &request::Parts) -> bool {
        self.0.iter().all(|guard| guard(parts))
    }
}

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.len().fmt(f)
    }
}

/// The errors after which a request falls through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Errors {
    predicates: Vec<ErrorPredicate>,
    pub(crate) any_method: bool,
}

// The type of the errors is not a parameter. The compiler forgets the lifetime within `BoxError`
// when it asks whether a task is `Send`; a predicate for `BoxError` would then be one for some
// other lifetime, and no future of this cascade could be spawned.
#[derive(Clone)]
struct ErrorPredicate {
    predicate: Arc<dyn Fn(&dyn Any) -> Option<bool> + Send + Sync>,
    asks_about: &'static str,
}

impl Errors {
    pub(crate) fn contain<E: 'static>(&self, error: &E) -> bool {
        self.predicates.iter().any(|on_error| {
            let falls_through = (on_error.predicate)(error);
            debug_assert!(
                falls_through.is_some(),
                "`on_error` is for errors of the type {}, and the service's are {}",
                on_error.asks_about,
                type_name::<E>(),
            );
            falls_through.unwrap_or(false)
        })
    }
}

impl fmt::Debug for ErrorPredicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.asks_about)
    }
}
