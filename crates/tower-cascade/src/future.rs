use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
    request::Parts,
};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    BoxError, Cascade, ReplayBody, ReplayLimitExceeded, ResponseBody,
    attempt::Attempt,
    replay::Recorder,
    statuses::{self, Statuses},
};

pin_project! {
    /// The future of [`Cascade`].
    pub struct ResponseFuture<A, S, B>
    where
        A: Service<Request<ReplayBody<B>>>,
        S: Service<Request<ReplayBody<B>>>,
    {
        #[pin]
        state: State<A, S, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<A, S, B>
    where
        A: Service<Request<ReplayBody<B>>>,
        S: Service<Request<ReplayBody<B>>>,
    {
        First { #[pin] attempt: Attempt<A, B>, next: Option<Next<S, B>> },
        Last {
            #[pin]
            attempt: Attempt<S, B>,
            // The `Allow` of a 405 that was discarded.
            allow: Vec<HeaderValue>,
        },
    }
}

/// What the next app's turn takes: the app, and the request as it came.
struct Next<S, B> {
    app: S,
    parts: Parts,
    recorder: Recorder<B>,
    statuses: Statuses,
}

impl<A, S, B> ResponseFuture<A, S, B>
where
    A: Service<Request<ReplayBody<B>>> + Clone,
    S: Service<Request<ReplayBody<B>>> + Clone,
    B: Body,
{
    pub(crate) fn first(cascade: &Cascade<A, S>, parts: Parts, body: B) -> Self {
        let (body, recorder) = ReplayBody::recorded(body, cascade.first.replay_limit);
        let request = Request::from_parts(parts.clone(), body);
        let next = Next {
            app: cascade.inner.clone(),
            parts,
            recorder,
            statuses: cascade.first.statuses.clone(),
        };
        Self {
            state: State::First {
                attempt: Attempt::new(cascade.first.app.clone(), request),
                next: Some(next),
            },
        }
    }

    pub(crate) fn last(app: S, request: Request<ReplayBody<B>>) -> Self {
        let attempt = Attempt::new(app, request);
        Self {
            state: State::Last {
                attempt,
                allow: Vec::new(),
            },
        }
    }
}

impl<A, S, B, BodyA, BodyS> Future for ResponseFuture<A, S, B>
where
    A: Service<Request<ReplayBody<B>>, Response = Response<BodyA>, Error: Into<S::Error>>,
    S: Service<Request<ReplayBody<B>>, Response = Response<BodyS>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Output = Result<Response<ResponseBody<BodyA, BodyS>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::First { attempt, next } => {
                    // Dropping `next` on the way out, whatever the way, ends the recording.
                    let answer = ready!(attempt.poll(cx));
                    let next = next.take().expect("`First` is left once it has its answer");
                    let response = answer.map_err(Into::into)?;
                    let status = response.status();
                    if !next.statuses.move_on(&next.parts.method, status) {
                        return Poll::Ready(Ok(response.map(ResponseBody::first)));
                    }
                    let allow = match status {
                        StatusCode::METHOD_NOT_ALLOWED => {
                            response.headers().get_all(ALLOW).iter().cloned().collect()
                        }
                        _ => Vec::new(),
                    };
                    // Nothing else of it survives, and what it holds is free before the next app is called.
                    drop(response);
                    match next.recorder.replay() {
                        Ok(body) => {
                            let request = Request::from_parts(next.parts, body);
                            let attempt = Attempt::new(next.app, request);
                            state.set(State::Last { attempt, allow });
                        }
                        Err(exceeded) => {
                            let response = content_too_large(&next.parts.method, exceeded);
                            return Poll::Ready(Ok(response));
                        }
                    }
                }
                StateProj::Last { attempt, allow } => {
                    let mut response = ready!(attempt.poll(cx))?;
                    if response.status() == StatusCode::METHOD_NOT_ALLOWED && !allow.is_empty() {
                        statuses::unite_allow(response.headers_mut(), allow);
                    }
                    return Poll::Ready(Ok(response.map(ResponseBody::last)));
                }
            }
        }
    }
}

fn content_too_large<BodyA, BodyS>(
    to: &Method,
    exceeded: ReplayLimitExceeded,
) -> Response<ResponseBody<BodyA, BodyS>> {
    let text = match to {
        &Method::HEAD => String::new(),
        _ => format!("{exceeded}\n"),
    };
    let mut response = Response::new(ResponseBody::own(text));
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response.extensions_mut().insert(exceeded);
    response
}

impl<A, S, B> fmt::Debug for ResponseFuture<A, S, B>
where
    A: Service<Request<ReplayBody<B>>>,
    S: Service<Request<ReplayBody<B>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
