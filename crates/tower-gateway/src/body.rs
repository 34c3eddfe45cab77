//! The body of a response.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::runtime::Handle;
use tower_kit::EitherBody;

use crate::{
    GatewayError,
    error::BoxError,
    exchange::{Upload, WrongLength, drain},
    progress::{Clock, Progress},
    source::{Source, broke},
};

/// The body of a response: a program's output, or the text of a rejection.
///
/// It ends in an error if the program breaks off, sends nothing for the idle timeout, or sends
/// another number of bytes than it has announced. If it is dropped before its last byte, the
/// connection is closed, or the process ended.
#[derive(Default)]
pub struct ResponseBody(EitherBody<Received>);

impl ResponseBody {
    pub(crate) fn own(body: impl Into<Full<Bytes>>) -> Self {
        Self(EitherBody::own(body))
    }

    pub(crate) fn received(body: Received) -> Self {
        Self(EitherBody::inner(body))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseBody")
            .field(&self.size_hint())
            .finish()
    }
}

/// The output of a program on its way to the client.
pub(crate) struct Received {
    /// `None` after its end.
    source: Option<Source>,
    /// `None` if the whole request is sent.
    upload: Option<Upload>,
    progress: Arc<Progress>,
    clock: Clock,
    idle_timeout: Duration,
    /// The bytes that came with the head.
    first: Bytes,
    /// The bytes that are still to come, if the program has announced a length.
    left: Option<u64>,
}

impl Received {
    pub(crate) fn new(source: Source, progress: Arc<Progress>, idle_timeout: Duration) -> Self {
        Self {
            source: Some(source),
            upload: None,
            progress,
            clock: Clock::new(idle_timeout),
            idle_timeout,
            first: Bytes::new(),
            left: None,
        }
    }

    /// Sets the bytes that came with the head, and the length that the head states.
    pub(crate) fn after(mut self, first: Bytes, length: Option<u64>) -> Self {
        self.first = first;
        self.left = length;
        self
    }

    /// Sets the task that sends the rest of the request.
    pub(crate) fn with_upload(mut self, upload: Option<Upload>) -> Self {
        self.upload = upload;
        self
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, GatewayError>>> {
        let next = ready!(self.poll_source(cx));
        let checked = next.and_then(|bytes| self.count(bytes));
        if !matches!(checked, Ok(Some(_))) {
            self.source = None;
            self.upload = None;
        }
        if checked.is_err() {
            // Nothing more comes.
            self.left = None;
        }
        Poll::Ready(checked.transpose())
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, GatewayError>> {
        if !self.first.is_empty() {
            return Poll::Ready(Ok(Some(std::mem::take(&mut self.first))));
        }
        let Some(source) = &mut self.source else {
            return Poll::Ready(Ok(None));
        };
        if let Poll::Ready(next) = source.poll_next(cx) {
            self.clock.stop();
            return Poll::Ready(next.transpose());
        }
        if let Some(upload) = &mut self.upload
            && let Poll::Ready(result) = upload.poll(cx)
        {
            self.upload = None;
            // The program has half a request, and waits for the rest.
            result?;
        }
        ready!(self.clock.poll(cx, &self.progress));
        tracing::warn!("the program has sent nothing more in time");
        Poll::Ready(Err(GatewayError::NoResponse))
    }

    /// Counts the bytes of the announced length.
    fn count(&mut self, bytes: Option<Bytes>) -> Result<Option<Bytes>, GatewayError> {
        let Some(left) = self.left else {
            return Ok(bytes);
        };
        let length = bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        match (left.checked_sub(length), &bytes) {
            (Some(0) | Some(_), Some(_)) => self.left = Some(left - length),
            (Some(0), None) => {}
            (Some(_), None) | (None, _) => return Err(broke(&WrongLength)),
        }
        Ok(bytes)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        let Some(source) = self.source.take() else {
            return;
        };
        // The client has everything. Servers drop a body after the last byte of its length, and the
        // program may have more to do.
        if self.left == Some(0)
            && let Ok(runtime) = Handle::try_current()
        {
            let progress = self.progress.clone();
            runtime.spawn(drain(
                source,
                self.upload.take(),
                progress,
                self.idle_timeout,
            ));
        }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let next = ready!(self.poll_data(cx));
        // An error is not the end, so the client's connection breaks off as well.
        Poll::Ready(next.map(|next| next.map(Frame::data).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none() && self.first.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            Some(left) => SizeHint::with_exact(left),
            None => SizeHint::default(),
        }
    }
}
