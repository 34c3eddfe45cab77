//! Apps of one type, as many as there are.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_kit::{Attempt, EitherBody, Rejection};
use tower_service::Service;

use crate::{
    BoxError, NoServices, ReplayBody, ResponseBody, body,
    chain::{Chain, Finish, Run},
    options::Policy,
};

/// A list of apps, the last of which no other follows.
#[derive(Clone, Debug)]
pub struct List<A> {
    apps: Arc<[A]>,
}

impl<A> FromIterator<A> for List<A> {
    fn from_iter<I: IntoIterator<Item = A>>(apps: I) -> Self {
        Self {
            apps: apps.into_iter().collect(),
        }
    }
}

impl<A, B, P, BodyA> Chain<B, P> for List<A>
where
    A: Service<Request<ReplayBody<B>>, Response = Response<BodyA>> + Clone,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    BodyA: Body<Data = Bytes, Error: Into<BoxError>>,
    P: Policy<A::Error>,
{
    type Body = ResponseBody<BodyA, Full<Bytes>>;
    type Error = A::Error;
    type Future = ListFuture<A, B, P>;

    fn start(self, run: Run<B, P>) -> Self::Future {
        ListFuture {
            state: turn(&self.apps, 0, run),
            apps: self.apps,
        }
    }
}

/// The turn of the app at this place.
fn turn<A, B, P>(apps: &[A], place: usize, mut run: Run<B, P>) -> State<A, B, P>
where
    A: Service<Request<ReplayBody<B>>> + Clone,
    B: Body,
{
    match &apps[place..] {
        [] => {
            // DIFFERENCE: Paste raises an error.
            let response = Rejection::new(StatusCode::NOT_FOUND, NoServices)
                .with_detail("no service responds here")
                .response_for(run.parts());
            let response = run.last().1.own(response);
            State::Empty {
                response: Some(Box::new(response)),
            }
        }
        [last] => {
            let (request, finish) = run.last();
            State::Last {
                attempt: Attempt::new(last.clone(), request),
                finish,
            }
        }
        [app, ..] => State::Trying {
            attempt: Attempt::new(app.clone(), run.attempt()),
            place,
            run: Some(run),
        },
    }
}

pin_project! {
    /// The future of a list of apps.
    pub struct ListFuture<A, B, P>
    where
        A: Service<Request<ReplayBody<B>>>,
    {
        #[pin]
        state: State<A, B, P>,
        apps: Arc<[A]>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<A, B, P>
    where
        A: Service<Request<ReplayBody<B>>>,
    {
        Trying { #[pin] attempt: Attempt<A, Request<ReplayBody<B>>>, place: usize, run: Option<Run<B, P>> },
        Last { #[pin] attempt: Attempt<A, Request<ReplayBody<B>>>, finish: Finish<P> },
        // There are no apps. In a box, since all requests move this.
        Empty { response: Option<Box<Response<Full<Bytes>>>> },
        // Between two: what an app's future holds is given back before the next app is asked.
        Over,
    }
}

impl<A, B, P, BodyA> Future for ListFuture<A, B, P>
where
    A: Service<Request<ReplayBody<B>>, Response = Response<BodyA>> + Clone,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    P: Policy<A::Error>,
{
    type Output = Result<Response<ResponseBody<BodyA, Full<Bytes>>>, A::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut state = this.state;
        loop {
            match state.as_mut().project() {
                StateProj::Trying {
                    attempt,
                    place,
                    run,
                } => {
                    let answer = ready!(attempt.poll(cx));
                    let next = *place + 1;
                    let mut run = run.take().expect("`Trying` is left once it has its answer");
                    if let Some(answer) = run.judge(answer) {
                        return Poll::Ready(answer);
                    }
                    state.set(State::Over);
                    state.set(turn(this.apps, next, run));
                }
                StateProj::Last { attempt, finish } => {
                    let response = ready!(attempt.poll(cx))?;
                    return Poll::Ready(Ok(finish.answered(response).map(body::first)));
                }
                StateProj::Over => unreachable!("the next app's `call` has panicked"),
                StateProj::Empty { response } => {
                    let response = response.take().expect("polled after completion");
                    return Poll::Ready(Ok(response.map(EitherBody::own)));
                }
            }
        }
    }
}

impl<A, B, P> fmt::Debug for ListFuture<A, B, P>
where
    A: Service<Request<ReplayBody<B>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListFuture").finish_non_exhaustive()
    }
}
