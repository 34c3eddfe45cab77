use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{Rewriter, Sink};

/// The most input, in bytes, that is rewritten before the output is handed on, so that one large frame
/// does not multiply in memory.
const PIECE: usize = 64 * 1024;

pin_project! {
    /// The body of a response that went through [`Rewrite`](crate::Rewrite).
    pub struct ResponseBody<B: Body, R> {
        #[pin]
        inner: B,
        mode: Mode<R, B::Error>,
    }
}

enum Mode<R, E> {
    /// The inner body as it is.
    Untouched,
    /// The inner body as it is, but for its length: that of a response to HEAD speaks of the bytes that
    /// GET would have had rewritten, and a server makes a Content-Length of it.
    Unmeasured,
    Rewriting(Rewriting<R, E>),
}

/// What goes on between the inner body and the reader.
struct Rewriting<R, E> {
    rewriter: R,
    /// What is left of the inner body's last frame.
    input: Bytes,
    output: Sink,
    end: End<E>,
}

/// What follows when the output is drained.
enum End<E> {
    /// More of the inner body.
    NotYet,
    /// This last frame: the trailers, or the inner body's error.
    Last(Result<Frame<Bytes>, E>),
    /// Nothing.
    Done,
}

impl<B: Body, R> ResponseBody<B, R> {
    pub(crate) fn untouched(inner: B) -> Self {
        Self {
            inner,
            mode: Mode::Untouched,
        }
    }

    pub(crate) fn unmeasured(inner: B) -> Self {
        Self {
            inner,
            mode: Mode::Unmeasured,
        }
    }

    pub(crate) fn rewritten(inner: B, rewriter: R) -> Self {
        Self {
            inner,
            mode: Mode::Rewriting(Rewriting {
                rewriter,
                input: Bytes::new(),
                output: Sink::default(),
                end: End::NotYet,
            }),
        }
    }
}

impl<B, R> Body for ResponseBody<B, R>
where
    B: Body<Data = Bytes>,
    R: Rewriter,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let Mode::Rewriting(rewriting) = this.mode else {
            return this.inner.poll_frame(cx);
        };
        loop {
            if let Some(data) = rewriting.output.next_frame() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            match std::mem::replace(&mut rewriting.end, End::Done) {
                End::NotYet => rewriting.end = End::NotYet,
                End::Last(last) => return Poll::Ready(Some(last)),
                End::Done => return Poll::Ready(None),
            }
            if rewriting.input.is_empty() {
                rewriting.take(ready!(this.inner.as_mut().poll_frame(cx)));
            } else {
                let size = rewriting.input.len().min(PIECE);
                let piece = rewriting.input.split_to(size);
                rewriting.rewriter.rewrite(piece, &mut rewriting.output);
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.mode {
            Mode::Untouched | Mode::Unmeasured => self.inner.is_end_stream(),
            // The inner body's end is not enough: a rewriter may have something left to say.
            Mode::Rewriting(rewriting) => {
                matches!(rewriting.end, End::Done) && rewriting.output.len() == 0
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.mode {
            Mode::Untouched => self.inner.size_hint(),
            Mode::Unmeasured => SizeHint::default(),
            Mode::Rewriting(rewriting) => rewriting.size_hint(),
        }
    }
}

impl<R: Rewriter, E> Rewriting<R, E> {
    /// Takes what the inner body has just given.
    fn take(&mut self, frame: Option<Result<Frame<Bytes>, E>>) {
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => self.input = data,
                // Trailers end a body.
                Err(frame) => {
                    self.rewriter.finish(&mut self.output);
                    self.end = End::Last(Ok(frame));
                }
            },
            Some(Err(error)) => {
                self.rewriter.abandon(&mut self.output);
                self.end = End::Last(Err(error));
            }
            None => {
                self.rewriter.finish(&mut self.output);
                self.end = End::Done;
            }
        }
    }
}

impl<R, E> Rewriting<R, E> {
    /// Only what waits in the output is sure: a rewriter may shorten or lengthen the rest.
    fn size_hint(&self) -> SizeHint {
        let waiting = self.output.len() as u64;
        let mut hint = SizeHint::default();
        hint.set_lower(waiting);
        if !matches!(self.end, End::NotYet) {
            hint.set_upper(waiting);
        }
        hint
    }
}

impl<B: Body + fmt::Debug, R> fmt::Debug for ResponseBody<B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody")
            .field("inner", &self.inner)
            .field("rewritten", &matches!(self.mode, Mode::Rewriting(_)))
            .finish()
    }
}
