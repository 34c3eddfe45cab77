use std::{
    fmt,
    future::Future,
    mem,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response, request, response};
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_kit::{EitherBody, content::RequestKind};
use tower_service::Service;

use crate::{
    BoxHook, Outcome, OutcomeKind, ResponseBody,
    boxed::{Begin, Kind},
    entered::{Entered, Way},
    outcome::{grpc_status_in_head, is_grpc},
    own,
};

pin_project! {
    /// The response future of [`Hooks`](crate::Hooks).
    #[project = FutureProj]
    pub struct ResponseFuture<S, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        inner: Option<S::Future>,
        // Until the inner service is called.
        ready: Option<(S, ReqBody)>,
        // While the response is on its way along the hooks.
        after: Option<Box<After<ResBody>>>,
        // `None` without hooks. Also for a single hook that has its turn, which saves two atomic
        // operations: for `ratios` hooks/one-hook.
        hooks: Option<Arc<[BoxHook]>>,
        // The number of hooks whose `before` is done or waits. 0 without hooks.
        begun: usize,
        entered: Entered,
        facts: Facts,
    }
}

/// A response on its way along the hooks.
struct After<B> {
    /// `None` while a hook has it.
    head: Option<response::Parts>,
    body: EitherBody<B>,
    whole: OutcomeKind,
    way: Way,
}

/// What is kept of a request.
#[derive(Clone, Copy, Default)]
pub(crate) struct Facts {
    kind: RequestKind,
    /// A call of gRPC is a POST. Other responses are not searched for its status.
    may_be_grpc: bool,
    skips_after: bool,
}

impl Facts {
    #[inline]
    pub(crate) fn new(method: &Method, skips_after: bool) -> Self {
        Self {
            kind: RequestKind::of(method),
            may_be_grpc: *method == Method::POST,
            skips_after,
        }
    }
}

/// What comes next for a request.
enum Next<'a> {
    /// A hook that may wait.
    Hook(&'a Arc<dyn Begin>),
    Inner,
    /// The last function that was called has responded.
    Response(Box<Response<Full<Bytes>>>),
}

/// Calls functions that do not wait, up to a hook that may wait, or one that responds.
///
/// The head is borrowed, because a copy of it costs more than such a function: for `ratios`
/// hooks/functions.
#[inline]
fn next<'a>(hooks: &'a [BoxHook], begun: &mut usize, head: &mut request::Parts) -> Next<'a> {
    while let Some(hook) = hooks.get(*begun) {
        *begun += 1;
        match hook.kind() {
            Kind::Before(before) => {
                if let ControlFlow::Break(response) = before(head) {
                    return Next::Response(Box::new(response));
                }
            }
            Kind::After(_) => {}
            Kind::Hook(hook) => return Next::Hook(hook),
        }
    }
    Next::Inner
}

impl<S, ReqBody, ResBody> ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    /// Returns the future of a request without hooks.
    pub(crate) fn bare(inner: S::Future) -> Self {
        Self {
            inner: Some(inner),
            ready: None,
            after: None,
            hooks: None,
            begun: 0,
            entered: Entered::new(),
            facts: Facts::default(),
        }
    }

    /// Calls the hooks up to the first one that may wait. If there is none, calls `inner`, and
    /// otherwise leaves another instance of it in its place.
    #[inline]
    pub(crate) fn hooked(
        hooks: &Arc<[BoxHook]>,
        inner: &mut S,
        request: Request<ReqBody>,
        facts: Facts,
    ) -> Self
    where
        S: Clone,
    {
        let (head, body) = request.into_parts();
        let mut entered = Entered::new();
        // `next` borrows the head, which costs a copy. So it is not called for a `Hook` that is
        // first: for `ratios` hooks/one-hook.
        if let Some(Kind::Hook(hook)) = hooks.first().map(BoxHook::kind) {
            let held = (hooks.len() > 1).then(|| hooks.clone());
            entered.push(hook, head);
            return Self {
                inner: None,
                ready: Some((take_ready(inner), body)),
                after: None,
                hooks: held,
                begun: 1,
                entered,
                facts,
            };
        }
        let held = Some(hooks.clone());
        let (mut head, mut begun) = (head, 0);
        let (mut future, mut ready, mut after) = (None, None, None);
        match next(hooks, &mut begun, &mut head) {
            Next::Hook(hook) => {
                entered.push(hook, head);
                ready = Some((take_ready(inner), body));
            }
            Next::Inner => future = Some(inner.call(Request::from_parts(head, body))),
            Next::Response(own) => {
                drop(take_ready(inner));
                after = Some(responded(facts, &head, *own, begun, 0));
            }
        }
        Self {
            inner: future,
            ready,
            after,
            hooks: held,
            begun,
            entered,
            facts,
        }
    }
}

/// Takes the instance that was made ready, which is called after the hooks or not at all, and
/// leaves another one.
fn take_ready<S: Clone>(inner: &mut S) -> S {
    let fresh = inner.clone();
    mem::replace(inner, fresh)
}

/// Returns the response of a hook, which is on its way along the hooks before it.
#[cold]
fn responded<B>(
    facts: Facts,
    head: &request::Parts,
    own: Response<Full<Bytes>>,
    begun: usize,
    turns: usize,
) -> Box<After<B>> {
    let (head, body) = own::response_for(head, facts.kind, own).into_parts();
    Box::new(After {
        head: Some(head),
        body: EitherBody::own(body),
        whole: OutcomeKind::Aborted,
        // DIFFERENCE: link.wsgi calls no `after` if a hook has responded.
        way: match facts.skips_after {
            true => Way::new(0),
            false => Way::new(begun - 1).without(turns),
        },
    })
}

const COMPLETED: &str = "polled after completion";

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let hooks: &[BoxHook] = this.hooks.as_deref().unwrap_or_default();
        if *this.begun == 0 {
            let inner = this.inner.as_pin_mut().expect(COMPLETED);
            return inner.poll(cx).map_ok(|response| {
                response.map(|body| ResponseBody::unwatched(EitherBody::inner(body)))
            });
        }
        let facts = *this.facts;
        let mut polling = Polling(Some(this.entered));

        while this.ready.is_some() {
            match polling.entered().poll_before(cx) {
                Poll::Pending => return polling.pending(),
                // For `ratios` hooks/one-hook: the head is not borrowed, see `hooked`.
                Poll::Ready((head, None)) if *this.begun >= hooks.len() => {
                    if let Some((mut inner, body)) = this.ready.take()
                        && this.inner.is_none()
                    {
                        let future = inner.call(Request::from_parts(head, body));
                        this.inner.set(Some(future));
                    }
                }
                Poll::Ready((mut head, None)) => match next(hooks, this.begun, &mut head) {
                    Next::Hook(hook) => polling.entered().push(hook, head),
                    Next::Inner => {
                        if let Some((mut inner, body)) = this.ready.take() {
                            let future = inner.call(Request::from_parts(head, body));
                            this.inner.set(Some(future));
                        }
                    }
                    Next::Response(own) => {
                        drop(this.ready.take());
                        *this.after = Some(responded(facts, &head, *own, *this.begun, 0));
                    }
                },
                Poll::Ready((head, Some(own))) => {
                    drop(this.ready.take());
                    *this.after = Some(responded(facts, &head, *own, *this.begun, 1));
                }
            }
        }
        let mut after = match this.after.take() {
            Some(after) => after,
            None => {
                let inner = this.inner.as_mut().as_pin_mut().expect(COMPLETED);
                let polled = inner.poll(cx);
                if polled.is_ready() {
                    this.inner.set(None);
                }
                match polled {
                    Poll::Pending => return polling.pending(),
                    Poll::Ready(Err(error)) => {
                        let outcome = Outcome::new(OutcomeKind::Failed, None);
                        polling.entered().finish(outcome);
                        return Poll::Ready(Err(error));
                    }
                    Poll::Ready(Ok(response)) => {
                        let (head, body) = response.into_parts();
                        let body = EitherBody::inner(body);
                        let whole = OutcomeKind::Completed;
                        let mut way = Way::new(*this.begun);
                        // For `ratios` hooks/one-hook: the way of one hook is short.
                        if hooks.is_empty()
                            && let Some(turn) = polling.entered().last()
                        {
                            match turn.as_mut().start_after(cx, head, false) {
                                Poll::Pending => {}
                                Poll::Ready((head, panic)) => {
                                    if let Some(panic) = panic {
                                        panic.resume();
                                    }
                                    let response = polling.response(head, body, whole, facts);
                                    return Poll::Ready(Ok(response));
                                }
                            }
                        } else if let Poll::Ready(head) =
                            way.poll(cx, hooks, polling.entered(), Some(head))
                        {
                            let response = polling.response(head, body, whole, facts);
                            return Poll::Ready(Ok(response));
                        }
                        *this.after = Some(Box::new(After {
                            head: None,
                            body,
                            whole,
                            way,
                        }));
                        return polling.pending();
                    }
                }
            }
        };
        let head = after.head.take();
        match after.way.poll(cx, hooks, polling.entered(), head) {
            Poll::Ready(head) => {
                let response = polling.response(head, after.body, after.whole, facts);
                Poll::Ready(Ok(response))
            }
            Poll::Pending => {
                *this.after = Some(after);
                polling.pending()
            }
        }
    }
}

/// The hooks of a request while it is polled. If that panics, they are finished.
struct Polling<'a>(Option<&'a mut Entered>);

impl Polling<'_> {
    #[inline]
    fn entered(&mut self) -> &mut Entered {
        self.0.as_deref_mut().expect(COMPLETED)
    }

    #[inline]
    fn pending<T>(mut self) -> Poll<T> {
        self.0 = None;
        Poll::Pending
    }

    /// Returns the response. If hooks have a turn, its body finishes them. Always inlined for
    /// `ratios` hooks/one-hook, because it moves the head.
    #[inline(always)]
    fn response<B: Body<Data = Bytes>>(
        &mut self,
        head: response::Parts,
        body: EitherBody<B>,
        whole: OutcomeKind,
        facts: Facts,
    ) -> Response<ResponseBody<B>> {
        let entered = self.entered();
        if entered.is_finished() {
            return Response::from_parts(head, ResponseBody::unwatched(body));
        }
        let (is_grpc, status) = match facts.may_be_grpc {
            true => (is_grpc(&head.headers), grpc_status_in_head(&head)),
            false => (false, None),
        };
        let whole = Outcome::new(whole, status);
        let entered = mem::replace(entered, Entered::new());
        let body = ResponseBody::watched(body, facts.kind, &head, entered, whole, is_grpc);
        Response::from_parts(head, body)
    }
}

impl Drop for Polling<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(entered) = &mut self.0 {
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
