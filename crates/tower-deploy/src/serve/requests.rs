use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    TryFutureExt,
    future::{self, ErrInto, MapOk, Ready},
};
use http::{Request, Response, StatusCode, Version, header::HOST};
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use tower::{ServiceExt, util::Oneshot};
use tower_origin::PeerAddr;
use tower_service::Service;

use super::request_body::timed;
use crate::{Body, BoxError};

/// What answers the requests of one connection.
pub(super) struct Requests<S> {
    pub(super) app: S,
    pub(super) peer: Option<PeerAddr>,
    pub(super) body_timeout: Duration,
    /// Set by the first request.
    pub(super) spoke: Arc<AtomicBool>,
}

type Answer<B> = Response<Either<B, Empty<Bytes>>>;

impl<S, B> hyper::service::Service<Request<Incoming>> for Requests<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
{
    type Response = Answer<B>;
    type Error = BoxError;
    type Future = future::Either<
        MapOk<ErrInto<Oneshot<S, Request<Body>>, BoxError>, fn(Response<B>) -> Answer<B>>,
        Ready<Result<Answer<B>, BoxError>>,
    >;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.spoke.store(true, Ordering::Relaxed);
        if !has_host(&request) {
            let mut refused = Response::new(Either::Right(Empty::new()));
            *refused.status_mut() = StatusCode::BAD_REQUEST;
            return future::Either::Right(future::ready(Ok(refused)));
        }
        let mut request = request.map(|body| timed(body, self.body_timeout));
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        // Each request has a clone of its own, made ready and then called: hyper knows no readiness, and requests of
        // HTTP/2 run side by side.
        let answer = self.app.clone().oneshot(request).err_into();
        future::Either::Left(answer.map_ok(|response| response.map(Either::Left)))
    }
}

/// Whether it says once which host is asked for, as HTTP/1.1 has to (RFC 9112, section 3.2). Who sees one and who sees the other would
/// otherwise not agree.
fn has_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (first, more) = (hosts.next(), hosts.next());
    more.is_none() && (first.is_some() || request.version() != Version::HTTP_11)
}
