use bytes::Bytes;
use http::{request, response};
use tower_layer::Layer;

use crate::{MediaTypeError, Prefix, Rewrite, RewriteLayer, media_types::MediaTypes};

/// A layer that prepends a prefix to every line of `text/plain` bodies.
///
/// The prefix may have CR, LF and NUL, because it is never part of a header. The entity tag has a
/// hash of it.
///
/// # Examples
///
/// ```
/// use http::{Request, Response, header::{CONTENT_LENGTH, CONTENT_TYPE}};
/// use http_body_util::{BodyExt, Full};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_body_rewrite::PrefixLayer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let app = ServiceBuilder::new()
///     .layer(PrefixLayer::new("yikes: "))
///     .service(service_fn(async |_: Request<()>| {
///         Response::builder()
///             .header(CONTENT_TYPE, "text/plain")
///             .header(CONTENT_LENGTH, 10)
///             .body(Full::from("one\ntwo\n\n\n"))
///     }));
///
/// let response = app.oneshot(Request::new(())).await?;
/// assert_eq!(response.headers()[CONTENT_LENGTH], "38");
/// let body = response.into_body().collect().await?.to_bytes();
/// assert_eq!(body, "yikes: one\nyikes: two\nyikes: \nyikes: \n");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PrefixLayer {
    rewrite: RewriteLayer<Prefix>,
    /// Whether the prefix is made of the request.
    from_request: bool,
}

impl PrefixLayer {
    /// Returns a layer that prepends this prefix to every line of every body. It adds no space.
    #[must_use]
    pub fn new(prefix: impl Into<Bytes>) -> Self {
        Self::always(Prefix::new(prefix))
    }

    /// Returns a layer that prepends this prefix to every chunk, also to an empty one. Lines do not
    /// count. The result depends on how the inner service, and every layer between, cuts the
    /// body. So a rewritten response keeps no `ETag`.
    #[must_use]
    pub fn chunks(prefix: impl Into<Bytes>) -> Self {
        Self::always(Prefix::chunks(prefix))
    }

    /// Returns a layer whose function makes the prefix of each request, for every line of its
    /// response. The function is called for every request, whatever the response.
    ///
    /// The prefix goes into `text/plain` only, because data of a request is not escaped for other
    /// types. If it depends on a header, the inner service should set `Vary`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_body_rewrite::PrefixLayer;
    /// let layer = PrefixLayer::from_fn(|request| format!("{}: ", request.uri.path()));
    /// # let _ = layer;
    /// ```
    pub fn from_fn<P: Into<Bytes>>(
        prefix: impl Fn(&request::Parts) -> P + Send + Sync + 'static,
    ) -> Self {
        Self {
            rewrite: RewriteLayer::from_request(move |request| {
                let prefix: Bytes = prefix(request).into();
                move |_: &response::Parts| Some(Prefix::new(prefix.clone()))
            }),
            from_request: true,
        }
    }

    fn always(prefix: Prefix) -> Self {
        Self {
            rewrite: RewriteLayer::new(move |_| Some(prefix.clone())),
            from_request: false,
        }
    }

    /// Replaces the media types whose lines get the prefix. They have no parameters. By default it
    /// is only `text/plain`.
    ///
    /// The prefix is not escaped. In a type with a syntax of its own, such as `text/html`, it must
    /// be well-formed.
    ///
    /// # Errors
    ///
    /// Returns a [`MediaTypeError`] if a name is not that of a media type. With
    /// [`from_fn`](Self::from_fn) only `text/plain` is accepted.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_body_rewrite::PrefixLayer;
    ///
    /// let layer = PrefixLayer::new("> ").types(["text/plain", "text/markdown"])?;
    /// # Ok::<(), tower_body_rewrite::MediaTypeError>(())
    /// ```
    pub fn types<'a>(
        self,
        types: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Result<Self, MediaTypeError> {
        if self.from_request {
            MediaTypes::parse(types.clone())?.only_plain_text()?;
        }
        let rewrite = self.rewrite.types(types)?;
        Ok(Self { rewrite, ..self })
    }

    /// Adds a condition for requests. By default there is none. See [`RewriteLayer::only`].
    #[must_use]
    pub fn only(self, only: impl Fn(&request::Parts) -> bool + Send + Sync + 'static) -> Self {
        let rewrite = self.rewrite.only(only);
        Self { rewrite, ..self }
    }

    /// Requests bodies without an encoding from the inner service. By default it is off. See
    /// [`RewriteLayer::identity`].
    #[must_use]
    pub fn identity(self) -> Self {
        let rewrite = self.rewrite.identity();
        Self { rewrite, ..self }
    }
}

impl<S> Layer<S> for PrefixLayer {
    type Service = Rewrite<S, Prefix>;

    fn layer(&self, inner: S) -> Self::Service {
        self.rewrite.layer(inner)
    }
}
