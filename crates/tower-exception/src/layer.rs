use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex},
};

use http::{Request, StatusCode};
use tower_layer::Layer;

#[cfg(feature = "debug")]
use crate::DebugPage;
use crate::{
    Exception, Incident,
    service::Shared,
    watch::{Options, Watch},
};

/// A layer that makes a reported [`Incident`] of each panic and each error of a service.
///
/// The layer is for servers. The inner service is cloned when it has failed, so it must be `Clone`.
/// Its error becomes `Infallible`, and the error of the response's body is the incident.
///
/// # Examples
///
/// ```
/// use std::{convert::Infallible, sync::mpsc};
///
/// use bytes::Bytes;
/// use http::{Request, Response, StatusCode};
/// use http_body_util::{BodyExt, Full};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_exception::{ExceptionLayer, Incident};
///
/// async fn breaks(_: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
///     panic!("the sky is falling")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (report, reports) = mpsc::channel();
/// let app = ServiceBuilder::new()
///     .layer(ExceptionLayer::production(move |incident: &Incident| {
///         let _ = report.send(incident.clone());
///     }))
///     .service(service_fn(breaks));
///
/// let response = app.oneshot(Request::get("/sky").body(())?).await?;
/// assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
/// let body = response.into_body().collect().await?.to_bytes();
///
/// let incident = reports.recv()?;
/// assert_eq!(incident.panic_message(), Some("the sky is falling"));
/// assert_eq!(body, format!("500 Internal Server Error\nincident {}\n", incident.id()));
/// # Ok(())
/// # }
/// ```
///
/// # In axum
///
/// `Router::layer` puts the layer inside of axum's routing, for the routes and the fallback that
/// exist by then. Around the whole router, it is for the router's other layers too.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower::Layer;
/// use tower_exception::{ExceptionLayer, to_stderr};
///
/// let router: Router = Router::new()
///     .route("/", get(async || "fine"))
///     .layer(ExceptionLayer::production(to_stderr));
/// let around = ExceptionLayer::production(to_stderr).layer(router);
/// let app: Router = Router::new().fallback_service(around);
/// ```
///
/// The compiler rejects a layer that can fail outside of this one, since axum wants `Infallible`:
///
/// ```compile_fail,E0277
/// use std::convert::Infallible;
///
/// use axum::{Router, routing::get};
/// use tower::{BoxError, ServiceBuilder, util::MapErrLayer};
/// use tower_exception::{ExceptionLayer, to_stderr};
///
/// let fallible = MapErrLayer::new(|never: Infallible| -> BoxError { match never {} });
/// let router: Router = Router::new()
///     .route("/", get(async || "fine"))
///     .layer(ServiceBuilder::new().layer(fallible).layer(ExceptionLayer::production(to_stderr)));
/// ```
///
/// # An error response of your own
///
/// The response is a [`Rejection`](tower_kit::Rejection) whose reason is the incident. Use
/// [`RenderLayer`](tower_kit::RenderLayer) around this layer to render it in your own way. In axum
/// its function returns whatever is `IntoResponse`. Otherwise it returns a response with any body,
/// for example `Full<Bytes>`. The response to a HEAD has no body in any case. A gRPC client gets
/// the response only if that is gRPC, for example one of `tonic::Status::into_http`.
///
/// ```
/// use axum::{Json, Router, response::IntoResponse};
/// use serde_json::json;
/// use tower::ServiceBuilder;
/// use tower_exception::{ExceptionLayer, Incident, to_stderr};
/// use tower_kit::{Rejection, RenderLayer};
///
/// let render = RenderLayer::new(|rejection: &Rejection| {
///     let incident: &Incident = rejection.reason()?;
///     let error = json!({ "ticket": incident.id() });
///     Some((incident.status(), Json(error)).into_response())
/// });
/// let layers = ServiceBuilder::new()
///     .layer(render)
///     .layer(ExceptionLayer::production(to_stderr));
/// let app: Router = Router::new().layer(layers);
/// # let _ = app;
/// ```
#[derive(Clone)]
pub struct ExceptionLayer {
    options: Arc<Options>,
}

impl ExceptionLayer {
    /// Returns a layer for production. The client gets a 500 with the incident's id and nothing
    /// else, and a gRPC client gets the same as gRPC. `report` gets the incident.
    ///
    /// `report` is called on the request's task and must not block. Hand slow work to a channel. If
    /// it panics, the incident goes to standard error. [`to_stderr`](crate::to_stderr) and, with
    /// the feature `tracing`, `to_tracing` are such functions.
    ///
    /// ```
    /// use axum::Router;
    /// use tower_exception::{ExceptionLayer, to_stderr};
    ///
    /// let app: Router = Router::new().layer(ExceptionLayer::production(to_stderr));
    /// ```
    pub fn production(report: impl Fn(&Incident) + Send + Sync + 'static) -> Self {
        Self {
            options: Arc::new(Options {
                report: Arc::new(report),
                headers: false,
                statuses: Vec::new(),
                #[cfg(feature = "debug")]
                debug: None,
            }),
        }
    }

    /// Returns a layer for development. The client gets a page with the panic or the error, the
    /// calls that led there, and the request. `report` gets the incident, as in production.
    ///
    /// Only a browser on this machine gets the page. [`DebugPage`] has the conditions and the
    /// options. All headers of the request are kept, redacted. The page is made on a thread of its
    /// own.
    ///
    /// ```
    /// use std::net::SocketAddr;
    ///
    /// use axum::{Router, extract::ConnectInfo};
    /// use tower_exception::{DebugPage, ExceptionLayer, to_stderr};
    ///
    /// let page = DebugPage::new(|head| {
    ///     let peer = head.extensions.get::<ConnectInfo<SocketAddr>>();
    ///     peer.map(|peer| peer.0.ip())
    /// });
    /// let app: Router = Router::new().layer(ExceptionLayer::debug(to_stderr, page));
    /// // Without this there is no address, and so never a page. `axum::serve` takes it.
    /// let service = app.into_make_service_with_connect_info::<SocketAddr>();
    /// # let _ = service;
    /// ```
    #[cfg(feature = "debug")]
    pub fn debug(report: impl Fn(&Incident) + Send + Sync + 'static, page: DebugPage) -> Self {
        Self::production(report).with(|options| {
            options.headers = true;
            options.debug = Some(page);
        })
    }

    fn with(self, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Arc::unwrap_or_clone(self.options);
        change(&mut options);
        Self {
            options: Arc::new(options),
        }
    }

    /// Switches on that the headers of every request are kept until its response has ended, for
    /// [`Incident::headers`]. That is at least one allocation. Default: off. The layer for
    /// development always keeps them.
    ///
    /// ```
    /// use tower_exception::{ExceptionLayer, Incident};
    ///
    /// let layer = ExceptionLayer::production(|incident: &Incident| {
    ///     eprintln!("{incident} {:?}", incident.headers());
    /// });
    /// let layer = layer.headers();
    /// ```
    #[must_use]
    pub fn headers(self) -> Self {
        self.with(|options| options.headers = true)
    }

    /// Adds a function that returns the status of an error, for errors that are not the server's
    /// fault. Default: 413 for `http_body_util::LengthLimitError`, 400 for
    /// [`UploadError`](crate::UploadError), 500 for all others.
    ///
    /// The function is called with the error and then with each of its sources, also within a
    /// `BoxError`. The first status decides, and one below 400 or above 599 counts as none.
    /// Functions are called in the order in which they were added. The feature `tower` has
    /// `tower_status`, for the errors of tower's own layers.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_exception::{ExceptionLayer, to_stderr};
    ///
    /// let layer = ExceptionLayer::production(to_stderr).status_of(|error| {
    ///     let error = error.downcast_ref::<std::io::Error>()?;
    ///     (error.kind() == std::io::ErrorKind::TimedOut).then_some(StatusCode::GATEWAY_TIMEOUT)
    /// });
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn status_of(
        self,
        status: impl Fn(&(dyn Error + 'static)) -> Option<StatusCode> + Send + Sync + 'static,
    ) -> Self {
        self.with(|options| options.statuses.push(Arc::new(status)))
    }

    pub(crate) fn watch<B>(&self, request: &mut Request<B>) -> Watch {
        Watch::new(&self.options, request)
    }
}

impl fmt::Debug for ExceptionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExceptionLayer").finish_non_exhaustive()
    }
}

impl<S: Clone> Layer<S> for ExceptionLayer {
    type Service = Exception<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Exception {
            shared: Arc::new(Shared {
                original: Mutex::new(inner.clone()),
                layer: self.clone(),
            }),
            inner: Some(inner),
            failed: None,
        }
    }
}
