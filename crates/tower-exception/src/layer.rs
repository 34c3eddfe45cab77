use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex},
};

use http::{Request, StatusCode};
use tower_layer::Layer;

#[cfg(feature = "debug")]
use crate::debug::Debug;
use crate::{
    Exception, Incident,
    service::Shared,
    watch::{Options, Watch},
};

/// Turns whatever goes wrong in a service into a reported [`Incident`].
#[derive(Clone)]
pub struct ExceptionLayer {
    options: Arc<Options>,
}

impl ExceptionLayer {
    /// For production: the client gets 500 (a gRPC client its own form of it) with the incident's id and nothing else; `report` gets the incident.
    ///
    /// `report` is called on the request's task and must not block: hand slow work to a channel. If it
    /// panics, the incident goes to standard error.
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

    /// For development: the client gets a page with the panic or the error, the way there, and the request. `report` gets the incident, as in
    /// production.
    ///
    /// The page is for whoever sits at this machine. Instead of it comes production's answer where any of this does not
    /// hold:
    ///
    /// - The build has debug assertions, or [`force`](Self::force) says that it does not matter.
    /// - `peer`, which gives the address of the request's TCP connection, gives a loopback address. A server leaves it in the request's
    ///   extensions, axum for one as `ConnectInfo`.
    /// - The `Host` is `localhost`, or below it, or a loopback address, or one of [`hosts`](Self::hosts). A page elsewhere that had its own name resolve to
    ///   this machine could read the answer otherwise.
    /// - There is no header in which a proxy tells of a client: its peer is loopback, too.
    /// - No page of another site asks, as far as the browser says so (`Origin`, `Sec-Fetch-Site`).
    ///
    /// All of the request's headers are kept, redacted. The page is made on a thread of its own.
    ///
    /// ```
    /// use std::net::SocketAddr;
    ///
    /// use axum::{Router, extract::ConnectInfo};
    /// use tower_exception::{ExceptionLayer, to_stderr};
    ///
    /// let layer = ExceptionLayer::debug(to_stderr, |head| {
    ///     let peer = head.extensions.get::<ConnectInfo<SocketAddr>>();
    ///     peer.map(|peer| peer.0.ip())
    /// });
    /// let app: Router = Router::new().layer(layer);
    /// // Without this there is no address, and so never a page. `axum::serve(listener, …)` takes it.
    /// let service = app.into_make_service_with_connect_info::<SocketAddr>();
    /// # let _ = service;
    /// ```
    #[cfg(feature = "debug")]
    pub fn debug(
        report: impl Fn(&Incident) + Send + Sync + 'static,
        peer: impl Fn(&http::request::Parts) -> Option<std::net::IpAddr> + Send + Sync + 'static,
    ) -> Self {
        Self {
            options: Arc::new(Options {
                report: Arc::new(report),
                headers: true,
                statuses: Vec::new(),
                debug: Some(Debug::new(peer)),
            }),
        }
    }

    fn with(self, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Arc::unwrap_or_clone(self.options);
        change(&mut options);
        Self {
            options: Arc::new(options),
        }
    }

    /// Keeps the headers of every request until its response is through, for [`Incident::headers`]. That is an allocation, at the least.
    /// Default: only in debug.
    #[must_use]
    pub fn headers(self) -> Self {
        self.with(|options| options.headers = true)
    }

    /// Adds a function that returns the status of an error, for errors that are not the server's
    /// fault. Default: 413 for `http_body_util::LengthLimitError`, 400 for
    /// [`UploadError`](crate::UploadError), 500 for all others.
    ///
    /// The function is called with the error and then with each of its sources, also within a
    /// `BoxError`. The first status decides; one below 400 or above 599 counts as none. Functions
    /// that were added before are called before. The feature `tower` has `tower_status`, for the errors of
    /// tower's own layers.
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

    /// Shows the page in a release build, too, to whoever has a loopback address. **Not behind a proxy**: one on this machine that sets no forwarding
    /// header would show it to everybody. Default: no. In production this does nothing.
    #[cfg(feature = "debug")]
    #[must_use]
    pub fn force(self) -> Self {
        self.in_debug(|debug| debug.forced = true)
    }

    /// Names under which this machine is known besides `localhost`, without a port. In production this does nothing.
    #[cfg(feature = "debug")]
    #[must_use]
    pub fn hosts<'a>(self, hosts: impl IntoIterator<Item = &'a str>) -> Self {
        let hosts: Vec<String> = hosts.into_iter().map(str::to_ascii_lowercase).collect();
        self.in_debug(|debug| debug.hosts.extend(hosts))
    }

    /// A folder below which source files may be shown, instead of the one that was current when the layer was made. In production this does nothing.
    #[cfg(feature = "debug")]
    #[must_use]
    pub fn sources(self, folder: impl Into<std::path::PathBuf>) -> Self {
        let folder = folder.into();
        self.in_debug(|debug| debug.sources = Some(folder))
    }

    /// Sets whether the text of an error is appended to the body that was sent so far, which then
    /// ends well. Default: no, the response is broken off.
    ///
    /// The text is appended only where the page would be shown, and only to `text/plain` and
    /// `text/html`. The response must not be a part (206). It must have no encoding, no length in
    /// its head, and no trailers so far.
    #[cfg(feature = "debug")]
    #[must_use]
    pub fn append_traceback(self, append: bool) -> Self {
        self.in_debug(|debug| debug.appends = append)
    }

    #[cfg(feature = "debug")]
    fn in_debug(self, change: impl FnOnce(&mut Debug)) -> Self {
        self.with(|options| {
            if let Some(debug) = &mut options.debug {
                change(debug);
            }
        })
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
