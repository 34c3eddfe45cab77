use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Method, Request, Response, request};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_kit::{EitherBody, content::RequestKind};
use tower_service::Service;

use crate::{
    BoxHook, Outcome, OutcomeKind, ResponseBody,
    entered::{Afters, Entered},
    outcome::grpc_status_in_head,
    own,
};

pin_project! {
    /// The response future of [`Hooks`](crate::Hooks).
    pub struct ResponseFuture<S, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, S::Future, ReqBody, ResBody>,
        // `None` without hooks.
        entered: Option<Entered>,
        facts: Facts,
    }
}

pin_project! {
    #[project = StateProj]
    #[project_replace = StateReplace]
    enum State<S, F, ReqBody, ResBody> {
        Before { inner: S, body: ReqBody, hooks: Option<Arc<[BoxHook]>> },
        Inner { #[pin] future: F },
        After { body: EitherBody<ResBody>, whole: OutcomeKind, afters: Afters },
        Done,
    }
}

/// What is kept of a request.
#[derive(Clone, Copy)]
pub(crate) struct Facts {
    kind: RequestKind,
    /// A call of gRPC is a POST. Other responses are not searched for its status.
    may_be_grpc: bool,
    skips_after: bool,
}

impl Facts {
    pub(crate) fn new(head: &request::Parts, skips_after: bool) -> Self {
        Self {
            kind: RequestKind::of(&head.method),
            may_be_grpc: head.method == Method::POST,
            skips_after,
        }
    }
}

impl<S, ReqBody, ResBody> ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    /// Returns the future of a request without hooks.
    pub(crate) fn bare(future: S::Future) -> Self {
        Self {
            state: State::Inner { future },
            entered: None,
            facts: Facts {
                kind: RequestKind::Other,
                may_be_grpc: false,
                skips_after: false,
            },
        }
    }

    /// Returns the future of a request with hooks, of which the first one has begun. If there are
    /// more, they are all in `hooks`.
    pub(crate) fn hooked(
        inner: S,
        body: ReqBody,
        entered: Entered,
        hooks: Option<Arc<[BoxHook]>>,
        facts: Facts,
    ) -> Self {
        Self {
            state: State::Before { inner, body, hooks },
            entered: Some(entered),
            facts,
        }
    }
}

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut run = Run {
            state: this.state,
            entered: this.entered,
            facts: *this.facts,
            is_polled: true,
        };
        let polled = run.poll(cx);
        run.is_polled = false;
        polled
    }
}

/// One poll of a request.
struct Run<'a, S, F, ReqBody, ResBody> {
    state: Pin<&'a mut State<S, F, ReqBody, ResBody>>,
    entered: &'a mut Option<Entered>,
    facts: Facts,
    is_polled: bool,
}

impl<S, ReqBody, ResBody> Run<'_, S, S::Future, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body<Data = Bytes>,
{
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<ResponseBody<ResBody>>, S::Error>> {
        let facts = self.facts;
        let Some(entered) = self.entered else {
            let StateProj::Inner { future } = self.state.as_mut().project() else {
                panic!("polled after completion");
            };
            let polled = future.poll(cx);
            return polled.map_ok(|response| response.map(ResponseBody::unwatched));
        };
        if let StateProj::Before { hooks, .. } = self.state.as_mut().project() {
            let (head, own) = ready!(entered.poll_before(cx, hooks.as_deref()));
            let before = self.state.as_mut().project_replace(State::Done);
            let StateReplace::Before {
                mut inner,
                body,
                hooks,
            } = before
            else {
                unreachable!();
            };
            drop(hooks);
            match own {
                None => {
                    let future = inner.call(Request::from_parts(head, body));
                    self.state.set(State::Inner { future });
                }
                Some(own) => {
                    drop((inner, body));
                    let (head, body) = own::response_for(&head, facts.kind, *own).into_parts();
                    // DIFFERENCE: link.wsgi calls no `after` if a hook has responded.
                    let left = match facts.skips_after {
                        true => 0,
                        false => entered.len() - 1,
                    };
                    self.state.set(State::After {
                        body: EitherBody::own(body),
                        whole: OutcomeKind::Aborted,
                        afters: Afters::new(head, left),
                    });
                }
            }
        }
        if let StateProj::Inner { future } = self.state.as_mut().project() {
            match ready!(future.poll(cx)) {
                Ok(response) => {
                    let (head, body) = response.into_parts();
                    self.state.set(State::After {
                        body: EitherBody::inner(body),
                        whole: OutcomeKind::Completed,
                        afters: Afters::new(head, entered.len()),
                    });
                }
                Err(error) => {
                    self.state.set(State::Done);
                    entered.finish(Outcome::new(OutcomeKind::Failed, None));
                    *self.entered = None;
                    return Poll::Ready(Err(error));
                }
            }
        }
        if let StateProj::After { afters, .. } = self.state.as_mut().project() {
            let head = ready!(entered.poll_after(cx, afters));
            let after = self.state.as_mut().project_replace(State::Done);
            if let (StateReplace::After { body, whole, .. }, Some(entered)) =
                (after, self.entered.take())
            {
                let status = match facts.may_be_grpc {
                    true => grpc_status_in_head(&head),
                    false => None,
                };
                let whole = Outcome::new(whole, status);
                let body = ResponseBody::watched(body, facts.kind, &head, entered, whole);
                return Poll::Ready(Ok(Response::from_parts(head, body)));
            }
        }
        panic!("polled after completion");
    }
}

impl<S, F, ReqBody, ResBody> Drop for Run<'_, S, F, ReqBody, ResBody> {
    fn drop(&mut self) {
        if self.is_polled
            && let Some(entered) = self.entered
        {
            entered.finish(Outcome::new(OutcomeKind::Panicked, None));
        }
    }
}

impl<S, ReqBody, ResBody> fmt::Debug for ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
