use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_kit::Preferences;
use tower_service::Service;

use crate::{ProcessError, ResponseBody, state::Lease};

type Wait = Pin<Box<dyn Future<Output = Result<(), ProcessError>> + Send>>;

pin_project! {
    /// The future of a [`WithProcess`](crate::WithProcess).
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
        lease: Arc<Lease>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        Called { #[pin] future: S::Future },
        // Few requests wait, and all move this.
        Waiting { wait: Wait, call: Option<Box<(S, Request<B>)>> },
    }
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    pub(crate) fn called(future: S::Future, lease: &Arc<Lease>) -> Self {
        Self {
            state: State::Called { future },
            lease: lease.clone(),
        }
    }

    pub(crate) fn waiting(
        inner: S,
        request: Request<B>,
        lease: &Arc<Lease>,
        limit: Duration,
    ) -> Self {
        let shared = lease.shared.clone();
        Self {
            state: State::Waiting {
                wait: Box::pin(async move { shared.ready_within(limit).await }),
                call: Some(Box::new((inner, request))),
            },
            lease: lease.clone(),
        }
    }
}

impl<S, B, ResBody> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let future = match this.state.as_mut().project() {
                StateProj::Called { future } => {
                    let response = ready!(future.poll(cx))?;
                    let lease = this.lease.clone();
                    return Poll::Ready(Ok(response.map(|body| ResponseBody::inner(body, lease))));
                }
                StateProj::Waiting { wait, call } => {
                    let waited = ready!(wait.as_mut().poll(cx));
                    let (mut inner, request) = *call.take().expect("polled after completion");
                    if let Err(reason) = waited {
                        let preferences = Preferences::new(request.method(), request.headers());
                        let next_start = this.lease.shared.next_start();
                        let response = reason.response(preferences, next_start);
                        return Poll::Ready(Ok(response.map(ResponseBody::own)));
                    }
                    inner.call(request)
                }
            };
            this.state.set(State::Called { future });
        }
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
