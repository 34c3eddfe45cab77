//! What a rewriter is, and where it writes to.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

/// A slice below this many bytes is copied into the neighbouring output instead of becoming a frame.
const COPY_BELOW: usize = 1024;

/// Turns the bytes of one response body into other bytes.
///
/// The result must not depend on how the body is cut into chunks. A rewriter may hold back the bytes
/// whose fate the next chunk decides, and nothing else: whoever reads the body is waiting.
pub trait Rewriter {
    /// A frame of the body begins, whose bytes follow in one chunk or in several; in none if it is empty. What
    /// is a frame is an accident of how the body is made and sent, so there is seldom anything to do here.
    fn begin_frame(&mut self, out: &mut Sink) {
        let _ = out;
    }

    /// Takes the next bytes of the body, never an empty chunk, and writes what becomes of them.
    fn rewrite(&mut self, chunk: Bytes, out: &mut Sink);

    /// The body has ended well: writes what was held back, and a footer if there is one.
    fn finish(&mut self, out: &mut Sink) {
        let _ = out;
    }

    /// The body has failed: writes what was held back and nothing else. The error follows.
    fn abandon(&mut self, out: &mut Sink) {
        let _ = out;
    }
}

/// Where a [`Rewriter`] writes to. What is written leaves as data frames, in order.
#[derive(Debug, Default)]
pub struct Sink {
    /// Whole frames, in front of `tail`.
    frames: VecDeque<Bytes>,
    /// The frame that is being put together.
    tail: BytesMut,
}

impl Sink {
    /// Writes bytes by copying them.
    pub fn put(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
    }

    /// Writes bytes by handing them on; only a short slice is copied.
    pub fn pass(&mut self, bytes: Bytes) {
        if bytes.len() < COPY_BELOW {
            self.put(&bytes);
        } else {
            self.close_tail();
            self.frames.push_back(bytes);
        }
    }

    /// Writes the first `count` bytes of a chunk by handing them on; only a short slice is copied.
    ///
    /// # Panics
    ///
    /// If the chunk has fewer bytes.
    pub fn pass_front(&mut self, chunk: &mut Bytes, count: usize) {
        if count < COPY_BELOW {
            // Splitting would take and release a handle for each slice.
            self.put(&chunk[..count]);
            chunk.advance(count);
        } else {
            self.pass(chunk.split_to(count));
        }
    }

    /// Takes the next frame out; `None` when nothing is left. The layer does this, and so does whoever tries
    /// a rewriter without one.
    pub fn next_frame(&mut self) -> Option<Bytes> {
        if self.frames.is_empty() {
            self.close_tail();
        }
        self.frames.pop_front()
    }

    /// How many bytes are waiting.
    pub(crate) fn len(&self) -> usize {
        self.frames.iter().map(Bytes::len).sum::<usize>() + self.tail.len()
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.frames.push_back(self.tail.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_and_passed_leaves_in_order() {
        let long = Bytes::from(vec![b'x'; COPY_BELOW]);
        let mut sink = Sink::default();
        sink.put(b"a");
        sink.pass(Bytes::from_static(b"b"));
        sink.pass(long.clone());
        sink.put(b"c");
        assert_eq!(sink.len(), COPY_BELOW + 3);
        assert_eq!(sink.next_frame().as_deref(), Some(&b"ab"[..]));
        assert_eq!(
            sink.next_frame().map(|frame| frame.as_ptr()),
            Some(long.as_ptr())
        );
        assert_eq!(sink.next_frame().as_deref(), Some(&b"c"[..]));
        assert_eq!(sink.next_frame(), None);
        assert_eq!(sink.len(), 0);
    }
}
