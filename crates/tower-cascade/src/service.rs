use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Either;
use tower_kit::EitherBody;
use tower_service::Service;

use crate::{BoxError, ReplayBody, ResponseFuture, future::Run, layer::Options};

/// A service that tries services in turn: some of one type, and then a last one.
///
/// Each of them is a service for requests with a [`ReplayBody`], and is cloned for a request when its
/// turn comes. [`CascadeLayer`](crate::CascadeLayer) makes it, or [`new`](Self::new).
///
/// A clone is one reference count, so all services are `Sync` where a cascade goes from thread to
/// thread.
pub struct Cascade<A, S> {
    shared: Arc<Shared<A, S>>,
}

/// The services and the options.
#[derive(Debug)]
pub(crate) struct Shared<A, S> {
    pub(crate) firsts: Box<[A]>,
    /// `None` is that of an empty list.
    pub(crate) last: Option<S>,
    pub(crate) options: Options,
}

impl<A> Cascade<A, A> {
    /// Returns a service that tries services of one type in turn. The response of the last one is
    /// returned, whatever its status. An empty list responds with 404.
    ///
    /// For a list with options, see [`CascadeLayer::list`](crate::CascadeLayer::list).
    pub fn new(services: impl IntoIterator<Item = A>) -> Self {
        crate::CascadeLayer::list(services).service()
    }
}

impl<A, S> Cascade<A, S> {
    pub(crate) fn of(firsts: Vec<A>, last: Option<S>, options: Options) -> Self {
        if let Some(error) = options.rule.contradiction() {
            panic!("{error}");
        }
        let shared = Shared {
            firsts: firsts.into(),
            last,
            options,
        };
        Self {
            shared: Arc::new(shared),
        }
    }
}

impl<A, S> Clone for Cascade<A, S> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<A: fmt::Debug, S: fmt::Debug> fmt::Debug for Cascade<A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cascade")
            .field("firsts", &self.shared.firsts)
            .field("last", &self.shared.last)
            .field("options", &self.shared.options)
            .finish()
    }
}

impl<A, S, B, BodyA, BodyS> Service<Request<B>> for Cascade<A, S>
where
    A: Service<Request<ReplayBody<B>>, Response = Response<BodyA>, Error: Into<S::Error>> + Clone,
    S: Service<Request<ReplayBody<B>>, Response = Response<BodyS>, Error: 'static> + Clone,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    BodyA: Body<Data = Bytes, Error: Into<BoxError>>,
    BodyS: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<EitherBody<Either<BodyA, BodyS>>>;
    type Error = S::Error;
    type Future = ResponseFuture<A, S, B>;

    /// Always ready. Which services a request will need is not known before it is there, and a
    /// readiness that is taken and not used would hold a permit; so each service is made ready when
    /// its turn comes.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        ResponseFuture::new(Run::new(request, self.shared.clone()))
    }
}
