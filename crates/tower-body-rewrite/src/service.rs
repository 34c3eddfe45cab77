use std::{
    fmt,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    EmptyBody, ResponseBody, ResponseFuture, RewriteLayer, Rewriter, asked::Asked, future::Again,
};

/// The service that [`RewriteLayer`] and [`PrefixLayer`](crate::PrefixLayer) make.
///
/// The inner service may be called twice for a request, the second time without content. So it must
/// be `Clone`, and the request's body must be an [`EmptyBody`]. A clone is made ready for the
/// second call.
///
/// Its readiness and its errors are those of the inner service.
pub struct Rewrite<S, R> {
    pub(crate) inner: S,
    pub(crate) layer: RewriteLayer<R>,
}

impl<S, R, ReqBody, ResBody> Service<Request<ReqBody>> for Rewrite<S, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ReqBody: EmptyBody,
    ResBody: Body<Data = Bytes>,
    R: Rewriter,
{
    type Response = Response<ResponseBody<ResBody, R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let mut asked = Asked::read(&self.layer.options, &mut request);
        let again = match &mut asked {
            Some(asked) if asked.has_conditions() => again(&self.inner, asked, &mut request),
            _ => None,
        };
        ResponseFuture::new(self.inner.call(request), asked, again)
    }
}

/// Returns the second call, if there may be one.
// Apart, so that the head of a second call is not a part of every call (`stack/five-layers`).
#[cold]
#[inline(never)]
fn again<S: Clone, R, B: EmptyBody>(
    inner: &S,
    asked: &mut Asked<R>,
    request: &mut Request<B>,
) -> Option<Box<Again<S, B>>> {
    let head = asked.read_conditions(request)?;
    Some(Again::new(inner.clone(), head))
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
