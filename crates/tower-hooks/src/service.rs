use std::{
    fmt, mem,
    ops::ControlFlow,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header::CONTENT_LENGTH};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;

use crate::{Chain, Links, Outcome, ResponseBody, ResponseFuture, entered::Entered};

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
    type Future = ResponseFuture<S::Future, ResBody, S::Error, C::Links>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let Some(links) = self.chain.links() else {
            return ResponseFuture::bare(self.inner.call(request));
        };
        // The one that was made ready is the one that is called, after the hooks.
        let fresh = self.inner.clone();
        let ready = mem::replace(&mut self.inner, fresh);
        let entered = Entered::new(links);
        ResponseFuture::boxed(run(ready, entered, request, self.skips_after))
    }
}

async fn run<S, L, ReqBody, ResBody>(
    mut inner: S,
    mut entered: Entered<L>,
    request: Request<ReqBody>,
    skips_after: bool,
) -> Result<Response<ResponseBody<ResBody, L>>, S::Error>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    L: Links,
    ResBody: Body<Data = Bytes>,
{
    let (mut head, body) = request.into_parts();
    // What the client and the server go by, whatever the hooks make of it.
    let method = head.method.clone();
    let (response, outcome) = match entered.before(&mut head).await {
        ControlFlow::Break(response) => {
            drop((inner, body));
            let response = without_content_for(&method, response);
            (response.map(ResponseBody::own), Outcome::Aborted)
        }
        ControlFlow::Continue(()) => {
            let future = inner.call(Request::from_parts(head, body));
            drop(inner);
            match future.await {
                Ok(response) => (response.map(ResponseBody::inner), Outcome::Completed),
                Err(error) => {
                    entered.finish(Outcome::Failed);
                    return Err(error);
                }
            }
        }
    };
    let (mut head, mut body) = response.into_parts();
    if outcome != Outcome::Aborted || !skips_after {
        entered.after(&mut head).await;
    }
    body.watch(&method, &head, entered, outcome);
    Ok(Response::from_parts(head, body))
}

/// A response to HEAD says how long its body would be (RFC 9110, section 9.3.2).
fn without_content_for(
    method: &Method,
    mut response: Response<Full<Bytes>>,
) -> Response<Full<Bytes>> {
    if *method == Method::HEAD {
        let length = response.body().size_hint().exact().unwrap_or_default();
        let headers = response.headers_mut();
        headers
            .entry(CONTENT_LENGTH)
            .or_insert_with(|| HeaderValue::from(length));
        *response.body_mut() = Full::default();
    }
    response
}

impl<S: fmt::Debug, C> fmt::Debug for Hooks<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
