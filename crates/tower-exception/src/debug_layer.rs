use std::{error::Error, fmt, net::IpAddr, path::PathBuf, sync::Arc};

use http::{StatusCode, request};
use tower_layer::Layer;

use crate::{Exception, ExceptionLayer, Incident, debug::Debug, watch::Options};

/// A layer for development, which [`ExceptionLayer::debug`] returns.
///
/// It becomes an `ExceptionLayer` with `into()`, for programs that decide when they start.
#[derive(Clone)]
pub struct DebugExceptionLayer {
    layer: ExceptionLayer,
}

impl DebugExceptionLayer {
    pub(crate) fn new(
        report: impl Fn(&Incident) + Send + Sync + 'static,
        peer: impl Fn(&request::Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        let options = Options {
            report: Arc::new(report),
            headers: true,
            statuses: Vec::new(),
            debug: Some(Debug::new(peer)),
        };
        Self {
            layer: ExceptionLayer {
                options: Arc::new(options),
            },
        }
    }

    /// Adds a function that returns the status of an error, see [`ExceptionLayer::status_of`].
    #[must_use]
    pub fn status_of(
        self,
        status: impl Fn(&(dyn Error + 'static)) -> Option<StatusCode> + Send + Sync + 'static,
    ) -> Self {
        Self {
            layer: self.layer.status_of(status),
        }
    }

    /// Switches the page on in release builds, too, for clients with a loopback address. Default:
    /// off.
    ///
    /// **Not behind a proxy**: a proxy on this machine that sets no forwarding header would show the
    /// page to all its clients.
    #[must_use]
    pub fn force(self) -> Self {
        self.with(|debug| debug.forced = true)
    }

    /// Adds names of this machine, without a port, besides `localhost`. Default: none.
    #[must_use]
    pub fn hosts<'a>(self, hosts: impl IntoIterator<Item = &'a str>) -> Self {
        let hosts: Vec<String> = hosts.into_iter().map(str::to_ascii_lowercase).collect();
        self.with(|debug| debug.hosts.extend(hosts))
    }

    /// Sets the directory below which source files may be shown. Default: the directory that was
    /// current when the layer was made.
    #[must_use]
    pub fn sources(self, directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        self.with(|debug| debug.sources = Some(directory))
    }

    /// Switches on that the text of an error is appended to the body that was sent so far, which
    /// then ends well. Default: off, the response is broken off.
    ///
    /// The text is appended only where the page would be shown, and only to `text/plain` and
    /// `text/html`. The response must not be a part (206). It must have no encoding, no length in
    /// its head, and no trailers so far.
    #[must_use]
    pub fn append_traceback(self) -> Self {
        self.with(|debug| debug.appends = true)
    }

    fn with(self, change: impl FnOnce(&mut Debug)) -> Self {
        let layer = self.layer.with(|options| {
            if let Some(debug) = &mut options.debug {
                change(debug);
            }
        });
        Self { layer }
    }
}

impl From<DebugExceptionLayer> for ExceptionLayer {
    fn from(debug: DebugExceptionLayer) -> Self {
        debug.layer
    }
}

impl fmt::Debug for DebugExceptionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DebugExceptionLayer")
            .finish_non_exhaustive()
    }
}

impl<S: Clone> Layer<S> for DebugExceptionLayer {
    type Service = Exception<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.layer.layer(inner)
    }
}
