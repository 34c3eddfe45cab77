use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::{
    ResponseBody, RewriteLayer, Rewriter,
    eligible::{Eligible, RequestMethod},
    headers::remove_stale_headers,
};

pin_project! {
    /// The future of [`Rewrite`](crate::Rewrite).
    pub struct ResponseFuture<F, R> {
        #[pin]
        pub(crate) inner: F,
        pub(crate) layer: RewriteLayer<R>,
        pub(crate) method: RequestMethod,
    }
}

impl<F, R, B, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes>,
    R: Rewriter,
{
    type Output = Result<Response<ResponseBody<B, R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (mut parts, body) = ready!(this.inner.poll(cx))?.into_parts();
        let body = match this.layer.choose(*this.method, &parts) {
            None => ResponseBody::untouched(body),
            Some((_, Eligible::HeadersOnly)) => {
                remove_stale_headers(&mut parts.headers);
                ResponseBody::withheld(body)
            }
            Some((rewriter, _)) => {
                remove_stale_headers(&mut parts.headers);
                ResponseBody::rewritten(body, rewriter)
            }
        };
        Poll::Ready(Ok(Response::from_parts(parts, body)))
    }
}

impl<F, R> fmt::Debug for ResponseFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
