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

use crate::{Links, Outcome, entered::Entered};

pin_project! {
    /// The body of a response that went through [`Hooks`](crate::Hooks): the app's, or that of a hook which answered.
    pub struct ResponseBody<B, L>
    where
        L: Links,
    {
        #[pin]
        body: EitherBody<B>,
        watch: Option<Watch<L>>,
    }
}

/// Sees how a body ends.
struct Watch<L: Links> {
    entered: Entered<L>,
    /// What it is if all of it is taken.
    whole: Outcome,
    /// How many bytes are to come, if it is known. A server that has them all need not ask for the end.
    left: Option<u64>,
    /// Whether the body has said that it is at its end. A server that has heard it need not ask for the end either.
    ended: AtomicBool,
}

impl<L: Links> Drop for Watch<L> {
    fn drop(&mut self) {
        let whole = self.left == Some(0) || *self.ended.get_mut();
        if whole && !self.entered.is_told() && !thread::panicking() {
            self.entered.finish(self.whole);
        }
    }
}

/// Tells of a panic, unless it is disarmed.
struct Guard<'a, L: Links>(Option<&'a mut Watch<L>>);

impl<'a, L: Links> Guard<'a, L> {
    fn disarm(mut self) -> Option<&'a mut Watch<L>> {
        self.0.take()
    }
}

impl<L: Links> Drop for Guard<'_, L> {
    fn drop(&mut self) {
        if let Some(watch) = &mut self.0 {
            watch.entered.finish(Outcome::Panicked);
        }
    }
}

/// Nothing: what tower-http asks of a body that it may put its own answer in the place of (CORS, timeouts).
impl<B, L: Links> Default for ResponseBody<B, L> {
    fn default() -> Self {
        Self {
            body: EitherBody::default(),
            watch: None,
        }
    }
}

impl<B, L: Links> ResponseBody<B, L> {
    /// Nobody wants to know how it ends.
    pub(crate) fn unwatched(body: B) -> Self {
        Self {
            body: EitherBody::inner(body),
            watch: None,
        }
    }
}

impl<B, L> ResponseBody<B, L>
where
    B: Body<Data = Bytes>,
    L: Links,
{
    /// Tells the hooks how it ends: whole, or not.
    pub(crate) fn watched(
        body: EitherBody<B>,
        request: RequestKind,
        head: &response::Parts,
        entered: Entered<L>,
        whole: Outcome,
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
                left,
                ended: AtomicBool::new(false),
            }),
        }
    }
}

impl<B, L> Body for ResponseBody<B, L>
where
    B: Body<Data = Bytes>,
    L: Links,
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
            Poll::Ready(None) => Some(watch.whole),
            Poll::Ready(Some(Err(_))) => Some(Outcome::Failed),
            Poll::Ready(Some(Ok(frame))) => {
                let read = frame.data_ref().map_or(0, |data| data.len() as u64);
                let left = watch.left.map(|left| left.saturating_sub(read));
                watch.left = if ended { Some(0) } else { left };
                None
            }
        };
        if let Some(outcome) = end {
            watch.entered.finish(outcome);
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

impl<B, L: Links> fmt::Debug for ResponseBody<B, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}
