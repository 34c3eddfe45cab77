use std::{
    error::Error,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_kit::EitherBody;
use tower_service::Service;

use crate::{ResponseFuture, kept::Kept, rule::Rules};

/// The service of [`ErrorDocumentLayer`](crate::ErrorDocumentLayer).
#[derive(Clone, Debug)]
pub struct ErrorDocument<S> {
    pub(crate) inner: S,
    pub(crate) rules: Arc<Rules>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for ErrorDocument<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<EitherBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    /// The inner service is ready, and is called with this readiness. Documents are made ready when
    /// they are needed.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let kept = Kept::of(&request, &self.rules);
        ResponseFuture::new(kept, || self.inner.call(request))
    }
}
