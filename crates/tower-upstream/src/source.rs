//! A client's body, and what of it can be sent again.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use pin_project_lite::pin_project;

use crate::error::BoxError;

/// The largest number of bytes of a body that are kept for a second attempt.
const REPLAY_LIMIT: usize = 64 << 10;

/// A body, and its bytes so far if they may have to be sent again.
pub(crate) struct Source {
    inner: UnsyncBoxBody<Bytes, BoxError>,
    has_ended: bool,
    /// All frames that `inner` has had, if this is a recording.
    recorded: Vec<Bytes>,
    is_recorded: bool,
    /// The number of recorded frames that the connection has taken.
    sent: usize,
}

impl Source {
    /// Returns a body whose bytes are recorded, or not.
    pub(crate) fn new<B>(inner: B, is_recorded: bool) -> Self
    where
        B: Body<Data: Buf, Error: Into<BoxError>> + Send + 'static,
    {
        Self {
            inner: AsBytes { inner }.boxed_unsync(),
            has_ended: false,
            recorded: Vec::new(),
            is_recorded,
            sent: 0,
        }
    }

    /// Returns whether all of it can be sent again.
    pub(crate) fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// Returns to the first recorded frame.
    pub(crate) fn rewind(&mut self) {
        self.sent = 0;
    }

    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(frame) = self.recorded.get(self.sent) {
            self.sent += 1;
            return Poll::Ready(Some(Ok(Frame::data(frame.clone()))));
        }
        if self.has_ended {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            None => self.has_ended = true,
            Some(Ok(frame)) if self.is_recorded => self.record(frame.data_ref()),
            Some(Ok(_)) => {}
            Some(Err(_)) => {
                self.has_ended = true;
                self.forget();
            }
        }
        Poll::Ready(frame)
    }

    /// Records a frame. Trailers are not recorded.
    fn record(&mut self, data: Option<&Bytes>) {
        let length = self.recorded.iter().map(Bytes::len).sum::<usize>();
        match data {
            Some(data) if length + data.len() <= REPLAY_LIMIT => {
                self.recorded.push(data.clone());
                self.sent += 1;
            }
            _ => self.forget(),
        }
    }

    /// Drops the recorded frames that have been sent.
    pub(crate) fn forget(&mut self) {
        self.is_recorded = false;
        self.recorded.drain(..self.sent);
        self.sent = 0;
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        let is_over = self.has_ended || self.inner.is_end_stream();
        is_over && self.sent == self.recorded.len()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        let again = self.recorded[self.sent..].iter().map(Bytes::len);
        let again = again.sum::<usize>() as u64;
        let rest = self.inner.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(again));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(again));
        }
        hint
    }
}

pin_project! {
    /// A body with its data as `Bytes` and its error in a box. `map_frame` of http-body-util would
    /// lose the size hint.
    struct AsBytes<B> {
        #[pin]
        inner: B,
    }
}

impl<B: Body<Error: Into<BoxError>>> Body for AsBytes<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.project().inner.poll_frame(cx));
        // For `Bytes` this makes no copy.
        let to_bytes =
            |frame: Frame<B::Data>| frame.map_data(|mut data| data.copy_to_bytes(data.remaining()));
        Poll::Ready(frame.map(|frame| frame.map(to_bytes).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
