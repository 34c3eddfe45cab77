use std::{
    fmt,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{ResponseBody, ResponseFuture, future::Facts, layer::Source};

/// The service of [`HooksLayer`](crate::HooksLayer).
#[derive(Clone)]
pub struct Hooks<S> {
    pub(crate) inner: S,
    pub(crate) hooks: Source,
    pub(crate) skips_after: bool,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Hooks<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let Some(hooks) = self.hooks.now() else {
            return ResponseFuture::bare(self.inner.call(request));
        };
        let facts = Facts::new(request.method(), self.skips_after);
        ResponseFuture::hooked(&hooks, &mut self.inner, request, facts)
    }
}

impl<S: fmt::Debug> fmt::Debug for Hooks<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
