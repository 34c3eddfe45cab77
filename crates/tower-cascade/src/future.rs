//! A request's way along the services.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::ALLOW, request::Parts};
use http_body::Body;
use http_body_util::{Either, Full};
use pin_project_lite::pin_project;
use tower_kit::{Allow, Attempt, EitherBody, Rejection, status_of};
use tower_service::Service;

use crate::{
    BoxError, CascadeError, CascadeTrace, Final, Pass, ReplayBody, Tried, kept::Kept,
    layer::Options, replay::Replay, service::Shared,
};

pin_project! {
    /// The future of a [`Cascade`](crate::Cascade).
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
        Trying {
            #[pin] attempt: Attempt<A, Request<ReplayBody<B>>>,
            index: usize,
            run: Option<Run<A, S, B>>,
        },
        Last { #[pin] attempt: Attempt<S, Request<ReplayBody<B>>>, end: End<A, S> },
        // The list is empty. The response is in a box, since all requests move this.
        Rejected { response: Option<Box<Response<Full<Bytes>>>> },
        // Between two services: the future of the first is dropped before the next one is called.
        Over,
    }
}

impl<A, S, B> ResponseFuture<A, S, B>
where
    A: Service<Request<ReplayBody<B>>> + Clone,
    S: Service<Request<ReplayBody<B>>> + Clone,
    B: Body,
{
    #[inline]
    pub(crate) fn new(request: Request<B>, shared: Arc<Shared<A, S>>) -> Self {
        let (parts, body) = request.into_parts();
        let replay = Replay::new(body);
        let mut end = End {
            shared,
            notes: None,
        };
        let options = &end.shared.options;
        // Each state is made where it is returned, because it is large.
        if options.guards.allow(&parts) {
            let kept = Kept::new();
            let run = Run { kept, replay, end };
            return Self {
                state: turn(0, parts, run),
            };
        }
        if options.trace {
            let skipped = end.shared.firsts.iter().map(|_| Tried::Skipped);
            let skipped = skipped.collect();
            end.notes.get_or_insert_default().tried = skipped;
        }
        Self {
            state: last(parts, replay, end),
        }
    }
}

/// Returns the turn of the service with this index.
#[inline]
fn turn<A, S, B>(index: usize, parts: Parts, mut run: Run<A, S, B>) -> State<A, S, B>
where
    A: Service<Request<ReplayBody<B>>> + Clone,
    S: Service<Request<ReplayBody<B>>> + Clone,
    B: Body,
{
    let Some(service) = run.end.shared.firsts.get(index).cloned() else {
        return last(parts, run.replay, run.end);
    };
    let body = run.keep(index, &parts);
    State::Trying {
        attempt: Attempt::new(service, Request::from_parts(parts, body)),
        index,
        run: Some(run),
    }
}

/// Returns the turn of the service that no other follows.
#[inline]
fn last<A, S, B>(parts: Parts, replay: Replay<B>, mut end: End<A, S>) -> State<A, S, B>
where
    A: Service<Request<ReplayBody<B>>>,
    S: Service<Request<ReplayBody<B>>> + Clone,
    B: Body,
{
    let Some(service) = end.shared.last.clone() else {
        // DIFFERENCE: Paste raises an error.
        let response = Rejection::new(StatusCode::NOT_FOUND, CascadeError::NoServices)
            .with_detail("no service responds here")
            .response_for(&parts);
        let response = Some(Box::new(end.finish(response)));
        return State::Rejected { response };
    };
    State::Last {
        attempt: Attempt::new(service, Request::from_parts(parts, replay.last())),
        end,
    }
}

impl<A, S, B, BodyA, BodyS> Future for ResponseFuture<A, S, B>
where
    A: Service<Request<ReplayBody<B>>, Response = Response<BodyA>, Error: Into<S::Error>> + Clone,
    S: Service<Request<ReplayBody<B>>, Response = Response<BodyS>, Error: 'static> + Clone,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Output = Result<Response<EitherBody<Either<BodyA, BodyS>>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Trying {
                    attempt,
                    index,
                    run,
                } => {
                    let result = ready!(attempt.poll(cx)).map_err(Into::into);
                    let index = *index;
                    // Dropping it ends the recording, however this function is left.
                    let mut run = run.take().expect("`Trying` is left with the response");
                    if let Some(result) = run.judge(index, result) {
                        return Poll::Ready(result);
                    }
                    // DIFFERENCE: `judge` has dropped the response's body, which Paste drains.
                    state.set(State::Over);
                    let parts = run.kept.take();
                    state.set(turn(index + 1, parts, run));
                }
                StateProj::Last { attempt, end } => {
                    let response = end.complete(ready!(attempt.poll(cx))?);
                    let body = |body| EitherBody::inner(Either::Right(body));
                    return Poll::Ready(Ok(response.map(body)));
                }
                StateProj::Rejected { response } => {
                    let response = response.take().expect("polled after completion");
                    return Poll::Ready(Ok(response.map(EitherBody::own)));
                }
                StateProj::Over => unreachable!("the next service's `call` has panicked"),
            }
        }
    }
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

/// A request as it came, and the state of its way along the services.
struct Run<A, S, B> {
    kept: Kept,
    replay: Replay<B>,
    end: End<A, S>,
}

impl<A, S, B> Run<A, S, B> {
    fn options(&self) -> &Options {
        &self.end.shared.options
    }

    /// Keeps a copy of the head for the services after this one. Returns the body for this one.
    #[inline]
    fn keep(&mut self, index: usize, parts: &Parts) -> ReplayBody<B>
    where
        B: Body,
    {
        let shared = &self.end.shared;
        self.kept.keep(parts, &shared.habits[index]);
        self.replay.attempt(shared.options.replay_limit)
    }

    /// Returns a service's result if it is the final one. Otherwise the result is dropped.
    fn judge<BodyA, BodyS, E: 'static>(
        &mut self,
        index: usize,
        result: Result<Response<BodyA>, E>,
    ) -> Option<Result<Response<EitherBody<Either<BodyA, BodyS>>>, E>> {
        match result {
            Ok(response) => match self.verdict(response) {
                Some(response) => {
                    self.end.shared.habits[index].note(false);
                    let body = |body| EitherBody::inner(Either::Left(body));
                    Some(Ok(response.map(body)))
                }
                None => {
                    self.fell_through(index);
                    let exceeded = self.replay.rewind().err()?;
                    let response = Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, exceeded)
                        .with_detail(exceeded.to_string())
                        .response_for(&self.kept.take());
                    Some(Ok(self.end.finish(response).map(EitherBody::own)))
                }
            },
            // Without the body, no other service can be called.
            Err(error) if !self.falls_through(&error) || self.replay.rewind().is_err() => {
                Some(Err(error))
            }
            Err(_) => {
                self.fell_through(index);
                if self.options().trace {
                    let notes = self.end.notes.get_or_insert_default();
                    notes.tried.push(Tried::Failed);
                }
                None
            }
        }
    }

    fn fell_through(&mut self, index: usize) {
        self.end.shared.habits[index].note(true);
    }

    /// After an error, the server may have acted already, as after a 5xx.
    fn falls_through<E: 'static>(&self, error: &E) -> bool {
        let errors = &self.options().errors;
        (errors.any_method || self.kept.method().is_idempotent()) && errors.contain(error)
    }

    /// Returns a response if it is the final one. Otherwise it is dropped.
    fn verdict<T>(&mut self, mut response: Response<T>) -> Option<Response<T>> {
        let options = &self.end.shared.options;
        let extensions = response.extensions();
        let is_final = extensions.get::<Final>().is_some();
        let passes = extensions.get::<Pass>().is_some() || options.x_cascade && has_pass(&response);
        let status = status_of(&response);
        let (rule, method) = (&options.rule, self.kept.method());
        if is_final || !passes && !rule.falls_through(method, status, &mut response) {
            return Some(self.end.complete(response));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            let allow = response.headers().get_all(ALLOW).iter();
            let notes = self.end.notes.get_or_insert_default();
            notes.allow.extend(allow.cloned());
        }
        if self.options().trace {
            self.end.notes.get_or_insert_default().add(&mut response);
        }
        None
    }
}

fn has_pass<T>(response: &Response<T>) -> bool {
    let mut lines = response.headers().get_all(X_CASCADE).into_iter();
    lines.any(|value| value == "pass")
}

/// Rack's name for [`Pass`].
const X_CASCADE: &str = "x-cascade";

/// The work that is left for the final response.
struct End<A, S> {
    shared: Arc<Shared<A, S>>,
    // In a box, since few requests have some, and all of them move this.
    notes: Option<Box<Notes>>,
}

/// The parts that the final response takes from those that fell through.
#[derive(Default)]
struct Notes {
    /// The `Allow` of each 405.
    allow: Vec<HeaderValue>,
    tried: Vec<Tried>,
}

impl Notes {
    /// Adds a service's response, or the services that it has tried itself if it is a cascade.
    fn add<T>(&mut self, response: &mut Response<T>) {
        match response.extensions_mut().remove::<CascadeTrace>() {
            Some(inner) => self.tried.extend(inner.tried),
            None => self.tried.push(Tried::Answered(status_of(response))),
        }
    }
}

impl<A, S> End<A, S> {
    #[inline]
    fn changes_nothing(&self) -> bool {
        let options = &self.shared.options;
        self.notes.is_none() && !options.trace && !options.x_cascade
    }

    /// Completes the final response of a service.
    #[inline]
    fn complete<T>(&mut self, mut response: Response<T>) -> Response<T> {
        if self.changes_nothing() {
            return response;
        }
        if self.shared.options.trace {
            self.notes.get_or_insert_default().add(&mut response);
        }
        self.finish(response)
    }

    /// Completes the final response.
    fn finish<T>(&mut self, mut response: Response<T>) -> Response<T> {
        let options = &self.shared.options;
        let notes = self.notes.take().unwrap_or_default();
        let allow = &notes.allow;
        if !allow.is_empty() && status_of(&response) == StatusCode::METHOD_NOT_ALLOWED {
            let mut union = Allow::default();
            union.add_headers(response.headers());
            allow.iter().for_each(|line| union.add_line(line));
            response.headers_mut().insert(ALLOW, union.to_header());
        }
        if options.x_cascade && has_pass(&response) {
            // For a cascade around this one.
            response.extensions_mut().insert(Pass);
        }
        if options.x_cascade {
            response.headers_mut().remove(X_CASCADE);
        }
        if options.trace {
            let tried = notes.tried;
            response.extensions_mut().insert(CascadeTrace { tried });
        }
        response
    }
}
