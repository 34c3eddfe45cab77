use std::{
    convert::Infallible,
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    BoxError, ExceptionLayer, Phase, ResponseBody, ResponseFuture,
    guard::{catch, discard},
    incident::Cause,
};

/// The service that [`ExceptionLayer`] makes. It never fails.
pub struct Exception<S> {
    pub(crate) inner: S,
    /// Takes the place of an `inner` that has failed: such a service must not be used again. It is shared, so
    /// that a clone of the whole clones one service and not two.
    pub(crate) original: Arc<S>,
    pub(crate) layer: ExceptionLayer,
    /// Why the service could not be made ready. The next call answers with it.
    pub(crate) failed: Option<Cause>,
}

impl<S: Clone> Exception<S> {
    fn renew(&mut self) {
        discard(mem::replace(&mut self.inner, S::clone(&self.original)));
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Exception<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error: Into<BoxError>> + Clone,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future>;

    /// Forwards readiness, but for its error: since there is none to give, that waits for the call, where
    /// there is a client to answer to.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.failed.is_some() {
            return Poll::Ready(Ok(()));
        }
        let cause = match catch(|| self.inner.poll_ready(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(()))) => return Poll::Ready(Ok(())),
            Ok(Poll::Ready(Err(error))) => Cause::Error(error.into()),
            Err(panic) => Cause::Panic(panic),
        };
        self.failed = Some(cause);
        self.renew();
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let watch = self.layer.watch(&request);
        if let Some(cause) = self.failed.take() {
            return ResponseFuture::failed(watch.incident(Phase::Ready, cause));
        }
        match catch(|| self.inner.call(request)) {
            Ok(future) => ResponseFuture::running(future, watch),
            Err(panic) => {
                self.renew();
                ResponseFuture::failed(watch.incident(Phase::Call, Cause::Panic(panic)))
            }
        }
    }
}

/// A clone is made ready by itself, so a failure of this one's is not its.
impl<S: Clone> Clone for Exception<S> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            original: self.original.clone(),
            layer: self.layer.clone(),
            failed: None,
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Exception<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exception")
            .field("inner", &self.inner)
            .field("failed", &self.failed.is_some())
            .finish_non_exhaustive()
    }
}
