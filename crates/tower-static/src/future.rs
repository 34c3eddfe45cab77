use std::{
    convert::Infallible,
    fmt,
    future::Future,
    panic::resume_unwind,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Response, StatusCode};
use tokio::task::JoinHandle;
use tower_kit::{Preferences, Rejection};

use crate::ResponseBody;

/// The future of [`Files`](crate::Files).
pub struct ResponseFuture(State);

enum State {
    Ready(Option<Response<ResponseBody>>),
    Reading(JoinHandle<Response<ResponseBody>>),
}

impl ResponseFuture {
    pub(crate) fn ready(response: Response<ResponseBody>) -> Self {
        Self(State::Ready(Some(response)))
    }

    pub(crate) fn reading(task: JoinHandle<Response<ResponseBody>>) -> Self {
        Self(State::Reading(task))
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match &mut self.0 {
            State::Ready(response) => response.take().expect("polled after completion"),
            State::Reading(task) => match ready!(Pin::new(task).poll(cx)) {
                Ok(response) => response,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => resume_unwind(panic),
                    // It is aborted only when the runtime ends.
                    Err(error) => Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, error)
                        .response_for(Preferences::default())
                        .map(ResponseBody::own),
                },
            },
        };
        Poll::Ready(Ok(response))
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
