use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{LintBody, LintFuture, LintLayer, Rule, head::Asked};

/// The service that [`LintLayer`] makes.
///
/// Its readiness, its errors and its responses are those of the inner service.
#[derive(Debug)]
pub struct Lint<S> {
    inner: S,
    readiness: Readiness,
    layer: LintLayer,
}

/// The last result of this instance's `poll_ready`. A clone has none.
#[derive(Clone, Copy, Debug)]
enum Readiness {
    NotAsked,
    Ready,
    Used,
    Failed,
}

impl<S> Lint<S> {
    pub(crate) fn new(inner: S, layer: LintLayer) -> Self {
        Self {
            inner,
            readiness: Readiness::NotAsked,
            layer,
        }
    }
}

impl<S: Clone> Clone for Lint<S> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.layer.clone())
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Lint<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Response = Response<LintBody<ResBody>>;
    type Error = S::Error;
    type Future = LintFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if let Readiness::Failed = self.readiness {
            let seen = "poll_ready was called again after it had failed";
            self.layer.violation(Rule::UsedAfterFailed, seen);
        }
        let ready = ready!(self.inner.poll_ready(cx));
        self.readiness = match ready {
            Ok(()) => Readiness::Ready,
            Err(_) => Readiness::Failed,
        };
        Poll::Ready(ready)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let asked = Asked::of(&request);
        match std::mem::replace(&mut self.readiness, Readiness::Used) {
            Readiness::Ready => {}
            Readiness::NotAsked => self.layer.violation(
                Rule::CallWithoutReady,
                format!("{asked} was sent to an instance that never reported that it is ready"),
            ),
            Readiness::Used => self.layer.violation(
                Rule::CallTwiceOnOneReady,
                format!("{asked} was sent to an instance whose readiness was used by another call"),
            ),
            Readiness::Failed => self.layer.violation(
                Rule::UsedAfterFailed,
                format!("{asked} was sent to an instance whose poll_ready had failed"),
            ),
        }
        LintFuture::new(self.inner.call(request), asked, self.layer.clone())
    }
}
