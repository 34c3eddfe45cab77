use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_kit::{EitherBody, EitherFuture};
use tower_service::Service;

use crate::{BadOrigin, peer, resolve::Rules, scheme, slot::OriginSlot};

/// The service that [`OriginLayer`](crate::OriginLayer) makes.
///
/// Its readiness and its errors are those of the inner service. Bodies pass unchanged.
#[derive(Clone, Debug)]
pub struct WithOrigin<S> {
    pub(crate) inner: S,
    pub(crate) rules: Arc<Rules>,
}

impl<S, B, ResBody> Service<Request<B>> for WithOrigin<S>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: Body<Data = Bytes>,
{
    type Response = Response<EitherBody<ResBody>>;
    type Error = S::Error;
    type Future = EitherFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match find(&self.rules, &mut request) {
            Ok(()) => {
                // The first one was lent. This one is not, so that the compiler leaves out further
                // copies: for `ratios` overhead/origin.
                let request = request;
                EitherFuture::inner(self.inner.call(request))
            }
            Err(reason) => EitherFuture::own(reason.rejection().response_for(&request)),
        }
    }
}

/// Finds the origin of a request and inserts it.
fn find<B>(rules: &Rules, request: &mut Request<B>) -> Result<(), Box<BadOrigin>> {
    let peer = peer::of(request.extensions());
    let scheme = scheme::of(request.extensions());
    let (uri, version, headers) = (request.uri(), request.version(), request.headers());
    let origin = rules.resolve(uri, version, headers, peer, scheme)?;
    if let Some(slot) = request.extensions().get::<OriginSlot>() {
        slot.fill(&origin);
    }
    request.extensions_mut().insert(origin);
    Ok(())
}
