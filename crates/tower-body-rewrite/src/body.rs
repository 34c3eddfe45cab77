use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{Rewriter, Sink, remove_stale_headers};

/// How much output, in bytes, is made before it is handed on, more or less: input is rewritten in pieces, and
/// the next piece is smaller if the last one's output was above that. So one large frame does not multiply in
/// memory, whatever a rewriter makes of each byte.
const OUTPUT: usize = 64 * 1024;
/// The first piece, and the smallest and the largest, in bytes.
const FIRST_PIECE: usize = 4 * 1024;
const SMALLEST_PIECE: usize = 64;
const LARGEST_PIECE: usize = 64 * 1024;

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
    /// None: it answers HEAD, or is a 304. The inner body is not asked, not even for its length: a server
    /// would make a Content-Length of it, and GET would have had another one.
    Withheld,
    Rewriting(Rewriting<R, E>),
}

/// What goes on between the inner body and the reader.
struct Rewriting<R, E> {
    rewriter: R,
    /// What is left of the inner body's last frame.
    input: Bytes,
    /// How much of it to take next.
    piece: usize,
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

    pub(crate) fn withheld(inner: B) -> Self {
        Self {
            inner,
            mode: Mode::Withheld,
        }
    }

    pub(crate) fn rewritten(inner: B, rewriter: R) -> Self {
        Self {
            inner,
            mode: Mode::Rewriting(Rewriting {
                rewriter,
                input: Bytes::new(),
                piece: FIRST_PIECE,
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
        let rewriting = match this.mode {
            Mode::Untouched => return this.inner.poll_frame(cx),
            Mode::Withheld => return Poll::Ready(None),
            Mode::Rewriting(rewriting) => rewriting,
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
                rewriting.rewrite_a_piece();
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.mode {
            Mode::Untouched => self.inner.is_end_stream(),
            Mode::Withheld => true,
            // The inner body's end is not enough: a rewriter may have something left to say.
            Mode::Rewriting(rewriting) => {
                matches!(rewriting.end, End::Done) && rewriting.output.len() == 0
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.mode {
            Mode::Untouched => self.inner.size_hint(),
            Mode::Withheld => SizeHint::default(),
            Mode::Rewriting(rewriting) => rewriting.size_hint(),
        }
    }
}

impl<R: Rewriter, E> Rewriting<R, E> {
    /// Rewrites what comes next of the input.
    fn rewrite_a_piece(&mut self) {
        let piece = self.input.split_to(self.input.len().min(self.piece));
        self.rewriter.rewrite(piece, &mut self.output);
        self.piece = match self.output.len() {
            small if small < OUTPUT / 2 => (self.piece * 2).min(LARGEST_PIECE),
            large if large > OUTPUT => (self.piece / 2).max(SMALLEST_PIECE),
            _ => self.piece,
        };
    }

    /// Takes what the inner body has just given.
    fn take(&mut self, frame: Option<Result<Frame<Bytes>, E>>) {
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    self.rewriter.begin_frame(&mut self.output);
                    self.input = data;
                }
                // Trailers end a body, and may hold digests of it.
                Err(mut frame) => {
                    if let Some(trailers) = frame.trailers_mut() {
                        remove_stale_headers(trailers);
                    }
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
        if matches!(self.end, End::Done) {
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
