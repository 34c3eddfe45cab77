//! What holds for all the apps of a cascade.

use std::{
    any::{Any, type_name},
    fmt,
    sync::Arc,
};

use http::StatusCode;

use crate::{StatusError, statuses::Statuses};

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
// The type of the errors is not a parameter. The compiler forgets the lifetime within `BoxError`
// when it asks whether a task is `Send`; a predicate for `BoxError` would then be one for some
// other lifetime, and no future of this cascade could be spawned.
#[derive(Clone)]
pub struct OnError {
    predicate: Arc<dyn Fn(&dyn Any) -> Option<bool> + Send + Sync>,
    asks_about: &'static str,
}

impl OnError {
    pub(crate) fn new<E: 'static>(predicate: impl Fn(&E) -> bool + Send + Sync + 'static) -> Self {
        Self {
            predicate: Arc::new(move |error| error.downcast_ref().map(&predicate)),
            asks_about: type_name::<E>(),
        }
    }
}

impl<E: 'static> Policy<E> for OnError {
    fn goes_on(&self, error: &E) -> bool {
        let says = (self.predicate)(error);
        debug_assert!(
            says.is_some(),
            "`on_error` asked about {} where errors are {}",
            self.asks_about,
            type_name::<E>(),
        );
        says.unwrap_or(false)
    }
}

impl fmt::Debug for OnError {
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
    pub(crate) fn set_statuses(
        &mut self,
        statuses: impl IntoIterator<Item = StatusCode>,
    ) -> Result<(), StatusError> {
        self.statuses = Statuses::new(statuses, self.auth_statuses)?;
        Ok(())
    }

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
