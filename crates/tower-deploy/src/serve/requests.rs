use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version, header::HOST};
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
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

impl<S, B> hyper::service::Service<Request<Incoming>> for Requests<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
{
    type Response = Response<Either<B, Empty<Bytes>>>;
    type Error = BoxError;
    type Future = Answer<S>;

    fn call(&self, request: Request<Incoming>) -> Answer<S> {
        self.spoke.store(true, Ordering::Relaxed);
        if !has_host(&request) {
            return Answer::Refused;
        }
        let mut request = request.map(|body| timed(body, self.body_timeout));
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        // Each request has a clone of its own, made ready and then called: hyper knows no readiness, and what the clone has taken for
        // itself, a permit, say, is given back with it if the call does not use it.
        let mut app = self.app.clone();
        if request.version() == Version::HTTP_2 {
            // Requests run side by side, each called by its own task.
            return Answer::waiting(app, request);
        }
        // At once, if it is ready, which spares it the way into the future and out of it. If not, it is asked again when it is known
        // who is to be woken.
        match app.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Answer::Called {
                future: app.call(request),
            },
            Poll::Ready(Err(error)) => Answer::Failed {
                error: Some(error.into()),
            },
            Poll::Pending => Answer::waiting(app, request),
        }
    }
}

pin_project! {
    /// The answer to one request.
    #[project = AnswerProj]
    pub(super) enum Answer<S>
    where
        S: Service<Request<Body>>,
    {
        Called { #[pin] future: S::Future },
        Waiting { app: S, request: Option<Request<Body>> },
        Failed { error: Option<BoxError> },
        Refused,
    }
}

impl<S: Service<Request<Body>>> Answer<S> {
    /// It is called when it is ready.
    fn waiting(app: S, request: Request<Body>) -> Self {
        Self::Waiting {
            app,
            request: Some(request),
        }
    }
}

impl<S, B> Future for Answer<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
{
    type Output = Result<Response<Either<B, Empty<Bytes>>>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let future = match self.as_mut().project() {
                AnswerProj::Called { future } => {
                    return match ready!(future.poll(cx)) {
                        Ok(response) => Poll::Ready(Ok(response.map(Either::Left))),
                        Err(error) => Poll::Ready(Err(error.into())),
                    };
                }
                AnswerProj::Waiting { app, request } => {
                    ready!(app.poll_ready(cx)).map_err(Into::into)?;
                    app.call(request.take().expect("`Waiting` is left with its request"))
                }
                AnswerProj::Failed { error } => {
                    let error = error.take();
                    return Poll::Ready(Err(error.expect("an answer is given once")));
                }
                AnswerProj::Refused => {
                    let mut refused = Response::new(Either::Right(Empty::new()));
                    *refused.status_mut() = StatusCode::BAD_REQUEST;
                    return Poll::Ready(Ok(refused));
                }
            };
            self.set(Self::Called { future });
        }
    }
}

/// Whether it says once which host is asked for, as HTTP/1.1 has to (RFC 9112, section 3.2). Who sees one and who sees the other would
/// otherwise not agree.
fn has_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (first, more) = (hosts.next(), hosts.next());
    more.is_none() && (first.is_some() || request.version() != Version::HTTP_11)
}
