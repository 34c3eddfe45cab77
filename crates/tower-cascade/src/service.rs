use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{BoxError, CascadeLayer, ReplayBody, ResponseBody, ResponseFuture};

/// The service that [`CascadeLayer`] makes.
#[derive(Clone, Debug)]
pub struct Cascade<A, S> {
    pub(crate) first: CascadeLayer<A>,
    pub(crate) inner: S,
}

impl<A, S, B, BodyA, BodyS> Service<Request<B>> for Cascade<A, S>
where
    A: Service<Request<ReplayBody<B>>, Response = Response<BodyA>, Error: Into<S::Error>> + Clone,
    S: Service<Request<ReplayBody<B>>, Response = Response<BodyS>> + Clone,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    BodyA: Body<Data = Bytes, Error: Into<BoxError>>,
    BodyS: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<ResponseBody<BodyA, BodyS>>;
    type Error = S::Error;
    type Future = ResponseFuture<A, S, B>;

    /// Always ready. Which apps a request will need is not known before it is there, and a readiness
    /// that is taken and not used would hold a permit; so each app is made ready when its turn comes.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let skipped = self
            .first
            .guard
            .as_ref()
            .is_some_and(|guard| !guard(&parts));
        if skipped {
            let request = Request::from_parts(parts, ReplayBody::original(body));
            ResponseFuture::last(self.inner.clone(), request)
        } else {
            ResponseFuture::first(self, parts, body)
        }
    }
}
