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
        let (answer, watch) = match state.as_mut().project() {
            StateProj::Running { future, watch } => {
                let answer = match catch(|| future.poll(cx).map_err(Into::into)) {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(Ok(response))) => Ok(response),
                    Ok(Poll::Ready(Err(error))) => Err(Cause::Error(error)),
                    Err(panic) => Err(Cause::Panic(panic)),
                };
                let watch = watch.take();
                (
                    answer,
                    watch.expect("`Running` is left once it has its answer"),
                )
            }
            StateProj::Failed { incident } => {
                let incident = incident.clone();
                state.set(State::Done);
                return Poll::Ready(Ok(failed(incident)));
            }
            StateProj::Done => {
                panic!("a future must not be polled after it has given its response")
            }
        };
        // The inner future goes now, under guard. After a panic its `Drop` may well panic too, which is the
        // same incident; after an answer it is one of its own, and the answer stands.
        let dropped = catch(|| state.set(State::Done));
        Poll::Ready(Ok(match answer {
            Ok(response) => {
                if let Err(panic) = dropped {
                    watch.incident(Phase::Drop, Cause::Panic(panic));
                }
                response.map(|body| ResponseBody::inner(body, watch))
            }
            Err(cause) => failed(watch.incident(Phase::Future, cause)),
        }))
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
