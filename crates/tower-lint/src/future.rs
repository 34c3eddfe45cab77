use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::{LintBody, LintLayer, Rule, head::Asked};

pin_project! {
    /// The future of [`Lint`](crate::Lint).
    pub struct LintFuture<F> {
        #[pin]
        inner: F,
        done: bool,
        asked: Asked,
        layer: LintLayer,
    }
}

impl<F> LintFuture<F> {
    pub(crate) fn new(inner: F, asked: Asked, layer: LintLayer) -> Self {
        Self {
            inner,
            done: false,
            asked,
            layer,
        }
    }
}

impl<F, B, E> Future for LintFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<LintBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if *this.done {
            let seen = format!("the future of {} was polled again", this.asked);
            this.layer.violation(Rule::FuturePolledAfterDone, seen);
        }
        let result = ready!(this.inner.poll(cx));
        *this.done = true;
        Poll::Ready(result.map(|response| {
            let (parts, body) = response.into_parts();
            this.layer.head(this.asked, &parts);
            let body = LintBody::new(body, this.asked.clone(), &parts, this.layer.clone());
            Response::from_parts(parts, body)
        }))
    }
}

impl<F> fmt::Debug for LintFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LintFuture").finish_non_exhaustive()
    }
}
