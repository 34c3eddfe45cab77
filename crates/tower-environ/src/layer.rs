use std::{fmt, sync::Arc};

use http::request::Parts;
use tower_layer::Layer;

use crate::{Key, WithEnviron, environ::Entry};

/// A layer that sets the value of one key in each request.
///
/// If several layers set the same key, the inner one wins, because it sets its value later.
///
/// # Examples
///
/// ```
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Full};
/// use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
/// use tower_environ::{EnvironExt, EnvironLayer, Key, MountExt, MountLayer};
///
/// const HELLO: Key<&'static str> = Key::new("test.hello");
/// const LIMIT: Key<u32> = Key::new("test.limit");
///
/// async fn app(request: Request<()>) -> Result<Response<Full<bytes::Bytes>>, BoxError> {
///     let (hello, limit) = (request.try_environ(&HELLO)?, request.try_environ(&LIMIT)?);
///     let (script_name, path_info) = (request.script_name(), request.path_info());
///     Ok(Response::new(format!("{hello} {limit} {script_name}|{path_info}").into()))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let app = ServiceBuilder::new()
///     .layer(EnvironLayer::new(HELLO, "Hello World"))
///     .layer(EnvironLayer::from_fn(LIMIT, |parts| Some(parts.headers.len() as u32)))
///     .layer(MountLayer::new("/wiki")?)
///     .service(service_fn(app));
///
/// let response = app.oneshot(Request::get("/wiki/Start").body(())?).await?;
/// let body = response.into_body().collect().await?;
/// assert_eq!(body.to_bytes(), "Hello World 0 /wiki|/Start");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct EnvironLayer {
    pub(crate) source: Source,
    /// Whether an earlier value stays.
    pub(crate) default: bool,
}

/// The source of the value.
#[derive(Clone)]
pub(crate) enum Source {
    Value(Entry),
    Computed(Arc<dyn Fn(&Parts) -> Option<Entry> + Send + Sync>),
}

impl EnvironLayer {
    /// Creates a layer that sets the same value in every request. It replaces an earlier value.
    ///
    /// The value is kept once and shared, so it need not be `Clone`.
    #[must_use]
    pub fn new<T>(key: Key<T>, value: T) -> Self {
        Self {
            source: Source::Value(key.entry(value)),
            default: false,
        }
    }

    /// Creates a layer that computes a value from the head of each request. It replaces an earlier
    /// value. `None` sets nothing, so an earlier value stays.
    ///
    /// The function cannot wait. A middleware that waits, for example for a database, sets its
    /// value with [`EnvironExt::set_environ`](crate::EnvironExt::set_environ).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_environ::{EnvironLayer, Key};
    ///
    /// const LANGUAGE: Key<String> = Key::new("app.language");
    ///
    /// let layer = EnvironLayer::from_fn(LANGUAGE, |parts| {
    ///     let value = parts.headers.get("accept-language")?;
    ///     value.to_str().ok().map(str::to_owned)
    /// });
    /// ```
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

    /// Creates a layer that sets the same value in every request that has no value under this name.
    ///
    /// An earlier value stays, also if it has another type.
    ///
    /// # Examples
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
    /// let german = EnvironLayer::new(LANGUAGE, "de");
    /// let english = EnvironLayer::default_for(LANGUAGE, "en");
    /// let app = english.layer(service_fn(app));
    /// assert_eq!(app.clone().oneshot(Request::new(())).await?.into_body(), "en");
    /// // An `EnvironLayer::new` inside would win, because it is later.
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
