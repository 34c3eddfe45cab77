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
        let end = End {
            shared,
            notes: None,
        };
        Self {
            state: first(request, end),
        }
    }
}

/// Returns the turn of the first service, or of the last one if the others are skipped.
// States and heads are large, so each is made where it stays. That is why this function and `later`
// are not inlined, and call no common one with a head. For `ratios` cascade/falls-through.
#[inline(never)]
fn first<A, S, B>(request: Request<B>, mut end: End<A, S>) -> State<A, S, B>
where
    A: Service<Request<ReplayBody<B>>> + Clone,
    S: Service<Request<ReplayBody<B>>> + Clone,
    B: Body,
{
    let (parts, body) = request.into_parts();
    let mut replay = Replay::new(body);
    let Shared {
        firsts,
        last,
        habits,
        options,
    } = &*end.shared;
    if options.guards.allow(&parts)
        && let Some(service) = firsts.first().cloned()
    {
        let mut kept = Kept::new();
        kept.keep(&parts, &habits[0]);
        let body = replay.attempt(options.replay_limit);
        return State::Trying {
            attempt: Attempt::new(service, Request::from_parts(parts, body)),
            index: 0,
            run: Some(Run { kept, replay, end }),
        };
    }
    let Some(service) = last.clone() else {
        return rejected(&parts, end);
    };
    if options.trace {
        let skipped = firsts.iter().map(|_| Tried::Skipped).collect();
        end.notes.get_or_insert_default().tried = skipped;
    }
    State::Last {
        attempt: Attempt::new(service, Request::from_parts(parts, replay.last())),
        end,
    }
}

/// Returns the turn of the service with this index, after another one.
#[inline(never)]
fn later<A, S, B>(index: usize, mut run: Run<A, S, B>) -> State<A, S, B>
where
    A: Service<Request<ReplayBody<B>>> + Clone,
    S: Service<Request<ReplayBody<B>>> + Clone,
    B: Body,
{
    let Shared {
        firsts,
        last,
        habits,
        options,
    } = &*run.end.shared;
    if let Some(service) = firsts.get(index).cloned() {
        let parts = run.kept.take();
        run.kept.keep(&parts, &habits[index]);
        let body = run.replay.attempt(options.replay_limit);
        return State::Trying {
            attempt: Attempt::new(service, Request::from_parts(parts, body)),
            index,
            run: Some(run),
        };
    }
    let service = last.clone();
    let Run {
        mut kept,
        replay,
        end,
    } = run;
    let Some(service) = service else {
        return rejected(&kept.take(), end);
    };
    State::Last {
        attempt: Attempt::new(service, Request::from_parts(kept.take(), replay.last())),
        end,
    }
}

/// Returns the response of an empty list.
#[cold]
fn rejected<A, S, B>(parts: &Parts, mut end: End<A, S>) -> State<A, S, B>
where
    A: Service<Request<ReplayBody<B>>>,
    S: Service<Request<ReplayBody<B>>>,
{
    // DIFFERENCE: Paste raises an error.
    let mut response = Rejection::new(StatusCode::NOT_FOUND, CascadeError::NoServices)
        .with_detail("no service responds here")
        .response_for(parts);
    end.finish(&mut response);
    State::Rejected {
        response: Some(Box::new(response)),
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
                    // It is judged where it is, because a response is large.
                    let mut polled = attempt.poll(cx);
                    let Poll::Ready(result) = &mut polled else {
                        return Poll::Pending;
                    };
                    let index = *index;
                    // Dropping it ends the recording, however this function is left.
                    let mut run = run.take().expect("`Trying` is left with the response");
                    let falls_through = match result {
                        Ok(response) => !run.is_final(index, response),
                        Err(_) => false,
                    };
                    match polled {
                        // DIFFERENCE: its body is dropped, which Paste drains.
                        polled if falls_through => drop(polled),
                        Poll::Ready(Ok(response)) => {
                            let body = |body| EitherBody::inner(Either::Left(body));
                            return Poll::Ready(Ok(response.map(body)));
                        }
                        Poll::Ready(Err(error)) => {
                            if let Some(error) = run.final_error(index, error.into()) {
                                return Poll::Ready(Err(error));
                            }
                        }
                        Poll::Pending => return Poll::Pending,
                    }
                    if let Err(exceeded) = run.replay.rewind() {
                        let response = run.too_large(exceeded);
                        return Poll::Ready(Ok(response.map(EitherBody::own)));
                    }
                    state.set(State::Over);
                    state.set(later(index + 1, run));
                }
                StateProj::Last { attempt, end } => {
                    let response = ready!(attempt.poll(cx))?;
                    let body = |body| EitherBody::inner(Either::Right(body));
                    if end.changes_nothing() {
                        return Poll::Ready(Ok(response.map(body)));
                    }
                    let mut response = response;
                    end.complete(&mut response);
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

    /// Returns whether a service's response is the final one, and completes it then.
    #[inline]
    fn is_final<T>(&mut self, index: usize, response: &mut Response<T>) -> bool {
        let is_final = !self.falls_through(response);
        self.end.shared.habits[index].note(!is_final);
        if is_final {
            self.end.complete(response);
            return true;
        }
        if status_of(response) == StatusCode::METHOD_NOT_ALLOWED {
            let allow = response.headers().get_all(ALLOW).iter();
            let notes = self.end.notes.get_or_insert_default();
            notes.allow.extend(allow.cloned());
        }
        if self.options().trace {
            self.end.notes.get_or_insert_default().add(response);
        }
        false
    }

    fn falls_through<T>(&self, response: &mut Response<T>) -> bool {
        let options = self.options();
        let extensions = response.extensions();
        if extensions.get::<Final>().is_some() {
            return false;
        }
        if extensions.get::<Pass>().is_some() || options.x_cascade && has_pass(response) {
            return true;
        }
        let status = status_of(response);
        let method = self.kept.method();
        options.rule.falls_through(method, status, response)
    }

    /// Returns a service's error if it is the final one.
    fn final_error<E: 'static>(&mut self, index: usize, error: E) -> Option<E> {
        let Options { errors, trace, .. } = self.options();
        // After an error, the server may have acted already, as after a 5xx.
        let may = errors.any_method || self.kept.method().is_idempotent();
        let trace = *trace;
        // Without the body, no other service can be called.
        if !may || !errors.contain(&error) || self.replay.rewind().is_err() {
            return Some(error);
        }
        self.end.shared.habits[index].note(true);
        if trace {
            let notes = self.end.notes.get_or_insert_default();
            notes.tried.push(Tried::Failed);
        }
        None
    }

    /// Returns the response after services that have read more than the limit.
    #[cold]
    fn too_large(&mut self, exceeded: CascadeError) -> Response<Full<Bytes>> {
        let mut response = Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, exceeded)
            .with_detail(exceeded.to_string())
            .response_for(&self.kept.take());
        self.end.finish(&mut response);
        response
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
    fn complete<T>(&mut self, response: &mut Response<T>) {
        if self.changes_nothing() {
            return;
        }
        if self.shared.options.trace {
            self.notes.get_or_insert_default().add(response);
        }
        self.finish(response);
    }

    /// Completes the final response.
    fn finish<T>(&mut self, response: &mut Response<T>) {
        let options = &self.shared.options;
        let notes = self.notes.take().unwrap_or_default();
        let allow = &notes.allow;
        if !allow.is_empty() && status_of(response) == StatusCode::METHOD_NOT_ALLOWED {
            let mut union = Allow::default();
            union.add_headers(response.headers());
            allow.iter().for_each(|line| union.add_line(line));
            response.headers_mut().insert(ALLOW, union.to_header());
        }
        if options.x_cascade && has_pass(response) {
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
    }
}
