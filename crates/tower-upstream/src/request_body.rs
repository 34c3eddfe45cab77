//! The client's body on its way to the upstream.

use std::{
    error, fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

use crate::{
    error::BoxError,
    headers,
    progress::{Progress, Upload, Wanted},
    source::Source,
};

/// The client's body on its way to the upstream. Only the connection polls it, after it has taken
/// the request.
///
/// If it is dropped, its source is handed back to its [`Progress`], if it can be sent again. It is
/// in a box, since hyper moves a request about ten times, and few have a body.
#[derive(Default)]
pub(crate) struct RequestBody(Option<Box<(Source, Arc<Progress>)>>);

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
        let source = Source::new(inner, is_recorded);
        let progress = Progress::new();
        (Self::again(source, progress.clone()), Some(progress))
    }

    /// Returns a body that begins with the frames that were recorded.
    pub(crate) fn again(mut source: Source, progress: Arc<Progress>) -> Self {
        source.rewind();
        Self(Some(Box::new((source, progress))))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some((source, progress)) = self.0.as_deref_mut() else {
            return Poll::Ready(None);
        };
        match progress.begin(cx.waker()) {
            Wanted::Yes => {}
            Wanted::NotNow => return Poll::Pending,
            // It is an error, because the connection is of no more use.
            Wanted::No => return Poll::Ready(Some(Err(Unwanted::new().into()))),
        }
        if source.is_recorded() && progress.has_response() {
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
        let source = self.0.as_deref();
        source.is_none_or(|(source, _)| source.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match self.0.as_deref() {
            Some((source, _)) => source.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some((source, progress)) = self.0.take().map(|body| *body) {
            progress.end(source.is_recorded().then_some(source));
        }
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
struct Unwanted {
    /// The code with which the stream is reset, if it is one of HTTP/2.
    reset: h2::Error,
}

impl Unwanted {
    fn new() -> Self {
        let reset = h2::Reason::CANCEL.into();
        Self { reset }
    }
}

impl fmt::Display for Unwanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the exchange is over")
    }
}

impl error::Error for Unwanted {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.reset)
    }
}
