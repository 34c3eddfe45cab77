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
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower_origin::PeerAddr;
use tower_service::Service;

use super::{
    content::{Asked, ResponseBody},
    request_body::timed,
    request_head::refusal,
};
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
    B: http_body::Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<B>>;
    type Error = BoxError;
    type Future = Answer<S>;

    fn call(&self, request: Request<Incoming>) -> Answer<S> {
        self.spoke.store(true, Ordering::Relaxed);
        Answer {
            asked: Asked::by(&request),
            state: match refusal(&request) {
                Some(status) => State::Refused { status },
                None => self.begin(request),
            },
        }
    }
}

impl<S> Requests<S>
where
    S: Service<Request<Body>, Error: Into<BoxError>> + Clone,
{
    fn begin(&self, request: Request<Incoming>) -> State<S> {
        let mut request = request.map(|body| timed(body, self.body_timeout));
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        // Each request has a clone of its own, made ready and then called: hyper knows no readiness, and what the clone has taken for
        // itself, a permit, say, is given back with it if the call does not use it.
        let mut app = self.app.clone();
        if request.version() == Version::HTTP_2 {
            // Requests run side by side, each called by its own task.
            return State::waiting(app, request);
        }
        // At once, if it is ready, which spares it the way into the future and out of it. If not, it is asked again when it is known
        // who is to be woken.
        match app.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => State::Called {
                future: app.call(request),
            },
            Poll::Ready(Err(error)) => State::Failed {
                error: Some(error.into()),
            },
            Poll::Pending => State::waiting(app, request),
        }
    }
}

pin_project! {
    /// The future of one response. Every response passes it on its way to hyper.
    pub(super) struct Answer<S>
    where
        S: Service<Request<Body>>,
    {
        asked: Asked,
        #[pin]
        state: State<S>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S>
    where
        S: Service<Request<Body>>,
    {
        Called { #[pin] future: S::Future },
        Waiting { app: S, request: Option<Request<Body>> },
        Failed { error: Option<BoxError> },
        Refused { status: StatusCode },
    }
}

impl<S: Service<Request<Body>>> State<S> {
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
    B: http_body::Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let future = match this.state.as_mut().project() {
                StateProj::Called { future } => {
                    return match ready!(future.poll(cx)) {
                        Ok(response) => Poll::Ready(Ok(this.asked.fit(response))),
                        Err(error) => Poll::Ready(Err(error.into())),
                    };
                }
                StateProj::Waiting { app, request } => {
                    ready!(app.poll_ready(cx)).map_err(Into::into)?;
                    app.call(request.take().expect("`Waiting` is left with its request"))
                }
                StateProj::Failed { error } => {
                    let error = error.take();
                    return Poll::Ready(Err(error.expect("polled after completion")));
                }
                StateProj::Refused { status } => {
                    return Poll::Ready(Ok(this.asked.refuse(*status)));
                }
            };
            this.state.set(State::Called { future });
        }
    }
}
