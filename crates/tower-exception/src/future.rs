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
    BoxError, Incident, Phase, ResponseBody, guard::catch, incident::Cause, layer::Watch, page,
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
        Running { #[pin] future: F, watch: Option<Watch> },
        Failed { incident: Incident },
        Done,
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn running(future: F, watch: Watch) -> Self {
        Self {
            state: State::Running {
                future,
                watch: Some(watch),
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
            StateProj::Running { future, watch } => {
                let answer = match catch(|| future.poll(cx)) {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(Ok(response))) => Ok(response),
                    Ok(Poll::Ready(Err(error))) => Err(Cause::Error(error.into())),
                    Err(panic) => Err(Cause::Panic(panic)),
                };
                let watch = watch
                    .take()
                    .expect("`Running` is left once it has its answer");
                match answer {
                    Ok(response) => response.map(|body| ResponseBody::inner(body, watch)),
                    Err(cause) => failed(watch.incident(Phase::Future, cause)),
                }
            }
            StateProj::Failed { incident } => failed(incident.clone()),
            StateProj::Done => {
                panic!("a future must not be polled after it has given its response")
            }
        };
        // The inner future goes now, under guard: after a panic its `Drop` may well panic too.
        let _ = catch(|| state.set(State::Done));
        Poll::Ready(Ok(response))
    }
}

fn failed<B>(incident: Incident) -> Response<ResponseBody<B>> {
    page::production(incident).map(ResponseBody::own)
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
