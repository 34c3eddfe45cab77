//! A request's way along the apps.

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
use pin_project_lite::pin_project;
use tower_kit::{Allow, Attempt, EitherBody, Rejection, status_of};
use tower_service::Service;

use crate::{
    BoxError, CascadeTrace, Final, Pass, ReplayBody, ResponseBody, Tried, body,
    options::{Options, Policy},
    replay::Replay,
};

/// The apps from one of them on.
pub trait Chain<B, P> {
    /// The body of whoever answers.
    type Body: Body<Data = Bytes, Error: Into<BoxError>>;
    /// The error of whoever fails.
    type Error;
    /// The answer.
    type Future: Future<Output = Result<Response<Self::Body>, Self::Error>>;

    /// The first of them has its turn.
    fn start(self, run: Run<B, P>) -> Self::Future;
}

/// A request on its way: as it came, and what has become of it so far.
pub struct Run<B, P> {
    parts: Parts,
    replay: Replay<B>,
    options: Arc<Options<P>>,
    notes: Notes,
}

/// What the final answer takes from those that did not count.
#[derive(Default)]
pub(crate) struct Notes {
    /// The `Allow` of each 405.
    allow: Vec<HeaderValue>,
    tried: Vec<Tried>,
}

impl Notes {
    /// Notes an app's answer, or what it has tried itself if it is a cascade.
    fn answered<A>(&mut self, trace: bool, response: &mut Response<A>) {
        if !trace {
            return;
        }
        match response.extensions_mut().remove::<CascadeTrace>() {
            Some(inner) => self.tried.extend(inner.tried),
            None => self.tried.push(Tried::Answered(status_of(response))),
        }
    }
}

impl<B, P> Run<B, P> {
    #[inline]
    pub(crate) fn new(request: Request<B>, options: Arc<Options<P>>) -> Self {
        let (parts, body) = request.into_parts();
        Self {
            parts,
            replay: Replay::new(body),
            options,
            notes: Notes::default(),
        }
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    pub(crate) fn note(&mut self, tried: Tried) {
        if self.options.trace {
            self.notes.tried.push(tried);
        }
    }

    /// The request for an app that another one may follow.
    pub(crate) fn attempt(&mut self) -> Request<ReplayBody<B>>
    where
        B: Body,
    {
        let body = self.replay.attempt(self.options.replay_limit);
        Request::from_parts(self.parts.clone(), body)
    }

    /// The request for an app that no other follows, and what its answer takes.
    #[inline]
    pub(crate) fn last(self) -> (Request<ReplayBody<B>>, Finish<P>) {
        let request = Request::from_parts(self.parts, self.replay.last());
        let finish = Finish {
            options: self.options,
            notes: self.notes,
        };
        (request, finish)
    }

    /// An app's answer, if it is the final one. If not, nothing is left of it.
    pub(crate) fn verdict<A>(&mut self, mut response: Response<A>) -> Option<Response<A>> {
        let status = status_of(&response);
        if !self.goes_on(status, &response) {
            return Some(self.options.answered(&mut self.notes, response));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            let allow = response.headers().get_all(ALLOW);
            self.notes.allow.extend(allow.iter().cloned());
        }
        self.notes.answered(self.options.trace, &mut response);
        None
    }

    fn goes_on<A>(&self, status: StatusCode, response: &Response<A>) -> bool {
        let extensions = response.extensions();
        if extensions.get::<Final>().is_some() {
            return false;
        }
        extensions.get::<Pass>().is_some()
            || self.options.x_cascade && says_pass(response)
            || self.options.statuses.move_on(&self.parts.method, status)
    }

    /// The same, and if it is not, the request is as it came.
    pub(crate) fn judge<A, S, E>(
        &mut self,
        answer: Result<Response<A>, E>,
    ) -> Option<Result<Response<ResponseBody<A, S>>, E>>
    where
        P: Policy<E>,
    {
        match answer {
            Ok(response) => match self.verdict(response) {
                Some(response) => Some(Ok(response.map(body::first))),
                None => {
                    let exceeded = self.replay.rewind().err()?;
                    let response = Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, exceeded)
                        .with_detail(exceeded.to_string())
                        .response_for(&self.parts);
                    let response = self.options.finish(&mut self.notes, response);
                    Some(Ok(response.map(EitherBody::own)))
                }
            },
            // Without the body nobody else can be asked.
            Err(error) if !self.options.policy.goes_on(&error) || self.replay.rewind().is_err() => {
                Some(Err(error))
            }
            Err(_) => {
                self.note(Tried::Failed);
                None
            }
        }
    }
}

impl<B, P> fmt::Debug for Run<B, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}

fn says_pass<A>(response: &Response<A>) -> bool {
    let mut lines = response.headers().get_all(X_CASCADE).into_iter();
    lines.any(|value| value == "pass")
}

/// Rack's word for [`Pass`].
const X_CASCADE: &str = "x-cascade";

/// What is still to be done to the final answer.
pub(crate) struct Finish<P> {
    options: Arc<Options<P>>,
    notes: Notes,
}

impl<P> Finish<P> {
    #[inline]
    fn changes_nothing(&self) -> bool {
        self.notes.allow.is_empty() && !self.options.trace && !self.options.x_cascade
    }

    /// The last app's answer.
    #[inline]
    pub(crate) fn answered<A>(&mut self, response: Response<A>) -> Response<A> {
        self.options.answered(&mut self.notes, response)
    }

    /// An answer that is no app's.
    pub(crate) fn own<A>(&mut self, response: Response<A>) -> Response<A> {
        self.options.finish(&mut self.notes, response)
    }
}

impl<P> Options<P> {
    /// The final answer, which is an app's.
    #[inline]
    fn answered<A>(&self, notes: &mut Notes, mut response: Response<A>) -> Response<A> {
        notes.answered(self.trace, &mut response);
        self.finish(notes, response)
    }

    #[inline]
    fn finish<A>(&self, notes: &mut Notes, mut response: Response<A>) -> Response<A> {
        if !notes.allow.is_empty() && status_of(&response) == StatusCode::METHOD_NOT_ALLOWED {
            let mut allow = Allow::default();
            allow.add_headers(response.headers());
            notes.allow.iter().for_each(|line| allow.add_line(line));
            response.headers_mut().insert(ALLOW, allow.to_header());
        }
        if self.x_cascade && says_pass(&response) {
            // For a cascade around this one.
            response.extensions_mut().insert(Pass);
        }
        if self.x_cascade {
            response.headers_mut().remove(X_CASCADE);
        }
        if self.trace {
            let tried = std::mem::take(&mut notes.tried);
            response.extensions_mut().insert(CascadeTrace { tried });
        }
        response
    }
}

/// Whether an app is tried on a request.
pub(crate) type Guard = Arc<dyn Fn(&Parts) -> bool + Send + Sync>;

/// An app, and what comes after it.
#[derive(Clone)]
pub struct Link<A, N> {
    pub(crate) app: A,
    pub(crate) guard: Option<Guard>,
    pub(crate) next: N,
}

impl<A, N> Link<A, N> {
    /// Whether the guard says that the app has no turn.
    pub(crate) fn turns_away<B, P>(&self, run: &Run<B, P>) -> bool {
        let guard = self.guard.as_ref();
        guard.is_some_and(|guard| !guard(&run.parts))
    }
}

impl<A, N, B, P, BodyA> Chain<B, P> for Link<A, N>
where
    A: Service<Request<ReplayBody<B>>, Response = Response<BodyA>, Error: Into<N::Error>>,
    N: Chain<B, P>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    BodyA: Body<Data = Bytes, Error: Into<BoxError>>,
    P: Policy<N::Error>,
{
    type Body = ResponseBody<BodyA, N::Body>;
    type Error = N::Error;
    type Future = LinkFuture<A, N, B, P>;

    #[inline]
    fn start(self, mut run: Run<B, P>) -> Self::Future {
        let state = if self.turns_away(&run) {
            run.note(Tried::Skipped);
            LinkState::Next {
                future: self.next.start(run),
            }
        } else {
            LinkState::Trying {
                attempt: Attempt::new(self.app, run.attempt()),
                rest: Some((self.next, run)),
            }
        };
        LinkFuture { state }
    }
}

impl<A: fmt::Debug, N: fmt::Debug> fmt::Debug for Link<A, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("app", &self.app)
            .field("guarded", &self.guard.is_some())
            .field("next", &self.next)
            .finish()
    }
}

pin_project! {
    /// The future of an app and those after it.
    pub struct LinkFuture<A, N, B, P>
    where
        A: Service<Request<ReplayBody<B>>>,
        N: Chain<B, P>,
    {
        #[pin]
        state: LinkState<A, N, B, P>,
    }
}

pin_project! {
    #[project = LinkStateProj]
    enum LinkState<A, N, B, P>
    where
        A: Service<Request<ReplayBody<B>>>,
        N: Chain<B, P>,
    {
        Trying { #[pin] attempt: Attempt<A, Request<ReplayBody<B>>>, rest: Option<(N, Run<B, P>)> },
        // Between the two: what an app's future holds is given back before the next app is asked.
        Over,
        Next { #[pin] future: N::Future },
    }
}

impl<A, N, B, P, BodyA> Future for LinkFuture<A, N, B, P>
where
    A: Service<Request<ReplayBody<B>>, Response = Response<BodyA>, Error: Into<N::Error>>,
    N: Chain<B, P>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    P: Policy<N::Error>,
{
    type Output = Result<Response<ResponseBody<BodyA, N::Body>>, N::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                LinkStateProj::Trying { attempt, rest } => {
                    let answer = ready!(attempt.poll(cx)).map_err(Into::into);
                    // Dropping it on the way out, whatever the way, ends the recording.
                    let (next, mut run) = rest
                        .take()
                        .expect("`Trying` is left once it has its answer");
                    if let Some(answer) = run.judge(answer) {
                        return Poll::Ready(answer);
                    }
                    // DIFFERENCE: `judge` has dropped the answer's body, which Paste drains.
                    state.set(LinkState::Over);
                    let future = next.start(run);
                    state.set(LinkState::Next { future });
                }
                LinkStateProj::Over => unreachable!("the next app's `call` has panicked"),
                LinkStateProj::Next { future } => {
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(response.map(body::last)));
                }
            }
        }
    }
}

impl<A, N, B, P> fmt::Debug for LinkFuture<A, N, B, P>
where
    A: Service<Request<ReplayBody<B>>>,
    N: Chain<B, P>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkFuture").finish_non_exhaustive()
    }
}

/// The app that no other follows: its answer is the answer.
#[derive(Clone, Debug)]
pub struct Last<S> {
    pub(crate) app: S,
}

impl<S, B, P, BodyS> Chain<B, P> for Last<S>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<BodyS>>,
    BodyS: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Body = BodyS;
    type Error = S::Error;
    type Future = LastFuture<S, B, P>;

    #[inline]
    fn start(self, run: Run<B, P>) -> Self::Future {
        let (request, finish) = run.last();
        LastFuture {
            attempt: Attempt::new(self.app, request),
            finish,
        }
    }
}

pin_project! {
    /// The future of the last app.
    pub struct LastFuture<S, B, P>
    where
        S: Service<Request<ReplayBody<B>>>,
    {
        #[pin]
        attempt: Attempt<S, Request<ReplayBody<B>>>,
        finish: Finish<P>,
    }
}

impl<S, B, P, BodyS> Future for LastFuture<S, B, P>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<BodyS>>,
{
    type Output = Result<Response<BodyS>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = this.attempt.poll(cx);
        if this.finish.changes_nothing() {
            // As it came, so that it is not moved.
            return answer;
        }
        Poll::Ready(Ok(this.finish.answered(ready!(answer)?)))
    }
}

impl<S, B, P> fmt::Debug for LastFuture<S, B, P>
where
    S: Service<Request<ReplayBody<B>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastFuture").finish_non_exhaustive()
    }
}
