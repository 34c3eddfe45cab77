use std::task::{Context, Poll};

use http::Request;
use tower_service::Service;

use crate::{Environ, environ::Entry};

/// The service that [`EnvironLayer`](crate::EnvironLayer) makes.
#[derive(Clone, Debug)]
pub struct WithEnviron<S> {
    pub(crate) inner: S,
    pub(crate) entry: Entry,
}

impl<S, B> Service<Request<B>> for WithEnviron<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    // Only the request changes, so the inner future is the future.
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request
            .extensions_mut()
            .get_or_insert_default::<Environ>()
            .put(self.entry.clone());
        self.inner.call(request)
    }
}
