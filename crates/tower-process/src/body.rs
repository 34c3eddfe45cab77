use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_kit::EitherBody;

use crate::state::Lease;

pin_project! {
    /// The body of a response of a [`WithProcess`](crate::WithProcess): the inner body, or that of
    /// a rejection.
    ///
    /// Frames, trailers and errors are those of the inner body. The process is not stopped before
    /// its end.
    pub struct ResponseBody<B> {
        #[pin]
        body: EitherBody<B>,
        lease: Option<Arc<Lease>>,
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn inner(body: B, lease: Arc<Lease>) -> Self {
        Self {
            body: EitherBody::inner(body),
            lease: Some(lease),
        }
    }

    pub(crate) fn own(body: Full<Bytes>) -> Self {
        Self {
            body: EitherBody::own(body),
            lease: None,
        }
    }
}

impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::own(Full::default())
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody")
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
