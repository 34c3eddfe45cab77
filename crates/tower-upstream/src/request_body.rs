//! The client's body on its way to the upstream.

use std::{
    error, fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use pin_project_lite::pin_project;

use crate::{
    error::BoxError,
    headers,
    progress::{Progress, Upload, Wanted},
};

/// The largest number of bytes of a body that are kept for a second attempt.
const REPLAY_LIMIT: usize = 64 << 10;

/// The client's body on its way to the upstream. Only the connection polls it, after it has taken
/// the request.
///
/// If it is dropped, its source is handed back to its [`Progress`], if it can be sent again.
#[derive(Default)]
pub(crate) struct RequestBody(Option<(Source, Arc<Progress>)>);

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

impl RequestBody {
    /// Returns the body of a request, and the state that it shares with the response's body. An
    /// empty body has none.
    ///
    /// With `is_recorded`, it can be sent again while it is short.
    pub(crate) fn new<B>(inner: B, is_recorded: bool) -> (Self, Option<Arc<Progress>>)
    where
        B: Body<Data: Buf, Error: Into<BoxError>> + Send + 'static,
    {
        if inner.is_end_stream() {
            return (Self::default(), None);
        }
        let source = Source {
            inner: AsBytes { inner }.boxed_unsync(),
            has_ended: false,
            recorded: Vec::new(),
            is_recorded,
            sent: 0,
        };
        let progress = Progress::new();
        (Self::again(source, progress.clone()), Some(progress))
    }

    /// Returns a body that begins with the frames that were recorded.
    pub(crate) fn again(mut source: Source, progress: Arc<Progress>) -> Self {
        source.sent = 0;
        Self(Some((source, progress)))
    }
}

impl Source {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
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
    fn forget(&mut self) {
        self.is_recorded = false;
        self.recorded.drain(..self.sent);
        self.sent = 0;
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some((source, progress)) = &mut self.0 else {
            return Poll::Ready(None);
        };
        match progress.begin(cx.waker()) {
            Wanted::Yes => {}
            Wanted::NotNow => return Poll::Pending,
            // It is an error, because the connection is of no more use.
            Wanted::No => return Poll::Ready(Some(Err(Unwanted.into()))),
        }
        if source.is_recorded && progress.has_response() {
            source.forget();
        }
        let frame = source.poll(cx);
        progress.note(match &frame {
            Poll::Ready(Some(Err(_))) => Upload::Failed,
            Poll::Ready(_) => Upload::Passed,
            Poll::Pending => Upload::Awaited,
        });
        frame.map_ok(without_our_trailers)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|(source, _)| {
            let is_over = source.has_ended || source.inner.is_end_stream();
            is_over && source.sent == source.recorded.len()
        })
    }

    fn size_hint(&self) -> SizeHint {
        let Some((source, _)) = &self.0 else {
            return SizeHint::with_exact(0);
        };
        let again = source.recorded[source.sent..]
            .iter()
            .map(Bytes::len)
            .sum::<usize>() as u64;
        let rest = source.inner.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(again));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(again));
        }
        hint
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some((source, progress)) = self.0.take() {
            progress.end(source.is_recorded.then_some(source));
        }
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

fn without_our_trailers(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    if let Some(trailers) = frame.trailers_mut() {
        headers::trailers_to_upstream(trailers);
    }
    frame
}

/// The upstream does not take the rest of the client's body.
#[derive(Debug)]
struct Unwanted;

impl fmt::Display for Unwanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the exchange is over")
    }
}

impl error::Error for Unwanted {}
