use std::{
    fmt,
    future::Future,
    mem,
    ops::ControlFlow,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;

use crate::{
    Chain, Links, Outcome, ResponseBody, ResponseFuture,
    body::{Asks, Kind},
    entered::Entered,
};

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
    let asks = Asks::of(&head.method);
    async move {
        let (mut answer, kind, whole);
        match entered.before(&mut head).await {
            ControlFlow::Continue(()) => match inner.call(Request::from_parts(head, body)).await {
                Ok(response) => {
                    let body;
                    (answer, body) = response.into_parts();
                    kind = Kind::Inner { body };
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
                (answer, body) = without_content_for(asks, response).into_parts();
                kind = Kind::Own { body };
                whole = Outcome::Aborted;
            }
        };
        // DIFFERENCE: link.wsgi calls no `after` then.
        if whole != Outcome::Aborted || !skips_after {
            entered.after(&mut answer).await;
        }
        let body = ResponseBody::watched(kind, asks, &answer, entered, whole);
        Ok(Response::from_parts(answer, body))
    }
}

/// Drops the body where a response has none. A response to HEAD states the length that the body
/// would have (RFC 9110, sections 6.4.1, 8.6 and 9.3.2).
fn without_content_for(asks: Asks, mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    if asks.has_content(response.status()) {
        return response;
    }
    let length = response.body().size_hint().exact().unwrap_or_default();
    let has_length = asks == Asks::Head && Asks::Other.has_content(response.status());
    let headers = response.headers_mut();
    if has_length && !headers.contains_key(TRANSFER_ENCODING) {
        let length = || HeaderValue::from(length);
        headers.entry(CONTENT_LENGTH).or_insert_with(length);
    }
    *response.body_mut() = Full::default();
    response
}

impl<S: fmt::Debug, C> fmt::Debug for Hooks<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
