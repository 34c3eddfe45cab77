use bytes::Bytes;
use http::{request, response};
use tower_layer::Layer;

use crate::{MediaTypeError, Prefix, Rewrite, RewriteLayer, media_types::MediaTypes};

/// Puts a prefix before every line of `text/plain` bodies.
#[derive(Clone, Debug)]
pub struct PrefixLayer {
    rewrite: RewriteLayer<Prefix>,
    /// Requests decide about the prefix.
    from_request: bool,
}

impl PrefixLayer {
    /// The same prefix before every line of every body. A space after it is the caller's to give.
    #[must_use]
    pub fn new(prefix: impl Into<Bytes>) -> Self {
        Self::always(Prefix::new(prefix))
    }

    /// The same prefix before every chunk, an empty one too, wherever the lines are. This is what the ancestor
    /// did with the items of a WSGI iterable; the result depends on how the inner service, and every layer between,
    /// cuts its body, so that a rewritten response keeps no `ETag`.
    #[must_use]
    pub fn chunks(prefix: impl Into<Bytes>) -> Self {
        Self::always(Prefix::chunks(prefix))
    }

    /// A prefix of each request's own before every line of its response. It is made for every request, whatever its response.
    ///
    /// It goes into `text/plain` only: what comes from a request is not escaped for any other type. Where it depends on a header,
    /// the inner service should say so in `Vary`.
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

    /// The media types whose lines get the prefix, without parameters. Default: `text/plain`.
    ///
    /// The prefix is put in as it is: in a type with a syntax of its own, such as `text/html`, it must
    /// be well-formed there.
    ///
    /// # Errors
    ///
    /// A name that is not a media type; after [`from_fn`](Self::from_fn), everything but `text/plain`.
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

    /// Only the responses to these requests, see [`RewriteLayer::only`].
    #[must_use]
    pub fn only(self, only: impl Fn(&request::Parts) -> bool + Send + Sync + 'static) -> Self {
        let rewrite = self.rewrite.only(only);
        Self { rewrite, ..self }
    }

    /// Asks the inner service for bodies that are not encoded, see [`RewriteLayer::identity`].
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
