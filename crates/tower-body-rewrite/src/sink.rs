use std::{collections::VecDeque, ops::Range};

use bytes::Bytes;

/// A slice below this many bytes is copied into the neighbouring output instead of becoming a frame.
pub(crate) const COPY_BELOW: usize = 1024;

/// Where a [`Rewriter`](crate::Rewriter) writes to. What is written leaves as data frames, in order.
#[derive(Debug, Default)]
pub struct Sink {
    /// Whole frames, in front of `tail`.
    frames: VecDeque<Bytes>,
    /// The bytes of them.
    queued: usize,
    /// The frame that is being put together.
    tail: Vec<u8>,
    /// How often as much as the chunk that is being rewritten is still to come, before the output is handed on.
    more_to_come: usize,
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
            self.queued += bytes.len();
            self.frames.push_back(bytes);
        }
    }

    /// Writes a part of a chunk by handing it on; only a short one is copied.
    ///
    /// # Panics
    ///
    /// If the chunk has no such part.
    pub fn pass_part(&mut self, chunk: &Bytes, part: Range<usize>) {
        if part.len() < COPY_BELOW {
            // A slice of its own would take and release a handle.
            self.put(&chunk[part]);
        } else {
            self.pass(chunk.slice(part));
        }
    }

    /// Makes room for so many bytes that are about to be put for a chunk, and for as many for each chunk that is about to follow. What is not
    /// used of it is given back.
    pub fn reserve(&mut self, bytes: usize) {
        if self.tail.capacity() - self.tail.len() < bytes {
            self.tail.reserve(bytes * (1 + self.more_to_come));
        }
    }

    /// So many chunks are about to follow.
    pub(crate) fn expect(&mut self, more_to_come: usize) {
        self.more_to_come = more_to_come;
    }

    /// Takes the next frame out; `None` when nothing is left. The layer does this, and so does whoever tries
    /// a rewriter without one.
    pub fn next_frame(&mut self) -> Option<Bytes> {
        if self.frames.is_empty() {
            self.close_tail();
        }
        let frame = self.frames.pop_front()?;
        self.queued -= frame.len();
        Some(frame)
    }

    /// How many bytes are waiting.
    pub(crate) fn len(&self) -> usize {
        self.queued + self.tail.len()
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.queued += self.tail.len();
            let mut frame = std::mem::take(&mut self.tail);
            if frame.len() < frame.capacity() / 2 {
                frame.shrink_to_fit();
            }
            self.frames.push_back(frame.into());
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
        assert_eq!(sink.len(), 1);
        assert_eq!(sink.next_frame().as_deref(), Some(&b"c"[..]));
        assert_eq!(sink.next_frame(), None);
        assert_eq!(sink.len(), 0);
    }
}
