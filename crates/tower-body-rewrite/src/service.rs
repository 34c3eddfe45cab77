use std::{
    fmt,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{ResponseBody, ResponseFuture, RewriteLayer, Rewriter, eligible::RequestMethod};

/// The service that [`RewriteLayer`] and [`PrefixLayer`](crate::PrefixLayer) make.
pub struct Rewrite<S, R> {
    pub(crate) inner: S,
    pub(crate) layer: RewriteLayer<R>,
}

impl<S, R, ReqBody, ResBody> Service<Request<ReqBody>> for Rewrite<S, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body<Data = Bytes>,
    R: Rewriter,
{
    type Response = Response<ResponseBody<ResBody, R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let method = RequestMethod::from(request.method());
        ResponseFuture {
            inner: self.inner.call(request),
            layer: self.layer.clone(),
            method,
        }
    }
}

impl<S: Clone, R> Clone for Rewrite<S, R> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            layer: self.layer.clone(),
        }
    }
}

impl<S: fmt::Debug, R> fmt::Debug for Rewrite<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewrite")
            .field("inner", &self.inner)
            .field("layer", &self.layer)
            .finish()
    }
}
