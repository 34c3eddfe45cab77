use std::{
    fmt,
    future::Future,
    mem,
    ops::ControlFlow,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use tower_kit::{EitherBody, content::RequestKind};
use tower_service::Service;

use crate::{
    Outcome, OutcomeKind, ResponseBody, ResponseFuture, entered::Entered, layer::Source,
    outcome::grpc_status_in_head, own,
};

/// The service of [`HooksLayer`](crate::HooksLayer).
#[derive(Clone)]
pub struct Hooks<S> {
    pub(crate) inner: S,
    pub(crate) hooks: Source,
    pub(crate) skips_after: bool,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Hooks<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Future: Send, Error: 'static>
        + Clone
        + Send
        + 'static,
    ReqBody: Send + 'static,
    ResBody: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let Some(hooks) = self.hooks.now() else {
            return ResponseFuture::bare(self.inner.call(request));
        };
        // The instance that was made ready is the one that is called, after the hooks.
        let fresh = self.inner.clone();
        let ready = mem::replace(&mut self.inner, fresh);
        let skips_after = self.skips_after;
        ResponseFuture::boxed(|| run(ready, Entered::new(hooks), request, skips_after))
    }
}

/// Returns the future of a request.
///
/// It is not an `async fn`, whose future would have its arguments twice, and they are large.
fn run<S, ReqBody, ResBody>(
    mut inner: S,
    mut entered: Entered,
    request: Request<ReqBody>,
    skips_after: bool,
) -> impl Future<Output = Result<Response<ResponseBody<ResBody>>, S::Error>>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body<Data = Bytes>,
{
    let (mut head, body) = request.into_parts();
    let kind = RequestKind::of(&head.method);
    // A call of gRPC is a POST. Other responses are not searched for its status.
    let may_be_grpc = head.method == Method::POST;
    async move {
        let (mut parts, content, whole);
        match entered.before(&mut head).await {
            ControlFlow::Continue(()) => match inner.call(Request::from_parts(head, body)).await {
                Ok(response) => {
                    let body;
                    (parts, body) = response.into_parts();
                    content = EitherBody::inner(body);
                    whole = OutcomeKind::Completed;
                }
                Err(error) => {
                    entered.finish(Outcome::new(OutcomeKind::Failed, None));
                    return Err(error);
                }
            },
            ControlFlow::Break(response) => {
                drop((inner, body));
                let body;
                (parts, body) = own::response_for(&head, kind, *response).into_parts();
                content = EitherBody::own(body);
                whole = OutcomeKind::Aborted;
            }
        };
        // DIFFERENCE: link.wsgi calls no `after` if a hook has responded.
        if whole != OutcomeKind::Aborted || !skips_after {
            entered.after(&mut parts).await;
        }
        let whole = Outcome::new(
            whole,
            match may_be_grpc {
                true => grpc_status_in_head(&parts),
                false => None,
            },
        );
        let body = ResponseBody::watched(content, kind, &parts, entered, whole);
        Ok(Response::from_parts(parts, body))
    }
}

impl<S: fmt::Debug> fmt::Debug for Hooks<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
