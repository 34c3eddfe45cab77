use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use crate::{
    BoxError, StatusError,
    chain::{Chain, Run},
    list::List,
    options::{ErrorsEnd, OnError, Options},
    statuses::Statuses,
};

/// Tries apps in turn: each a cloneable service for requests with [`ReplayBody`](crate::ReplayBody). [`CascadeLayer`](crate::CascadeLayer) makes it of apps of different types, and
/// [`new`](Self::new) of a list of one type.
#[derive(Debug)]
pub struct Cascade<N, P = ErrorsEnd> {
    pub(crate) apps: N,
    pub(crate) options: Arc<Options<P>>,
}

impl<A> Cascade<List<A>> {
    /// Apps of one type, the first to be asked first. If all fail, the last one's answer is the answer; if there are none,
    /// it is 404. To go from thread to thread the list asks for apps that are `Sync`, too: of boxed ones for
    /// `BoxCloneSyncService`.
    pub fn new(apps: impl IntoIterator<Item = A>) -> Self {
        Self {
            apps: apps.into_iter().collect(),
            options: Arc::default(),
        }
    }
}

impl<A, P> Cascade<List<A>, P> {
    /// Errors for which the function says yes count as no answer, and the next app is asked. Say it only of
    /// errors after which the app has certainly not acted on the request, whatever the method: the next app gets it too. Default: an
    /// error is the end.
    #[must_use]
    pub fn on_error<E>(
        self,
        predicate: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Cascade<List<A>, OnError<E>> {
        Cascade {
            apps: self.apps,
            options: Arc::new(self.options.with_policy(OnError::new(predicate))),
        }
    }
}

impl<A, P: Clone> Cascade<List<A>, P> {
    /// See [`CascadeLayer::on`](crate::CascadeLayer::on).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn on(
        mut self,
        statuses: impl IntoIterator<Item = StatusCode>,
    ) -> Result<Self, StatusError> {
        Arc::make_mut(&mut self.options).set_statuses(statuses)?;
        Ok(self)
    }

    /// See [`CascadeLayer::on_statuses`](crate::CascadeLayer::on_statuses).
    #[must_use]
    pub fn on_statuses(
        mut self,
        statuses: impl Fn(StatusCode) -> bool + Send + Sync + 'static,
    ) -> Self {
        let options = Arc::make_mut(&mut self.options);
        options.statuses = Statuses::by(statuses, options.auth_statuses);
        self
    }

    /// See [`CascadeLayer::allow_auth_statuses`](crate::CascadeLayer::allow_auth_statuses).
    #[must_use]
    pub fn allow_auth_statuses(mut self) -> Self {
        Arc::make_mut(&mut self.options).auth_statuses = true;
        self
    }

    /// See [`CascadeLayer::replay_limit`](crate::CascadeLayer::replay_limit).
    #[must_use]
    pub fn replay_limit(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.options).replay_limit = bytes;
        self
    }

    /// See [`CascadeLayer::trace`](crate::CascadeLayer::trace).
    #[must_use]
    pub fn trace(mut self, yes: bool) -> Self {
        Arc::make_mut(&mut self.options).trace = yes;
        self
    }

    /// See [`CascadeLayer::x_cascade_header`](crate::CascadeLayer::x_cascade_header).
    #[must_use]
    pub fn x_cascade_header(mut self, yes: bool) -> Self {
        Arc::make_mut(&mut self.options).x_cascade = yes;
        self
    }
}

impl<N: Clone, P> Clone for Cascade<N, P> {
    fn clone(&self) -> Self {
        Self {
            apps: self.apps.clone(),
            options: self.options.clone(),
        }
    }
}

impl<N, P, B> Service<Request<B>> for Cascade<N, P>
where
    N: Chain<B, P> + Clone,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<N::Body>;
    type Error = N::Error;
    type Future = N::Future;

    /// Always ready. Which apps a request will need is not known before it is there, and a readiness
    /// that is taken and not used would hold a permit; so each app is made ready when its turn comes.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let run = Run::new(request, self.options.clone());
        self.apps.clone().start(run)
    }
}
