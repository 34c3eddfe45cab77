use std::{fmt, sync::Arc};

use http::{request, response};
use tower_layer::Layer;

use crate::{MediaTypeError, Rewrite, media_types::MediaTypes};

/// Chooses a rewriter by a response's head.
pub(crate) type ResponseFn<R> = dyn Fn(&response::Parts) -> Option<R> + Send;
type RequestFn<R> = dyn Fn(&request::Parts) -> Box<ResponseFn<R>> + Send + Sync;

/// A layer that rewrites the bodies of responses with a [`Rewriter`](crate::Rewriter) that a
/// function returns.
///
/// The [rules](crate::rules) list the responses that are rewritten.
///
/// # Examples
///
/// ```
/// use http::response;
/// use tower_body_rewrite::{Replace, RewriteLayer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // A script before the end of every page, but not in error pages.
/// let script = "<script src=\"/live.js\"></script></body>";
/// let script = Replace::ignoring_case([("</body>", script)])?.once();
/// let layer = RewriteLayer::new(move |response: &response::Parts| {
///     response.status.is_success().then(|| script.clone())
/// });
/// let layer = layer.types(["text/html"])?;
/// # Ok(())
/// # }
/// ```
pub struct RewriteLayer<R> {
    pub(crate) options: Arc<Options<R>>,
}

pub(crate) struct Options<R> {
    pub(crate) choose: Choose<R>,
    pub(crate) types: MediaTypes,
    pub(crate) only: Option<Arc<dyn Fn(&request::Parts) -> bool + Send + Sync>>,
    pub(crate) identity: bool,
}

pub(crate) enum Choose<R> {
    ByResponse(Arc<dyn Fn(&response::Parts) -> Option<R> + Send + Sync>),
    ByRequest(Arc<RequestFn<R>>),
}

impl<R> RewriteLayer<R> {
    /// Returns a layer whose function is called for every response that may be rewritten. The
    /// function returns the rewriter of the body, or `None` to leave the response unchanged.
    ///
    /// It is also called for a 304 to a client that has a rewritten copy, with the status 200
    /// instead, to compare the [tag](crate::Rewriter::tag) with that of the copy. The headers are
    /// those of the 304, which often has no `Content-Type`. If the tags differ, the inner service
    /// is called again for the whole response.
    pub fn new(choose: impl Fn(&response::Parts) -> Option<R> + Send + Sync + 'static) -> Self {
        Self::choosing(Choose::ByResponse(Arc::new(choose)))
    }

    /// Returns a layer whose function is called with each request's head, before the inner service.
    /// It returns the function for the response, as in [`new`](Self::new). That one is boxed, which
    /// is an allocation if it captures something.
    ///
    /// If the rewriting depends on a request's headers, the inner service should name them in
    /// `Vary`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use http::{request, response};
    /// # use tower_body_rewrite::{Prefix, RewriteLayer};
    /// let layer = RewriteLayer::from_request(|request: &request::Parts| {
    ///     let quoted = request.uri.query() == Some("quoted");
    ///     move |_: &response::Parts| quoted.then(|| Prefix::new("> "))
    /// });
    /// # let _ = layer;
    /// ```
    pub fn from_request<F>(choose: impl Fn(&request::Parts) -> F + Send + Sync + 'static) -> Self
    where
        F: Fn(&response::Parts) -> Option<R> + Send + 'static,
    {
        Self::choosing(Choose::ByRequest(Arc::new(move |request| {
            Box::new(choose(request))
        })))
    }

    fn choosing(choose: Choose<R>) -> Self {
        Self {
            options: Arc::new(Options {
                choose,
                types: MediaTypes::default(),
                only: None,
                identity: false,
            }),
        }
    }

    fn with(self, change: impl FnOnce(&mut Options<R>)) -> Self {
        let mut options = Arc::unwrap_or_clone(self.options);
        change(&mut options);
        Self {
            options: Arc::new(options),
        }
    }

    /// Replaces the media types that are rewritten. They have no parameters. By default it is only
    /// `text/plain`.
    ///
    /// # Errors
    ///
    /// Returns a [`MediaTypeError`] if a name is not that of a media type.
    pub fn types<'a>(
        self,
        types: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, MediaTypeError> {
        let types = MediaTypes::parse(types)?;
        Ok(self.with(|options| options.types = types))
    }

    /// Adds a condition for requests. Responses to requests that do not meet all conditions are
    /// unchanged, and so are these requests. By default there is no condition.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_body_rewrite::PrefixLayer;
    ///
    /// let layer = PrefixLayer::new("> ").only(|request| request.uri.path().starts_with("/log"));
    /// ```
    #[must_use]
    pub fn only(self, only: impl Fn(&request::Parts) -> bool + Send + Sync + 'static) -> Self {
        self.with(|options| {
            options.only = Some(match options.only.take() {
                None => Arc::new(only),
                Some(before) => Arc::new(move |request| before(request) && only(request)),
            });
        })
    }

    /// Sets `Accept-Encoding: identity` in requests, so that the inner service does not encode its
    /// bodies. By default it is off.
    ///
    /// It is for an inner service that would encode its bodies, because an encoded body is not
    /// rewritten. An outer compression layer still sees the encodings that the client accepts.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_body_rewrite::{Prefix, RewriteLayer};
    ///
    /// // The inner service is a proxy of a server that compresses.
    /// let layer = RewriteLayer::new(|_| Some(Prefix::new("> "))).identity();
    /// ```
    #[must_use]
    pub fn identity(self) -> Self {
        self.with(|options| options.identity = true)
    }
}

impl<R> Clone for RewriteLayer<R> {
    fn clone(&self) -> Self {
        Self {
            options: self.options.clone(),
        }
    }
}

impl<R> Clone for Options<R> {
    fn clone(&self) -> Self {
        Self {
            choose: match &self.choose {
                Choose::ByResponse(choose) => Choose::ByResponse(choose.clone()),
                Choose::ByRequest(choose) => Choose::ByRequest(choose.clone()),
            },
            types: self.types.clone(),
            only: self.only.clone(),
            identity: self.identity,
        }
    }
}

impl<R> fmt::Debug for RewriteLayer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RewriteLayer")
            .field("types", &self.options.types)
            .field("identity", &self.options.identity)
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
