//! The service: readiness and calls under guard, and a fresh clone after a failure.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    watch::Watch,
};

/// The service that [`ExceptionLayer`] makes. It never fails.
///
/// ```
/// use axum::Router;
/// use tower::Layer;
/// use tower_exception::{Exception, ExceptionLayer, to_stderr};
///
/// let app: Exception<Router> = ExceptionLayer::production(to_stderr).layer(Router::new());
/// ```
pub struct Exception<S> {
    /// `None` after a failure: a service that has failed must not be used again.
    pub(crate) inner: Option<S>,
    pub(crate) shared: Arc<Shared<S>>,
    /// The failure of the service to become ready. The next call responds with it.
    pub(crate) failed: Option<Failed>,
}

/// The failure of a service to become ready.
pub(crate) struct Failed {
    cause: Cause,
    /// Whether this is the cause of the original of a clone. A caller that does not make the clone
    /// ready gets it; one that does tries again.
    is_inherited: bool,
}

/// The part that all clones of a service share, so that a clone costs one clone of the inner
/// service and not two.
pub(crate) struct Shared<S> {
    /// The service that a fresh inner service is cloned from. The lock is taken only after a
    /// failure, and makes it `Sync`.
    pub(crate) original: Mutex<S>,
    pub(crate) layer: ExceptionLayer,
}

/// User code's `Clone` may have panicked under the lock, which does not change the service.
fn lock<S>(original: &Mutex<S>) -> MutexGuard<'_, S> {
    original.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Exception<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error: Into<BoxError>> + Clone,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future>;

    /// Forwards readiness. An error waits for the call, where there is a client to respond to.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if let Some(failed) = &self.failed
            && !failed.is_inherited
        {
            return Poll::Ready(Ok(()));
        }
        let polled = catch(|| {
            let inner = self
                .inner
                .get_or_insert_with(|| lock(&self.shared.original).clone());
            inner.poll_ready(cx).map_err(Into::into)
        });
        let cause = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(()))) => {
                self.failed = None;
                return Poll::Ready(Ok(()));
            }
            Ok(Poll::Ready(Err(error))) => Cause::from(error),
            Err(panic) => panic.into(),
        };
        self.failed = Some(Failed {
            cause,
            is_inherited: false,
        });
        discard(self.inner.take());
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let watch = self.shared.layer.watch(&mut request);
        let Some(inner) = &mut self.inner else {
            return self.not_ready(&watch);
        };
        // The guard borrows the request, because one that it owns is moved twice more
        // (`stack/five-layers`).
        let mut request = Some(request);
        match catch(|| inner.call(request.take().expect("it is called once"))) {
            Ok(future) => ResponseFuture::running(future, watch),
            Err(panic) => {
                let cause = Cause::from(panic);
                discard(self.inner.take());
                ResponseFuture::failed(Phase::Call, cause, &watch)
            }
        }
    }
}

impl<S> Exception<S> {
    #[cold]
    fn not_ready<F>(&mut self, watch: &Watch) -> ResponseFuture<F> {
        let cause = match self.failed.take() {
            Some(failed) => failed.cause,
            None => BoxError::from(NotReady).into(),
        };
        ResponseFuture::failed(Phase::Ready, cause, watch)
    }
}

/// A service was called that had failed, and that was not made ready after that.
#[derive(Debug)]
struct NotReady;

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the service was called before it was ready")
    }
}

impl Error for NotReady {}

/// A clone is made ready by itself, so a failure of its original is not its own. Some callers call
/// a clone that was never polled, instead of the service that was (axum's `from_extractor`): they
/// get the failure.
impl<S: Clone> Clone for Exception<S> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: self.shared.clone(),
            failed: self.failed.as_ref().map(|failed| Failed {
                cause: failed.cause.clone(),
                is_inherited: true,
            }),
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
