use std::{fmt, sync::Arc};

use http::request::Parts;
use tower_layer::Layer;

use crate::{Key, WithEnviron, environ::Entry};

/// Sets one key for every request, or for those that have something to set.
#[derive(Clone, Debug)]
pub struct EnvironLayer {
    pub(crate) source: Source,
    /// Whether a value that is there already stays.
    pub(crate) default: bool,
}

/// Where the value comes from.
#[derive(Clone)]
pub(crate) enum Source {
    Value(Entry),
    Computed(Arc<dyn Fn(&Parts) -> Option<Entry> + Send + Sync>),
}

impl EnvironLayer {
    /// The same value for every request. It is kept once and shared, so it need not be `Clone`.
    #[must_use]
    pub fn new<T>(key: Key<T>, value: T) -> Self {
        Self {
            source: Source::Value(key.entry(value)),
            default: false,
        }
    }

    /// A value of its own for each request, from the request's head. `None` sets nothing, and what a layer
    /// further out may have set stays.
    #[must_use]
    pub fn from_fn<T: 'static>(
        key: Key<T>,
        value: impl Fn(&Parts) -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        let entry = move |parts: &Parts| value(parts).map(|value| key.clone().entry(value));
        Self {
            source: Source::Computed(Arc::new(entry)),
            default: false,
        }
    }

    /// The same value for every request that has none under this name from a layer further out.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{BoxError, Layer, ServiceExt, service_fn};
    /// use tower_environ::{EnvironExt, EnvironLayer, Key};
    ///
    /// const LANGUAGE: Key<&'static str> = Key::new("app.language");
    ///
    /// async fn app(request: Request<()>) -> Result<Response<&'static str>, BoxError> {
    ///     Ok(Response::new(request.try_environ(&LANGUAGE)?))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let (german, english) = (EnvironLayer::new(LANGUAGE, "de"), EnvironLayer::default_for(LANGUAGE, "en"));
    /// let app = english.layer(service_fn(app));
    /// assert_eq!(app.clone().oneshot(Request::new(())).await?.into_body(), "en");
    /// // With `EnvironLayer::new` the inner one, which comes later, would win.
    /// assert_eq!(german.layer(app).oneshot(Request::new(())).await?.into_body(), "de");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn default_for<T>(key: Key<T>, value: T) -> Self {
        Self {
            default: true,
            ..Self::new(key, value)
        }
    }
}

impl<S> Layer<S> for EnvironLayer {
    type Service = WithEnviron<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithEnviron {
            inner,
            layer: self.clone(),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(entry) => entry.fmt(f),
            Self::Computed(_) => f.write_str("computed"),
        }
    }
}
