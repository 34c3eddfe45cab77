use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower::{BoxError, util::MapErr};
use tower_kit::{Attempt, EitherBody, Rejection};
use tower_origin::PeerAddr;
use tower_service::Service;

use crate::{
    content::{Asked, ResponseBody, close},
    reason::Reason,
    request_body::RequestBody,
    request_head::fault,
};

/// The service of one connection.
pub(crate) struct Requests<S> {
    pub(crate) app: S,
    pub(crate) peer: Option<PeerAddr>,
    pub(crate) body_timeout: Duration,
    /// Set by the first request.
    pub(crate) spoke: Arc<AtomicBool>,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Requests<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: http_body::Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<B>>;
    type Error = BoxError;
    type Future = ResponseFuture<S>;

    fn call(&self, request: Request<Incoming>) -> ResponseFuture<S> {
        self.spoke.store(true, Ordering::Relaxed);
        ResponseFuture {
            asked: Asked::by(&request),
            state: match fault(&request) {
                Some((status, reason)) => {
                    State::rejected(&request, Rejection::new(status, Reason(reason)))
                }
                None => self.begin(request),
            },
        }
    }
}

impl<S> Requests<S>
where
    S: Service<Request<RequestBody>, Error: Into<BoxError>> + Clone,
{
    fn begin(&self, request: Request<Incoming>) -> State<S> {
        let mut request = request.map(|body| RequestBody::new(body, self.body_timeout));
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        // Each request has a clone of its own, since hyper knows no readiness. What the clone has
        // reserved, such as a permit, is released with it if the call does not use it.
        let app = MapErr::new(self.app.clone(), Into::into as _);
        match request.version() {
            // Requests run side by side, each called by its own task.
            Version::HTTP_2 => State::NotCalled {
                call: Some((app, request)),
            },
            _ => State::Called {
                attempt: Attempt::new(app, request),
            },
        }
    }
}

/// The app with an error that is `Send`, which the future of its readiness holds.
type Boxed<S> = MapErr<S, fn(<S as Service<Request<RequestBody>>>::Error) -> BoxError>;

pin_project! {
    /// The future of one response. Every response passes it on its way to hyper.
    pub(crate) struct ResponseFuture<S>
    where
        S: Service<Request<RequestBody>>,
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
        S: Service<Request<RequestBody>>,
    {
        NotCalled { call: Option<(Boxed<S>, Request<RequestBody>)> },
        Called { #[pin] attempt: Attempt<Boxed<S>, Request<RequestBody>> },
        // In a box, since all requests move this.
        Rejected { response: Option<Box<Response<Full<Bytes>>>> },
    }
}

impl<S: Service<Request<RequestBody>>> State<S> {
    /// The connection is closed after the response: what comes next on it may be no request.
    fn rejected<B>(request: &Request<B>, rejection: Rejection) -> Self {
        let mut response = rejection.response_for(request);
        if request.version() != Version::HTTP_2 {
            close(response.headers_mut());
        }
        Self::Rejected {
            response: Some(Box::new(response)),
        }
    }
}

impl<S, B> Future for ResponseFuture<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let attempt = match this.state.as_mut().project() {
                StateProj::NotCalled { call } => {
                    let (app, request) = call.take().expect("polled after a panic");
                    Attempt::new(app, request)
                }
                StateProj::Called { attempt } => {
                    let response = ready!(attempt.poll(cx))?;
                    return Poll::Ready(Ok(this.asked.fit(response)));
                }
                StateProj::Rejected { response } => {
                    let response = response.take().expect("polled after completion");
                    let response = response.map(EitherBody::own);
                    return Poll::Ready(Ok(this.asked.strip(response)));
                }
            };
            this.state.set(State::Called { attempt });
        }
    }
}
