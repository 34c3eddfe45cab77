use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{ResponseBody, ResponseFuture, state::Lease};

/// The service that [`Running::service`](crate::Running::service) returns.
///
/// Its readiness and its errors are those of the inner service. While the process does not accept
/// connections, requests wait for the [`queue_timeout`](crate::Process::queue_timeout). Then the
/// response is a 503 with `Retry-After`, a [`Rejection`](tower_kit::Rejection) whose reason is a
/// [`ProcessError`](crate::ProcessError).
///
/// A clone costs a reference count and a clone of the inner service.
#[derive(Clone)]
pub struct WithProcess<S> {
    pub(crate) inner: S,
    pub(crate) lease: Arc<Lease>,
    pub(crate) queue_timeout: Duration,
}

impl<S, B, ResBody> Service<Request<B>> for WithProcess<S>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
    ResBody: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.lease.shared.is_ready() {
            return ResponseFuture::called(self.inner.call(request), &self.lease);
        }
        // The instance that was made ready waits with the request.
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        ResponseFuture::waiting(inner, request, &self.lease, self.queue_timeout)
    }
}

impl<S: fmt::Debug> fmt::Debug for WithProcess<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithProcess")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
