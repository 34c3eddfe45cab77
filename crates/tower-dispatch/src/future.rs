//! The response future of a dispatcher: that of the endpoint, or the dispatcher's own response.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_kit::{Attempt, EitherBody, content};
use tower_service::Service;

pin_project! {
    /// The future of [`Dispatch`](crate::Dispatch).
    pub struct ResponseFuture<E, B>
    where
        E: Service<Request<B>>,
    {
        #[pin]
        state: State<E, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<E, B>
    where
        E: Service<Request<B>>,
    {
        Endpoint { #[pin] attempt: Attempt<E, Request<B>>, head_by_get: bool },
        // In a box, since all requests move this.
        Own { response: Option<Box<Response<Full<Bytes>>>> },
    }
}

impl<E, B> ResponseFuture<E, B>
where
    E: Service<Request<B>>,
{
    // `overhead/dispatch-matched`
    #[inline]
    pub(crate) fn endpoint(endpoint: E, request: Request<B>, head_by_get: bool) -> Self {
        Self {
            state: State::Endpoint {
                attempt: Attempt::new(endpoint, request),
                head_by_get,
            },
        }
    }

    pub(crate) fn own(response: Response<Full<Bytes>>) -> Self {
        Self {
            state: State::Own {
                response: Some(Box::new(response)),
            },
        }
    }

    /// Polls for the response, with the endpoint's body put into that of a layer, and its error
    /// converted into the layer's.
    // `overhead/dispatch-matched`
    #[inline]
    pub(crate) fn poll_response<ResBody, T, Err>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: impl FnOnce(ResBody) -> T,
    ) -> Poll<Result<Response<EitherBody<T>>, Err>>
    where
        E: Service<Request<B>, Response = Response<ResBody>, Error: Into<Err>>,
        ResBody: Body,
    {
        // One end for each state, so that no response is copied (`overhead/dispatch-matched`).
        match self.project().state.project() {
            StateProj::Endpoint {
                attempt,
                head_by_get: &mut false,
            } => match attempt.poll(cx) {
                Poll::Ready(Ok(response)) => {
                    Poll::Ready(Ok(response.map(|body| EitherBody::inner(into(body)))))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
                Poll::Pending => Poll::Pending,
            },
            StateProj::Endpoint { attempt, .. } => {
                attempt.poll(cx).map_ok(without_body).map_err(Into::into)
            }
            StateProj::Own { response } => {
                let response = response.take().expect("polled after completion");
                Poll::Ready(Ok(response.map(EitherBody::own)))
            }
        }
    }
}

/// Drops a body that was made for GET, and keeps its length.
fn without_body<B: Body, T>(response: Response<B>) -> Response<EitherBody<T>> {
    let (mut head, body) = response.into_parts();
    content::announce_length(head.status, &mut head.headers, &body);
    Response::from_parts(head, EitherBody::default())
}

impl<E, B, ResBody> Future for ResponseFuture<E, B>
where
    E: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Output = Result<Response<EitherBody<ResBody>>, E::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_response(cx, |body| body)
    }
}

impl<E, B> fmt::Debug for ResponseFuture<E, B>
where
    E: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
