use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_kit::{content::RequestKind, is_plain_error};

#[cfg(feature = "debug")]
use crate::debug::Rendering;
use crate::{
    BoxError, Incident, Phase, ResponseBody,
    body::{Failure, ReadAhead},
    ending::Ending,
    guard::{Payload, catch, discard},
    incident::Cause,
    plain,
    watch::Watch,
};

pin_project! {
    /// The future of [`Exception`](crate::Exception).
    pub struct ResponseFuture<F> {
        #[pin]
        kind: Kind<F>,
        // Until there is a response or an incident.
        watch: Option<Watch>,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(watch) = this.watch
                && let Err(panic) = catch(|| this.kind.set(Kind::Gone))
            {
                watch.incident(Phase::Drop, false, panic);
            }
        }
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<F> {
        Running { #[pin] future: F },
        Failed { failed: Failed },
        Gone,
    }
}

/// An incident instead of the response.
struct Failed {
    incident: Incident,
    #[cfg(feature = "debug")]
    page: Option<Rendering<Response<Full<Bytes>>>>,
}

impl Failed {
    fn new(incident: Incident, watch: &Watch) -> Self {
        #[cfg(not(feature = "debug"))]
        let _ = watch;
        Self {
            #[cfg(feature = "debug")]
            page: watch.debug().map(|debug| debug.page(&incident)),
            incident,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<Full<Bytes>>> {
        #[cfg(feature = "debug")]
        if let Some(page) = &mut self.page
            && let Some(page) = ready!(page.poll(cx))
        {
            return Poll::Ready(page);
        }
        #[cfg(not(feature = "debug"))]
        let _ = cx;
        Poll::Ready(self.incident.response())
    }
}

impl<F> ResponseFuture<F> {
    #[inline]
    pub(crate) fn running(future: F, watch: Watch) -> Self {
        Self {
            kind: Kind::Running { future },
            watch: Some(watch),
        }
    }

    pub(crate) fn failed(phase: Phase, cause: impl Into<Cause>, watch: &Watch) -> Self {
        let incident = watch.incident(phase, false, cause);
        let failed = Failed::new(incident, watch);
        Self {
            kind: Kind::Failed { failed },
            watch: None,
        }
    }
}

type Output<B> = Poll<Result<Response<ResponseBody<B>>, Infallible>>;

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<ResponseBody<B>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Output<B> {
        let this = self.as_mut().project();
        let KindProj::Running { future } = this.kind.project() else {
            return self.poll_failed(cx);
        };
        let failure = match catch(|| future.poll(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(response))) => {
                let watch = self.as_mut().end();
                if is_plain_error(&response)
                    && let Some(preferences) = watch.grpc()
                {
                    return Poll::Ready(Ok(plain::rejected(response, preferences)));
                }
                return match begins_first(&response, &watch) {
                    Ok(false) => {
                        Poll::Ready(Ok(response.map(|body| ResponseBody::inner(body, watch))))
                    }
                    Ok(true) => self.begin(response, watch, cx),
                    Err(panic) => {
                        let failure = Failure::New(panic.into());
                        discard(response);
                        self.fail(Phase::Body, failure, watch, cx)
                    }
                };
            }
            Ok(Poll::Ready(Err(error))) => match catch(|| error.into()) {
                Ok(error) => Failure::of(error),
                Err(panic) => Failure::New(panic.into()),
            },
            Err(panic) => Failure::New(panic.into()),
        };
        // After a panic its `Drop` may panic too, which is the same incident.
        let mut this = self.as_mut().project();
        let _ = catch(|| this.kind.set(Kind::Gone));
        let watch = take(this.watch);
        self.fail(Phase::Future, failure, watch, cx)
    }
}

/// Returns whether the body is polled for a frame before its head is sent. It is polled if it has
/// content of unknown length. A body that knows its length mostly has its content at hand, and
/// would have to move into a box for this.
fn begins_first<B: Body>(response: &Response<B>, watch: &Watch) -> Result<bool, Payload> {
    // A 500 cannot replace a response without content.
    if !RequestKind::of(watch.method()).has_content(response.status()) {
        return Ok(false);
    }
    catch(|| response.body().size_hint().exact().is_none())
}

impl<F> ResponseFuture<F> {
    /// Drops the inner future, which has responded. The response stays, whatever that `Drop` does.
    fn end(self: Pin<&mut Self>) -> Watch {
        let mut this = self.project();
        let dropped = catch(|| this.kind.set(Kind::Gone));
        let watch = take(this.watch);
        if let Err(panic) = dropped {
            watch.incident(Phase::Drop, false, panic);
        }
        watch
    }

    /// Polls the body once before the head is sent, without waiting. A body that fails at once can
    /// still become a 500.
    #[cold]
    fn begin<B>(
        self: Pin<&mut Self>,
        response: Response<B>,
        watch: Watch,
        cx: &mut Context<'_>,
    ) -> Output<B>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let ending = Ending::of(&response, &watch);
        let (head, body) = response.into_parts();
        let mut body = Box::pin(ReadAhead::new(body));
        match body.as_mut().read_first(ending, cx) {
            Ok(()) => {
                let body = ResponseBody::read_ahead(body, watch);
                Poll::Ready(Ok(Response::from_parts(head, body)))
            }
            Err(failure) => {
                discard(body);
                discard(head);
                self.fail(Phase::Body, failure, watch, cx)
            }
        }
    }

    #[cold]
    fn fail<B>(
        mut self: Pin<&mut Self>,
        phase: Phase,
        failure: Failure,
        watch: Watch,
        cx: &mut Context<'_>,
    ) -> Output<B> {
        let incident = match failure {
            Failure::Reported(incident) => incident,
            Failure::New(cause) => watch.incident(phase, false, cause),
        };
        let failed = Failed::new(incident, &watch);
        self.as_mut().project().kind.set(Kind::Failed { failed });
        self.poll_failed(cx)
    }

    #[cold]
    fn poll_failed<B>(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Output<B> {
        let mut this = self.project();
        let KindProj::Failed { failed } = this.kind.as_mut().project() else {
            panic!("polled after completion");
        };
        let response = ready!(failed.poll(cx));
        this.kind.set(Kind::Gone);
        Poll::Ready(Ok(response.map(ResponseBody::own)))
    }
}

fn take(watch: &mut Option<Watch>) -> Watch {
    let watch = watch.take();
    watch.expect("the watch was taken before the end of the future")
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
