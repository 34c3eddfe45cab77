use std::{collections::VecDeque, ops::Range};

use bytes::Bytes;

/// The length in bytes below which a slice is copied into the output instead of becoming a frame.
pub(crate) const COPY_BELOW: usize = 1024;

/// The lengths in bytes of blocks. The copy of a block is a few instructions, and not a call that
/// distinguishes lengths: for `ratios` body-rewrite/20-bytes and 80-bytes.
pub(crate) const BLOCK: usize = 32;
pub(crate) const LARGE_BLOCK: usize = 96;

/// The output of a [`Rewriter`](crate::Rewriter). It becomes data frames, in order.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use tower_body_rewrite::Sink;
///
/// let mut sink = Sink::default();
/// sink.put(b"copied, ");
/// sink.pass(Bytes::from_static(b"passed"));
/// assert_eq!(sink.next_frame().as_deref(), Some(&b"copied, passed"[..]));
/// assert_eq!(sink.next_frame(), None);
/// ```
#[derive(Debug, Default)]
pub struct Sink {
    /// Complete frames, which are before `tail`.
    frames: VecDeque<Bytes>,
    /// The number of bytes in them.
    queued: usize,
    /// The frame that is not complete.
    tail: Vec<u8>,
    /// The number of chunks that follow the current one before the output is read.
    more_to_come: usize,
}

impl Sink {
    /// Writes bytes, and copies them.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
    }

    /// Writes the first `len` bytes of a block, and copies all.
    #[inline]
    pub(crate) fn put_block<const N: usize>(&mut self, block: &[u8; N], len: usize) {
        let end = self.tail.len() + len;
        self.tail.extend_from_slice(block);
        self.tail.truncate(end);
    }

    /// Writes bytes without a copy. Only a slice below 1 KiB is copied.
    pub fn pass(&mut self, bytes: Bytes) {
        if bytes.len() < COPY_BELOW {
            self.put(&bytes);
        } else {
            self.close_tail();
            self.queued += bytes.len();
            self.frames.push_back(bytes);
        }
    }

    /// Writes a part of a chunk without a copy. Only a part below 1 KiB is copied.
    ///
    /// # Panics
    ///
    /// Panics if the part is not within the chunk.
    #[inline]
    pub fn pass_part(&mut self, chunk: &Bytes, part: Range<usize>) {
        if part.len() <= BLOCK
            && let Some(block) = chunk[part.start..].first_chunk::<BLOCK>()
        {
            self.put_block(block, part.len());
        } else if part.len() <= LARGE_BLOCK
            && let Some(block) = chunk[part.start..].first_chunk::<LARGE_BLOCK>()
        {
            self.put_block(block, part.len());
        } else if part.len() < COPY_BELOW {
            // A slice would acquire and release a handle.
            self.put(&chunk[part]);
        } else {
            self.pass(chunk.slice(part));
        }
    }

    /// Reserves room for the bytes that are put for a chunk, and for as many for each chunk that
    /// follows. Unused room is released.
    pub fn reserve(&mut self, bytes: usize) {
        if self.tail.capacity() - self.tail.len() < bytes {
            self.tail.reserve(bytes * (1 + self.more_to_come));
        }
    }

    /// Sets the number of chunks that follow.
    pub(crate) fn expect(&mut self, more_to_come: usize) {
        self.more_to_come = more_to_come;
    }

    /// Removes and returns the next frame, or `None` if there is none. The layer calls it. Tests of
    /// a rewriter can call it too.
    pub fn next_frame(&mut self) -> Option<Bytes> {
        let Some(frame) = self.frames.pop_front() else {
            return self.take_tail();
        };
        self.queued -= frame.len();
        Some(frame)
    }

    /// Returns the number of bytes that are waiting.
    pub(crate) fn len(&self) -> usize {
        self.queued + self.tail.len()
    }

    fn close_tail(&mut self) {
        if let Some(frame) = self.take_tail() {
            self.queued += frame.len();
            self.frames.push_back(frame);
        }
    }

    fn take_tail(&mut self) -> Option<Bytes> {
        if self.tail.is_empty() {
            return None;
        }
        let mut frame = std::mem::take(&mut self.tail);
        if frame.len() < frame.capacity() / 2 {
            frame.shrink_to_fit();
        }
        Some(frame.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_the_order_in_which_they_were_written() {
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
