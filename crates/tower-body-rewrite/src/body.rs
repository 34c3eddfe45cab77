use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{Rewriter, Sink, Tag, adapt_headers};

/// The output in bytes after which rewriting pauses until it is read. A piece of input makes at
/// most four times as much, so that one large frame does not multiply in memory.
const OUTPUT: usize = 64 * 1024;
/// The smallest and the largest piece of input, in bytes.
const SMALLEST_PIECE: usize = 64;
const LARGEST_PIECE: usize = 64 * 1024;

pin_project! {
    /// The body of a response that went through [`Rewrite`](crate::Rewrite).
    pub struct ResponseBody<B: Body, R> {
        #[pin]
        kind: Kind<B, R>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B: Body, R> {
        // The inner body, unchanged.
        Untouched { #[pin] inner: B },
        // No body: a response to HEAD, or a 304.
        Withheld { length: Option<u64> },
        // It is boxed, because it is read before it is in the response, and because it is large.
        Rewriting { rewriting: Pin<Box<Rewriting<B, R>>> },
    }
}

pin_project! {
    /// The state between the inner body and the reader.
    pub(crate) struct Rewriting<B: Body, R> {
        #[pin]
        inner: B,
        rewriter: R,
        tag: Option<Tag>,
        // The rest of the inner body's last frame.
        input: Bytes,
        // The maximum length of a piece of it.
        piece: usize,
        output: Sink,
        end: End<B::Error>,
    }
}

/// The end of the body, after the output is drained.
enum End<E> {
    /// More of the inner body follows.
    NotYet,
    /// This last frame follows: the trailers, or the inner body's error.
    Last(Result<Frame<Bytes>, E>),
    /// Nothing follows.
    Done,
}

/// Returns an empty body. tower-http's CORS and timeouts need it, because they may replace the
/// response.
impl<B: Body, R> Default for ResponseBody<B, R> {
    fn default() -> Self {
        Self {
            kind: Kind::Withheld { length: Some(0) },
        }
    }
}

impl<B: Body, R> ResponseBody<B, R> {
    pub(crate) fn untouched(inner: B) -> Self {
        Self {
            kind: Kind::Untouched { inner },
        }
    }

    /// Returns the body of a response to HEAD. Its length is unknown. A framework would make a
    /// Content-Length of an exact one.
    pub(crate) fn of_head() -> Self {
        Self::withheld(None)
    }

    /// Returns the body of a 304. Its length is zero, so an outer layer does not compress it.
    pub(crate) fn of_not_modified() -> Self {
        Self::withheld(Some(0))
    }

    fn withheld(length: Option<u64>) -> Self {
        Self {
            kind: Kind::Withheld { length },
        }
    }

    pub(crate) fn rewritten(rewriting: Pin<Box<Rewriting<B, R>>>) -> Self {
        Self {
            kind: Kind::Rewriting { rewriting },
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
        match self.project().kind.project() {
            KindProj::Untouched { inner } => inner.poll_frame(cx),
            KindProj::Withheld { .. } => Poll::Ready(None),
            KindProj::Rewriting { rewriting } => rewriting.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Untouched { inner } => inner.is_end_stream(),
            Kind::Withheld { .. } => true,
            // The inner body's end is not enough, because the rewriter may have more to write.
            Kind::Rewriting { rewriting } => {
                matches!(rewriting.end, End::Done) && rewriting.output.len() == 0
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Untouched { inner } => inner.size_hint(),
            Kind::Withheld { length } => {
                length.map_or_else(SizeHint::default, SizeHint::with_exact)
            }
            Kind::Rewriting { rewriting } => rewriting.size_hint(),
        }
    }
}

impl<B, R> Rewriting<B, R>
where
    B: Body<Data = Bytes>,
    R: Rewriter,
{
    pub(crate) fn new(inner: B, rewriter: R, tag: Option<Tag>) -> Self {
        Self {
            inner,
            piece: (4 * OUTPUT / rewriter.growth().max(1)).clamp(SMALLEST_PIECE, LARGEST_PIECE),
            rewriter,
            tag,
            input: Bytes::new(),
            output: Sink::default(),
            end: End::NotYet,
        }
    }

    /// Rewrites the first frame if it is ready. Returns the new body's length if that was the only
    /// frame and not too large.
    pub(crate) fn read_ahead(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Option<u64> {
        // The frame, and then the end that shows that it was the only one.
        for _ in 0..2 {
            let Poll::Ready(()) = self.as_mut().poll_inner(cx) else {
                return None;
            };
            self.as_mut().rewrite_input();
            if !self.input.is_empty() {
                return None;
            }
            match self.end {
                End::NotYet => {}
                End::Last(_) => return None,
                End::Done => return Some(self.output.len() as u64),
            }
        }
        None
    }

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        loop {
            let this = self.as_mut().project();
            if let Some(data) = this.output.next_frame() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            match std::mem::replace(this.end, End::Done) {
                End::NotYet => *this.end = End::NotYet,
                End::Last(last) => return Poll::Ready(Some(last)),
                End::Done => return Poll::Ready(None),
            }
            if this.input.is_empty() {
                ready!(self.as_mut().poll_inner(cx));
            } else {
                self.as_mut().rewrite_input();
            }
        }
    }

    /// Takes the next frame of the inner body.
    fn poll_inner(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let frame = match this.inner.is_end_stream() {
            true => None,
            false => ready!(this.inner.poll_frame(cx)),
        };
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    this.rewriter.begin_frame(this.output);
                    *this.input = data;
                }
                // Trailers end a body, and may have the same fields about it as its head.
                Err(mut frame) => {
                    if let Some(trailers) = frame.trailers_mut() {
                        adapt_headers(trailers, None, *this.tag);
                    }
                    this.rewriter.finish(this.output);
                    *this.end = End::Last(Ok(frame));
                }
            },
            Some(Err(error)) => {
                this.rewriter.abandon(this.output);
                *this.end = End::Last(Err(error));
            }
            None => {
                this.rewriter.finish(this.output);
                *this.end = End::Done;
            }
        }
        Poll::Ready(())
    }

    /// Rewrites the rest of the input until there is enough output.
    fn rewrite_input(self: Pin<&mut Self>) {
        let this = self.project();
        while !this.input.is_empty() && this.output.len() < OUTPUT {
            let piece = match this.input.len() <= *this.piece {
                true => std::mem::take(this.input),
                false => this.input.split_to(*this.piece),
            };
            let to_come = this.input.len().min(OUTPUT - this.output.len());
            this.output.expect(to_come.div_ceil(*this.piece));
            this.rewriter.rewrite(piece, this.output);
        }
    }
}

impl<B: Body, R> Rewriting<B, R> {
    /// Only the bytes in the output are certain, because a rewriter may shorten or lengthen the
    /// rest.
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
        match &self.kind {
            Kind::Untouched { inner } => f.debug_tuple("Untouched").field(inner).finish(),
            Kind::Withheld { .. } => f.write_str("Withheld"),
            Kind::Rewriting { rewriting } => {
                f.debug_tuple("Rewritten").field(&rewriting.inner).finish()
            }
        }
    }
}
