use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::response::Parts;
use tower_layer::Layer;

use crate::{
    MediaTypeError, Prefix, Rewrite,
    eligible::{Eligible, MediaTypes, RequestMethod},
};

/// Rewrites the bodies of the responses that its function has a [`Rewriter`](crate::Rewriter) for.
pub struct RewriteLayer<R> {
    types: Arc<MediaTypes>,
    choose: Arc<dyn Fn(&Parts) -> Option<R> + Send + Sync>,
}

impl<R> RewriteLayer<R> {
    /// The function is asked about every response that may be rewritten (the README lists them) and
    /// gives the rewriter of its body, or `None` to leave the response alone.
    pub fn new(choose: impl Fn(&Parts) -> Option<R> + Send + Sync + 'static) -> Self {
        Self {
            types: Arc::default(),
            choose: Arc::new(choose),
        }
    }

    /// The media types that are rewritten, without parameters. Default: `text/plain`.
    ///
    /// # Errors
    ///
    /// A name that is not a media type.
    pub fn types<'a>(
        mut self,
        types: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, MediaTypeError> {
        self.types = Arc::new(MediaTypes::parse(types)?);
        Ok(self)
    }

    /// The rewriter, if the response is to be rewritten, and whether its body is.
    pub(crate) fn choose(&self, method: RequestMethod, response: &Parts) -> Option<(R, Eligible)> {
        let eligible = Eligible::of(method, response, &self.types);
        if eligible == Eligible::No {
            return None;
        }
        Some(((self.choose)(response)?, eligible))
    }
}

impl<R> Clone for RewriteLayer<R> {
    fn clone(&self) -> Self {
        Self {
            types: self.types.clone(),
            choose: self.choose.clone(),
        }
    }
}

impl<R> fmt::Debug for RewriteLayer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RewriteLayer")
            .field("types", &self.types)
            .finish_non_exhaustive()
    }
}

impl<S, R> Layer<S> for RewriteLayer<R> {
    type Service = Rewrite<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        Rewrite {
            inner,
            layer: self.clone(),
        }
    }
}

/// Puts a prefix before every line of `text/plain` bodies.
#[derive(Clone, Debug)]
pub struct PrefixLayer {
    rewrite: RewriteLayer<Prefix>,
}

impl PrefixLayer {
    /// The same prefix before every line of every body. A space after it is the caller's to give.
    #[must_use]
    pub fn new(prefix: impl Into<Bytes>) -> Self {
        let prefix = prefix.into();
        Self {
            rewrite: RewriteLayer::new(move |_| Some(Prefix::new(prefix.clone()))),
        }
    }

    /// The same prefix before every chunk, an empty one too, wherever the lines are. This is what the ancestor
    /// did with the items of a WSGI iterable; the result depends on how the inner service, and every layer between,
    /// cuts its body.
    #[must_use]
    pub fn chunks(prefix: impl Into<Bytes>) -> Self {
        let prefix = prefix.into();
        Self {
            rewrite: RewriteLayer::new(move |_| Some(Prefix::chunks(prefix.clone()))),
        }
    }

    /// The media types whose lines get the prefix, without parameters. Default: `text/plain`.
    ///
    /// The prefix is put in as it is: in a type with a syntax of its own, such as `text/html`, it must
    /// be well-formed there.
    ///
    /// # Errors
    ///
    /// A name that is not a media type.
    pub fn types<'a>(
        self,
        types: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, MediaTypeError> {
        let rewrite = self.rewrite.types(types)?;
        Ok(Self { rewrite })
    }
}

impl<S> Layer<S> for PrefixLayer {
    type Service = Rewrite<S, Prefix>;

    fn layer(&self, inner: S) -> Self::Service {
        self.rewrite.layer(inner)
    }
}
