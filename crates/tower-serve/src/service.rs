use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::Body as _;
use http_body_util::Full;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower::BoxError;
use tower_kit::EitherBody;
use tower_origin::PeerAddr;
use tower_service::Service;

use crate::{
    access_log::{OpenLog, Record},
    activity::{Activity, Open},
    content::{ResponseBody, ResponseRules, close},
    fault::Fault,
    linger::Patience,
    open_body::OpenBody,
    request_body::RequestBody,
    request_head, streams,
};

/// The service of one connection, as hyper calls it.
pub(crate) struct ConnectionService<S> {
    pub(crate) inner: S,
    pub(crate) peer: Option<PeerAddr>,
    pub(crate) body_timeout: Duration,
    pub(crate) lingering: Patience,
    pub(crate) activity: Arc<Activity>,
    pub(crate) log: Option<OpenLog>,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for ConnectionService<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: http_body::Body<Data = Bytes>,
{
    type Response = Response<OpenBody<ResponseBody<B>>>;
    type Error = BoxError;
    type Future = ResponseFuture<S>;

    fn call(&self, mut request: Request<Incoming>) -> ResponseFuture<S> {
        let has_content = !request.body().is_end_stream();
        self.activity.request_came(has_content, request.version());
        if has_content && request_head::expects_100(&request) {
            self.activity.content_is_awaited(true);
        }
        let record = self
            .log
            .as_ref()
            .map(|log| Record::begin(log, &self.activity, self.peer, &mut request));
        ResponseFuture {
            record,
            open: Some(Open::new(&self.activity)),
            rules: ResponseRules::of(&request),
            state: match request_head::fault(&request, has_content) {
                Some(fault) => State::rejected(&request, fault),
                None => self.begin(request),
            },
        }
    }
}

impl<S> ConnectionService<S>
where
    S: Service<Request<RequestBody>, Error: Into<BoxError>> + Clone,
{
    fn begin(&self, request: Request<Incoming>) -> State<S> {
        let reads_on = request.version() == Version::HTTP_2 && self.lingering.bytes > 0;
        let patience = reads_on.then_some(self.lingering);
        let open = || Open::new(&self.activity);
        let mut request =
            request.map(|body| RequestBody::new(body, self.body_timeout, open, patience));
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        // Each request has a clone of its own, since hyper knows no readiness. What the clone has
        // reserved, such as a permit, is released with it if the call does not use it.
        let inner = self.inner.clone();
        match request.version() {
            // Requests run side by side, and each task calls the service for its own.
            Version::HTTP_2 => State::NotCalled {
                call: Some((inner, request)),
            },
            _ => State::call(inner, request),
        }
    }
}

pin_project! {
    /// The future of one response. Every response passes it on the way to hyper.
    pub(crate) struct ResponseFuture<S>
    where
        S: Service<Request<RequestBody>>,
    {
        record: Option<Box<Record>>,
        // `None` after the response is there.
        open: Option<Open>,
        rules: ResponseRules,
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
        NotCalled { call: Option<(S, Request<RequestBody>)> },
        Called { #[pin] future: S::Future },
        // The three states are those of tower-kit's `Attempt`, whose error need not be `Send`. That
        // of a service with another error would move each response once more
        // (`stack/five-layers` over a socket).
        Waiting { call: Box<(S, Option<Request<RequestBody>>)> },
        Failed { error: Option<BoxError> },
        // In a box, since all requests move this.
        Rejected { response: Option<Box<Response<Full<Bytes>>>> },
    }
}

impl<S: Service<Request<RequestBody>, Error: Into<BoxError>>> State<S> {
    /// Calls the service at once if it is ready, and otherwise when it is.
    fn call(mut inner: S, request: Request<RequestBody>) -> Self {
        // The task to wake is known when the future is polled. Then the service is polled again.
        match inner.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Self::Called {
                future: inner.call(request),
            },
            Poll::Ready(Err(error)) => Self::Failed {
                error: Some(error.into()),
            },
            Poll::Pending => Self::Waiting {
                call: Box::new((inner, Some(request))),
            },
        }
    }

    /// Returns the state of a request that is rejected. Over HTTP/1 the connection is closed after
    /// the response, because the bytes that follow may be no request.
    fn rejected<B>(request: &Request<B>, fault: Fault) -> Self {
        let mut response = fault.rejection().response_for(request);
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
    type Output = Result<Response<OpenBody<ResponseBody<B>>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut response = loop {
            let next = match this.state.as_mut().project() {
                StateProj::NotCalled { call } => {
                    let (inner, request) = call.take().expect("polled after a panic");
                    State::call(inner, request)
                }
                StateProj::Waiting { call } => {
                    let (inner, request) = &mut **call;
                    match ready!(inner.poll_ready(cx)) {
                        Ok(()) => State::Called {
                            future: inner.call(request.take().expect("polled after a panic")),
                        },
                        Err(error) => State::Failed {
                            error: Some(error.into()),
                        },
                    }
                }
                StateProj::Called { future } => match ready!(future.poll(cx)) {
                    Ok(response) => break this.rules.fit(response),
                    Err(error) => State::Failed {
                        error: Some(error.into()),
                    },
                },
                StateProj::Failed { error } => {
                    if let Some(record) = this.record {
                        record.failed();
                    }
                    return Poll::Ready(Err(error.take().expect("polled after completion")));
                }
                StateProj::Rejected { response } => {
                    let response = response.take().expect("polled after completion");
                    let response = response.map(EitherBody::own);
                    break this.rules.strip(response);
                }
            };
            this.state.set(next);
        };
        let open = this.open.take().expect("polled after completion");
        if open.activity().closes_after_response() {
            close(response.headers_mut());
        }
        if this.rules.opens_tunnel(response.status()) {
            open.activity().becomes_tunnel();
            if open.activity().is_http_2() {
                streams::opens_tunnel(open.clone());
            }
        }
        if let Some(departures) = open.activity().departures()
            && let Some(leaving) = departures.leaves()
        {
            streams::leaves(leaving);
        }
        let mut record = this.record.take();
        if let Some(record) = &mut record {
            record.has_response(&response);
            if this.rules.has_no_content(response.status()) {
                record.completed();
            }
        }
        Poll::Ready(Ok(response.map(|body| OpenBody::new(body, open, record))))
    }
}
