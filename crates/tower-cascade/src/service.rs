use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    BoxError,
    chain::{Chain, Run},
    list::List,
    options::{ErrorsEnd, Options},
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
    /// it is 404. What there is to say of it is said with [`CascadeLayer::list`](crate::CascadeLayer::list). To go from thread to thread the list asks for apps that are `Sync`, too: of boxed ones for
    /// `BoxCloneSyncService`.
    pub fn new(apps: impl IntoIterator<Item = A>) -> Self {
        Self {
            apps: apps.into_iter().collect(),
            options: Arc::default(),
        }
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

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let run = Run::new(request, self.options.clone());
        self.apps.clone().start(run)
    }
}
