use std::{
    fmt,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll},
    thread,
};

use bytes::Bytes;
use http::response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_kit::{
    EitherBody,
    content::{RequestKind, content_length},
};

use crate::{Outcome, OutcomeKind, entered::Entered, outcome::grpc_status};

pin_project! {
    /// The response body of [`Hooks`](crate::Hooks): the inner service's, or that of a hook that
    /// responded.
    pub struct ResponseBody<B> {
        #[pin]
        body: EitherBody<B>,
        watch: Option<Watch>,
    }
}

/// Notices how a body ends.
struct Watch {
    entered: Entered,
    /// The outcome if the body is taken whole. Trailers may change its status of gRPC.
    whole: Outcome,
    /// Whether the trailers have a status of gRPC.
    is_grpc: bool,
    /// The number of bytes that are left, if it is known. A server that has them all need not poll
    /// for the end.
    left: Option<u64>,
    /// Whether the body has reported its end. A server that has seen it need not poll for the end
    /// either.
    ended: AtomicBool,
}

impl Watch {
    fn end(&mut self, kind: OutcomeKind) {
        let outcome = Outcome::new(kind, self.whole.grpc_status());
        self.entered.finish(outcome);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let whole = self.left == Some(0) || *self.ended.get_mut();
        if whole && !self.entered.is_finished() && !thread::panicking() {
            self.entered.finish(self.whole);
        }
    }
}

/// Finishes with a panic, unless it is disarmed.
struct Guard<'a>(Option<&'a mut Watch>);

impl<'a> Guard<'a> {
    fn disarm(mut self) -> Option<&'a mut Watch> {
        self.0.take()
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if let Some(watch) = &mut self.0 {
            watch.end(OutcomeKind::Panicked);
        }
    }
}

/// An empty body, which layers of tower-http that may respond themselves require (CORS, timeouts).
impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self {
            body: EitherBody::default(),
            watch: None,
        }
    }
}

impl<B> ResponseBody<B> {
    /// Returns a body without hooks.
    pub(crate) fn unwatched(body: EitherBody<B>) -> Self {
        Self { body, watch: None }
    }
}

impl<B> ResponseBody<B>
where
    B: Body<Data = Bytes>,
{
    /// Returns a body that finishes the hooks when it ends.
    pub(crate) fn watched(
        body: EitherBody<B>,
        request: RequestKind,
        head: &response::Parts,
        entered: Entered,
        whole: Outcome,
        is_grpc: bool,
    ) -> Self {
        let left = if body.is_end_stream() || !request.has_content(head.status) {
            Some(0)
        } else {
            let length = || content_length(&head.headers);
            body.size_hint().exact().or_else(length)
        };
        Self {
            body,
            watch: Some(Watch {
                entered,
                whole,
                is_grpc,
                left,
                ended: AtomicBool::new(false),
            }),
        }
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let guard = Guard(this.watch.as_mut());
        let polled = this.body.as_mut().poll_frame(cx);
        let ended = match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.is_trailers() || this.body.is_end_stream(),
            _ => false,
        };
        let Some(watch) = guard.disarm() else {
            return polled;
        };
        let end = match &polled {
            Poll::Pending => None,
            Poll::Ready(None) => Some(watch.whole.kind()),
            Poll::Ready(Some(Err(_))) => Some(OutcomeKind::Failed),
            Poll::Ready(Some(Ok(frame))) => {
                if watch.is_grpc
                    && let Some(status) = frame.trailers_ref().and_then(grpc_status)
                {
                    watch.whole = Outcome::new(watch.whole.kind(), Some(status));
                }
                let read = frame.data_ref().map_or(0, |data| data.len() as u64);
                let left = watch.left.map(|left| left.saturating_sub(read));
                watch.left = if ended { Some(0) } else { left };
                None
            }
        };
        if let Some(kind) = end {
            watch.end(kind);
            *this.watch = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let is_end = self.body.is_end_stream();
        if let Some(watch) = self.watch.as_ref().filter(|_| is_end) {
            watch.ended.store(true, Ordering::Relaxed);
        }
        is_end
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}
