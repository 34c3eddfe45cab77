use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::activity::Open;

pin_project! {
    /// A response's body. The response is open until hyper drops it.
    pub(crate) struct OpenBody<B> {
        #[pin]
        inner: B,
        _open: Open,
    }
}

impl<B> OpenBody<B> {
    pub(crate) fn new(inner: B, open: Open) -> Self {
        Self { inner, _open: open }
    }
}

impl<B: Body> Body for OpenBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
