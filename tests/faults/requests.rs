//! Counts the requests by which the server hands out its service, and so without its access log.

use std::{
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use tower::Service;

use crate::site::Counts;

/// A service of the server (0), of a connection (1), or of a request (2): each is a clone of the
/// one before.
pub(crate) struct PerRequest<S> {
    inner: S,
    depth: u8,
    counts: Arc<Counts>,
}

impl<S> PerRequest<S> {
    pub(crate) fn new(inner: S, counts: &Arc<Counts>) -> Self {
        Self {
            inner,
            depth: 0,
            counts: Arc::clone(counts),
        }
    }
}

impl<S: Clone> Clone for PerRequest<S> {
    fn clone(&self) -> Self {
        let depth = self.depth + 1;
        if depth == 2 {
            self.counts.requests.fetch_add(1, Ordering::Relaxed);
        }
        Self {
            inner: self.inner.clone(),
            depth,
            counts: Arc::clone(&self.counts),
        }
    }
}

impl<S: Service<Request>, Request> Service<Request> for PerRequest<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> S::Future {
        self.inner.call(request)
    }
}
