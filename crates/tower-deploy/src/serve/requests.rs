use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::Request;
use hyper::body::Incoming;
use tower::{ServiceExt, util::Oneshot};
use tower_origin::PeerAddr;
use tower_service::Service;

use super::request_body::timed;
use crate::Body;

/// What answers the requests of one connection.
pub(super) struct Requests<S> {
    pub(super) app: S,
    pub(super) peer: Option<PeerAddr>,
    pub(super) body_timeout: Duration,
    /// Set by the first request.
    pub(super) spoke: Arc<AtomicBool>,
}

impl<S> hyper::service::Service<Request<Incoming>> for Requests<S>
where
    S: Service<Request<Body>> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Oneshot<S, Request<Body>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.spoke.store(true, Ordering::Relaxed);
        let mut request = request.map(|body| timed(body, self.body_timeout));
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        // Each request has a clone of its own, made ready and then called: hyper knows no readiness, and requests of
        // HTTP/2 run side by side.
        self.app.clone().oneshot(request)
    }
}
