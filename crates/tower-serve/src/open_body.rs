use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{access_log::Record, activity::Open};

pin_project! {
    /// A response's body. The response is open, and its record is kept, until hyper drops it.
    pub(crate) struct OpenBody<B> {
        #[pin]
        inner: B,
        record: Option<Box<Record>>,
        // The length, as far as it is known before the first frame. Only the record needs it.
        length: Option<u64>,
        _open: Open,
    }
}

impl<B: Body> OpenBody<B> {
    pub(crate) fn new(inner: B, open: Open, mut record: Option<Box<Record>>) -> Self {
        let mut length = None;
        if let Some(record) = &mut record {
            length = inner.size_hint().exact();
            if inner.is_end_stream() {
                record.completed();
            }
        }
        Self {
            inner,
            record,
            length,
            _open: open,
        }
    }
}

impl<B: Body> Body for OpenBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(record) = this.record else {
            return this.inner.poll_frame(cx);
        };
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Buf::remaining);
                record.took(u64::try_from(bytes).unwrap_or(u64::MAX));
                // hyper does not poll a body again after its end or its stated length.
                if this.inner.is_end_stream() || *this.length == Some(record.bytes()) {
                    record.completed();
                }
            }
            Some(Err(_)) => record.failed(),
            None => record.completed(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
