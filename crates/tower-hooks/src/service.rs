use std::{
    fmt,
    future::Future,
    mem,
    ops::ControlFlow,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_kit::{EitherBody, content::RequestKind};
use tower_service::Service;

use crate::{Chain, Links, Outcome, ResponseBody, ResponseFuture, entered::Entered, own};

/// The service that [`HooksLayer`](crate::HooksLayer) makes.
#[derive(Clone)]
pub struct Hooks<S, C> {
    pub(crate) inner: S,
    pub(crate) chain: C,
    pub(crate) skips_after: bool,
}

/// Without hooks it is the inner service.
impl<S: Service<R>, R> Service<R> for Hooks<S, ()> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.inner.call(request)
    }
}

impl<S, C, ReqBody, ResBody> Service<Request<ReqBody>> for Hooks<S, C>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Future: Send, Error: 'static>
        + Clone
        + Send
        + 'static,
    C: Chain,
    ReqBody: Send + 'static,
    ResBody: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<ResponseBody<ResBody, C::Links>>;
    type Error = S::Error;
    type Future = ResponseFuture<C::Bare<S::Future>, ResBody, S::Error, C::Links>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let Some(links) = self.chain.links() else {
            return ResponseFuture::bare(C::bare(self.inner.call(request)));
        };
        // The one that was made ready is the one that is called, after the hooks.
        let fresh = self.inner.clone();
        let ready = mem::replace(&mut self.inner, fresh);
        let skips_after = self.skips_after;
        ResponseFuture::boxed(|| run(ready, Entered::new(links), request, skips_after))
    }
}

/// Not an `async fn`: that would have its arguments twice, and they are large.
fn run<S, L, ReqBody, ResBody>(
    mut inner: S,
    mut entered: Entered<L>,
    request: Request<ReqBody>,
    skips_after: bool,
) -> impl Future<Output = Result<Response<ResponseBody<ResBody, L>>, S::Error>>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    L: Links,
    ResBody: Body<Data = Bytes>,
{
    let (mut head, body) = request.into_parts();
    let kind = RequestKind::of(&head.method);
    async move {
        let (mut answer, content, whole);
        match entered.before(&mut head).await {
            ControlFlow::Continue(()) => match inner.call(Request::from_parts(head, body)).await {
                Ok(response) => {
                    let body;
                    (answer, body) = response.into_parts();
                    content = EitherBody::inner(body);
                    whole = Outcome::Completed;
                }
                Err(error) => {
                    entered.finish(Outcome::Failed);
                    return Err(error);
                }
            },
            ControlFlow::Break(response) => {
                drop((inner, body));
                let body;
                (answer, body) = own::response_for(&head, kind, response).into_parts();
                content = EitherBody::own(body);
                whole = Outcome::Aborted;
            }
        };
        // DIFFERENCE: link.wsgi calls no `after` then.
        if whole != Outcome::Aborted || !skips_after {
            entered.after(&mut answer).await;
        }
        let body = ResponseBody::watched(content, kind, &answer, entered, whole);
        Ok(Response::from_parts(answer, body))
    }
}

impl<S: fmt::Debug, C> fmt::Debug for Hooks<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
