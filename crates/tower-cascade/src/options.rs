//! What holds for all the apps of a cascade.

use std::{fmt, sync::Arc};

use crate::statuses::Statuses;

/// What an app's error means, if errors of this type are asked about.
pub trait Policy<E> {
    /// Whether the next app is asked after this error.
    fn goes_on(&self, error: &E) -> bool;
}

/// No error is a reason to ask the next app.
#[derive(Clone, Copy, Debug, Default)]
pub struct ErrorsEnd;

impl<E> Policy<E> for ErrorsEnd {
    fn goes_on(&self, _: &E) -> bool {
        false
    }
}

/// Some errors are, see [`CascadeLayer::on_error`](crate::CascadeLayer::on_error).
pub struct OnError<E> {
    predicate: Arc<dyn Fn(&E) -> bool + Send + Sync>,
}

impl<E> OnError<E> {
    pub(crate) fn new(predicate: impl Fn(&E) -> bool + Send + Sync + 'static) -> Self {
        Self {
            predicate: Arc::new(predicate),
        }
    }
}

impl<E> Policy<E> for OnError<E> {
    fn goes_on(&self, error: &E) -> bool {
        (self.predicate)(error)
    }
}

impl<E> Clone for OnError<E> {
    fn clone(&self) -> Self {
        Self {
            predicate: self.predicate.clone(),
        }
    }
}

impl<E> fmt::Debug for OnError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnError").finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Options<P> {
    pub(crate) statuses: Statuses,
    pub(crate) auth_statuses: bool,
    pub(crate) replay_limit: usize,
    pub(crate) trace: bool,
    pub(crate) x_cascade: bool,
    pub(crate) policy: P,
}

impl Default for Options<ErrorsEnd> {
    fn default() -> Self {
        Self {
            statuses: Statuses::default(),
            auth_statuses: false,
            replay_limit: 64 * 1024,
            trace: false,
            x_cascade: false,
            policy: ErrorsEnd,
        }
    }
}

impl<P> Options<P> {
    pub(crate) fn with_policy<Q>(&self, policy: Q) -> Options<Q> {
        Options {
            statuses: self.statuses.clone(),
            auth_statuses: self.auth_statuses,
            replay_limit: self.replay_limit,
            trace: self.trace,
            x_cascade: self.x_cascade,
            policy,
        }
    }
}

/// The options of a cascade, for everything that has them in `self.options`.
macro_rules! option_methods {
    () => {
        /// The statuses with which an answer is none, so that the next app is asked. Default: 404.
        ///
        /// A request whose method is not idempotent never goes on after a 5xx, since the app may have acted on it. If 405
        /// is among them and the final answer is 405 too, its `Allow` becomes that of all of these.
        ///
        /// # Errors
        ///
        /// 401 and 403 without [`allow_auth_statuses`](Self::allow_auth_statuses) before; 204, 304 and 1xx.
        pub fn on(
            mut self,
            statuses: impl IntoIterator<Item = ::http::StatusCode>,
        ) -> Result<Self, $crate::StatusError> {
            let options = ::std::sync::Arc::make_mut(&mut self.options);
            options.statuses = Statuses::new(statuses, options.auth_statuses)?;
            Ok(self)
        }

        /// The same, by a function. It is not asked about 204, 304 and 1xx, nor about 401 and 403 without
        /// [`allow_auth_statuses`](Self::allow_auth_statuses) before.
        #[must_use]
        pub fn on_statuses(
            mut self,
            statuses: impl Fn(::http::StatusCode) -> bool + Send + Sync + 'static,
        ) -> Self {
            let options = ::std::sync::Arc::make_mut(&mut self.options);
            options.statuses = Statuses::by(statuses, options.auth_statuses);
            self
        }

        /// Lets [`on`](Self::on) take 401 and 403. Then a request that an app has refused is given to the next
        /// one, which must refuse it by itself.
        #[must_use]
        pub fn allow_auth_statuses(mut self) -> Self {
            ::std::sync::Arc::make_mut(&mut self.options).auth_statuses = true;
            self
        }

        /// How much of a body is kept for the next app, in bytes. Default: 65,536.
        ///
        /// An app may read more than that, and its answer counts; but if it then answers 404, the cascade
        /// answers 413 (Content Too Large). What an app does not read counts nothing: an upload of any
        /// size passes an app that answers 404 without reading it.
        #[must_use]
        pub fn replay_limit(mut self, bytes: usize) -> Self {
            ::std::sync::Arc::make_mut(&mut self.options).replay_limit = bytes;
            self
        }

        /// Leaves a [`CascadeTrace`](crate::CascadeTrace) in the answer's extensions. Default: no.
        #[must_use]
        pub fn trace(mut self, yes: bool) -> Self {
            ::std::sync::Arc::make_mut(&mut self.options).trace = yes;
            self
        }

        /// Takes an answer with the header `X-Cascade: pass`, as Rack's routers give it, for one with
        /// [`Pass`](crate::Pass), and takes that header off the final answer. Default: no.
        #[must_use]
        pub fn x_cascade_header(mut self, yes: bool) -> Self {
            ::std::sync::Arc::make_mut(&mut self.options).x_cascade = yes;
            self
        }
    };
}

pub(crate) use option_methods;
