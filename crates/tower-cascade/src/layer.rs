use std::{fmt, sync::Arc};

use http::request::Parts;
use tower_layer::Layer;

use crate::Cascade;

/// Tries an app before the wrapped service.
pub struct CascadeLayer<A> {
    pub(crate) app: A,
    pub(crate) guard: Option<Arc<dyn Fn(&Parts) -> bool + Send + Sync>>,
    pub(crate) replay_limit: usize,
}

impl<A> CascadeLayer<A> {
    /// Every request goes to `app` first. Where its answer is 404, the wrapped service is asked.
    pub fn new(app: A) -> Self {
        Self {
            app,
            guard: None,
            replay_limit: 64 * 1024,
        }
    }

    /// Only requests that the function says yes to are tried on the app; the others go straight to the
    /// wrapped service, neither cloned nor recorded. Default: all.
    #[must_use]
    pub fn only(mut self, guard: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.guard = Some(Arc::new(guard));
        self
    }

    /// How much of a body is kept for the next app, in bytes. Default: 65,536.
    ///
    /// An app may read more than that, and its answer counts; but if it then answers 404, the cascade
    /// answers 413 (Content Too Large). What an app does not read counts nothing: an upload of any
    /// size passes an app that answers 404 without reading it.
    #[must_use]
    pub fn replay_limit(mut self, bytes: usize) -> Self {
        self.replay_limit = bytes;
        self
    }
}

impl<A: Clone> Clone for CascadeLayer<A> {
    fn clone(&self) -> Self {
        Self {
            app: self.app.clone(),
            guard: self.guard.clone(),
            replay_limit: self.replay_limit,
        }
    }
}

impl<A: fmt::Debug> fmt::Debug for CascadeLayer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CascadeLayer")
            .field("app", &self.app)
            .field("guarded", &self.guard.is_some())
            .field("replay_limit", &self.replay_limit)
            .finish()
    }
}

impl<A: Clone, S> Layer<S> for CascadeLayer<A> {
    type Service = Cascade<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Cascade {
            first: self.clone(),
            inner,
        }
    }
}
