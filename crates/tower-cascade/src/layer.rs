use std::{fmt, sync::Arc};

use http::{StatusCode, request::Parts};
use tower_layer::Layer;

use crate::{Cascade, StatusError, statuses::Statuses};

/// Tries an app before the wrapped service.
pub struct CascadeLayer<A> {
    pub(crate) app: A,
    pub(crate) guard: Option<Arc<dyn Fn(&Parts) -> bool + Send + Sync>>,
    pub(crate) replay_limit: usize,
    pub(crate) statuses: Statuses,
    auth_statuses: bool,
}

impl<A> CascadeLayer<A> {
    /// Every request goes to `app` first. Where its answer is 404, or what [`on`](Self::on) says, the wrapped service
    /// is asked.
    pub fn new(app: A) -> Self {
        Self {
            app,
            guard: None,
            replay_limit: 64 * 1024,
            statuses: Statuses::default(),
            auth_statuses: false,
        }
    }

    /// Only requests that the function says yes to are tried on the app; the others go straight to the
    /// wrapped service, neither cloned nor recorded. Default: all.
    #[must_use]
    pub fn only(mut self, guard: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.guard = Some(Arc::new(guard));
        self
    }

    /// The statuses with which an answer is none, so that the wrapped service is asked. Default: 404.
    ///
    /// A request whose method is not idempotent never goes on after a 5xx, since the app may have acted on it. If 405
    /// is among them and the wrapped service answers 405 too, its `Allow` becomes that of both.
    ///
    /// # Errors
    ///
    /// 401 and 403 without [`allow_auth_statuses`](Self::allow_auth_statuses) before; 204, 304 and 1xx.
    pub fn on(
        mut self,
        statuses: impl IntoIterator<Item = StatusCode>,
    ) -> Result<Self, StatusError> {
        self.statuses = Statuses::new(statuses, self.auth_statuses)?;
        Ok(self)
    }

    /// Lets [`on`](Self::on) take 401 and 403. Then a request that an app has refused is given to the wrapped
    /// service, which must refuse it by itself.
    #[must_use]
    pub fn allow_auth_statuses(mut self) -> Self {
        self.auth_statuses = true;
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
            statuses: self.statuses.clone(),
            auth_statuses: self.auth_statuses,
        }
    }
}

impl<A: fmt::Debug> fmt::Debug for CascadeLayer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CascadeLayer")
            .field("app", &self.app)
            .field("guarded", &self.guard.is_some())
            .field("replay_limit", &self.replay_limit)
            .field("statuses", &self.statuses)
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
