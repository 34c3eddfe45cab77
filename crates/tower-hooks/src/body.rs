use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, StatusCode, header::CONTENT_LENGTH, response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

use crate::{Links, Outcome, entered::Entered};

pin_project! {
    /// The body of a response that went through [`Hooks`](crate::Hooks): the app's, or that of a hook which answered.
    pub struct ResponseBody<B, L>
    where
        L: Links,
    {
        #[pin]
        kind: Kind<B>,
        watch: Option<Watch<L>>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        Inner { #[pin] body: B },
        Own { #[pin] body: Full<Bytes> },
    }
}

impl<B: Body> Kind<B> {
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Inner { body } => body.is_end_stream(),
            Self::Own { body } => body.is_end_stream(),
        }
    }
}

/// Sees how a body ends.
struct Watch<L: Links> {
    entered: Entered<L>,
    /// What it is if all of it is taken.
    whole: Outcome,
    /// How many bytes are to come, if it is known. A server that has them all need not ask for the end.
    left: Option<u64>,
    /// If that is so when it is dropped, it has panicked.
    is_polled: bool,
}

impl<L: Links> Drop for Watch<L> {
    fn drop(&mut self) {
        if self.is_polled {
            self.entered.finish(Outcome::Panicked);
        } else if self.left == Some(0) {
            self.entered.finish(self.whole);
        }
    }
}

impl<B, L: Links> ResponseBody<B, L> {
    fn of(kind: Kind<B>) -> Self {
        Self { kind, watch: None }
    }

    pub(crate) fn inner(body: B) -> Self {
        Self::of(Kind::Inner { body })
    }

    pub(crate) fn own(body: Full<Bytes>) -> Self {
        Self::of(Kind::Own { body })
    }
}

impl<B, L> ResponseBody<B, L>
where
    B: Body<Data = Bytes>,
    L: Links,
{
    /// Tells the hooks how it ends: whole, or not.
    pub(crate) fn watch(
        &mut self,
        method: &Method,
        head: &response::Parts,
        entered: Entered<L>,
        whole: Outcome,
    ) {
        let left = if self.is_end_stream() || !has_content(method, head.status) {
            Some(0)
        } else {
            let told = head.headers.get(CONTENT_LENGTH);
            let told = told.and_then(|length| length.to_str().ok()?.parse().ok());
            told.or_else(|| self.size_hint().exact())
        };
        self.watch = Some(Watch {
            entered,
            whole,
            left,
            is_polled: false,
        });
    }
}

/// Whether a response has content that a server asks for (RFC 9110, section 6.4.1).
fn has_content(method: &Method, status: StatusCode) -> bool {
    let none = *method == Method::HEAD
        || (*method == Method::CONNECT && status.is_success())
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    !none
}

impl<B, L> Body for ResponseBody<B, L>
where
    B: Body<Data = Bytes>,
    L: Links,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(watch) = self.as_mut().project().watch {
            watch.is_polled = true;
        }
        let polled = match self.as_mut().project().kind.project() {
            KindProj::Inner { body } => body.poll_frame(cx),
            KindProj::Own { body } => body.poll_frame(cx).map_err(|never| match never {}),
        };
        let this = self.project();
        let Some(watch) = this.watch else {
            return polled;
        };
        let frame = match polled {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                watch.is_polled = false;
                return Poll::Pending;
            }
        };
        let end = match &frame {
            None => Some(watch.whole),
            Some(Err(_)) => Some(Outcome::Failed),
            Some(Ok(frame)) => {
                let read = frame.data_ref().map_or(0, |data| data.len() as u64);
                watch.left = if frame.is_trailers() || this.kind.is_end_stream() {
                    Some(0)
                } else {
                    watch.left.map(|left| left.saturating_sub(read))
                };
                None
            }
        };
        watch.is_polled = false;
        if let Some(outcome) = end {
            watch.entered.finish(outcome);
            *this.watch = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.kind.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Own { body } => body.size_hint(),
        }
    }
}

impl<B, L: Links> fmt::Debug for ResponseBody<B, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}
