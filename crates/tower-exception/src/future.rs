use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::{
    BoxError, ExceptionLayer, Incident, Phase, ResponseBody,
    guard::catch,
    incident::{Cause, RequestHead},
    page,
};

pin_project! {
    /// The future of [`Exception`](crate::Exception).
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Running { #[pin] future: F, layer: ExceptionLayer, request: RequestHead },
        Failed { incident: Incident },
        Done,
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn running(future: F, layer: ExceptionLayer, request: RequestHead) -> Self {
        Self {
            state: State::Running {
                future,
                layer,
                request,
            },
        }
    }

    pub(crate) fn failed(incident: Incident) -> Self {
        Self {
            state: State::Failed { incident },
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<ResponseBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let response = match state.as_mut().project() {
            StateProj::Running {
                future,
                layer,
                request,
            } => {
                let failed = |cause| {
                    let incident = layer.incident(Phase::Future, cause, request.clone());
                    page::production(incident).map(ResponseBody::own)
                };
                match catch(|| future.poll(cx)) {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(Ok(response))) => response
                        .map(|body| ResponseBody::inner(body, layer.clone(), request.clone())),
                    Ok(Poll::Ready(Err(error))) => failed(Cause::Error(error.into())),
                    Err(panic) => failed(Cause::Panic(panic)),
                }
            }
            StateProj::Failed { incident } => {
                page::production(incident.clone()).map(ResponseBody::own)
            }
            StateProj::Done => {
                panic!("a future must not be polled after it has given its response")
            }
        };
        // The inner future goes now, under guard: after a panic its `Drop` may well panic too.
        let _ = catch(|| state.set(State::Done));
        Poll::Ready(Ok(response))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
