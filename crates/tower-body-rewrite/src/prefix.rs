//! The line rule: the prefix is at the start of the body and after every LF that is followed by at
//! least one byte. So an empty body stays empty, and a final newline begins no new line.
//!
//! The chunk rule: the prefix is before every chunk.
//!
//! DIFFERENCE: Ronacher's filter has the chunk rule only, and adds a space. Here the chunk rule is
//! opt-in, and no space is added.

use bytes::Bytes;
use memchr::memchr_iter;

use crate::{
    Rewriter, Sink, Tag,
    newlines::{CLOSE, Newlines},
    sink::{BLOCK, COPY_BELOW, LARGE_BLOCK},
};

/// The length in bytes from which a prefix is shared instead of copied.
const LONG: usize = 1024;

/// A rewriter that prepends a prefix to every line, or to every chunk.
///
/// Only LF (0x0A) ends a line. The prefix may be any bytes. Newlines in it begin no lines.
///
/// # Examples
///
/// ```
/// use tower_body_rewrite::{Prefix, Rewriter, Sink};
///
/// let (mut prefix, mut sink) = (Prefix::new("> "), Sink::default());
/// prefix.rewrite("one\ntwo\n".into(), &mut sink);
/// prefix.finish(&mut sink);
/// assert_eq!(sink.next_frame().as_deref(), Some(&b"> one\n> two\n"[..]));
/// ```
#[derive(Clone, Debug)]
pub struct Prefix {
    prefix: Bytes,
    /// The prefix and zeros, if it is short.
    short: Option<[u8; BLOCK]>,
    tag: Option<Tag>,
    place: Place,
}

fn short(prefix: &[u8]) -> Option<[u8; BLOCK]> {
    let mut short = [0; BLOCK];
    short.get_mut(..prefix.len())?.copy_from_slice(prefix);
    Some(short)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// The next byte of the body, if there is one, begins a line.
    LineStart,
    /// The next byte of the body does not begin a line.
    WithinLine,
    /// Lines do not count.
    Chunk,
}

impl Prefix {
    /// Creates a rewriter for one body that prepends the prefix to every line.
    #[must_use]
    pub fn new(prefix: impl Into<Bytes>) -> Self {
        let prefix = prefix.into();
        Self {
            tag: Some(Tag::of([b"prefix 1", &prefix[..]])),
            short: short(&prefix),
            prefix,
            place: Place::LineStart,
        }
    }

    /// Creates a rewriter for one body that prepends the prefix to every chunk, see
    /// [`PrefixLayer::chunks`](crate::PrefixLayer::chunks).
    #[must_use]
    pub fn chunks(prefix: impl Into<Bytes>) -> Self {
        let prefix = prefix.into();
        Self {
            short: short(&prefix),
            prefix,
            // The result depends on how the body is cut.
            tag: None,
            place: Place::Chunk,
        }
    }

    /// Reserves room for a chunk of short lines, which are copied with their prefixes. If the first
    /// whole line is short, most lines are. Returns its length.
    fn make_room(&self, chunk: &[u8], out: &mut Sink) -> usize {
        let mut newlines = memchr_iter(b'\n', &chunk[..chunk.len().min(COPY_BELOW)]);
        let start = match self.place {
            Place::WithinLine => newlines.next().map_or(0, |newline| newline + 1),
            Place::LineStart | Place::Chunk => 0,
        };
        let end = newlines.next().map_or(chunk.len(), |newline| newline + 1);
        let line = (end - start).max(1);
        if line < COPY_BELOW {
            let prefixes = (chunk.len() / line + 1) * self.prefix.len();
            out.reserve(chunk.len() + prefixes.min(chunk.len()) + LARGE_BLOCK);
        }
        line
    }

    /// Writes the lines of a chunk, each with its prefix.
    #[inline]
    fn put_lines(&mut self, chunk: &Bytes, newlines: impl Iterator<Item = usize>, out: &mut Sink) {
        if self.place == Place::LineStart {
            self.put_prefix(out);
        }
        let mut start = 0;
        for newline in newlines {
            out.pass_part(chunk, start..newline + 1);
            start = newline + 1;
            if start < chunk.len() {
                self.put_prefix(out);
            }
        }
        self.place = if start < chunk.len() {
            out.pass_part(chunk, start..chunk.len());
            Place::WithinLine
        } else {
            Place::LineStart
        };
    }

    #[inline]
    fn put_prefix(&self, out: &mut Sink) {
        if let Some(short) = &self.short {
            out.put_block(short, self.prefix.len());
        } else if self.prefix.len() < LONG {
            out.put(&self.prefix);
        } else {
            out.pass(self.prefix.clone());
        }
    }
}

impl Rewriter for Prefix {
    fn tag(&self) -> Option<Tag> {
        self.tag
    }

    fn growth(&self) -> usize {
        self.prefix.len().min(LONG) + 1
    }

    fn begin_frame(&mut self, out: &mut Sink) {
        if self.place == Place::Chunk {
            self.put_prefix(out);
        }
    }

    fn rewrite(&mut self, chunk: Bytes, out: &mut Sink) {
        if self.place == Place::Chunk {
            return out.pass(chunk);
        }
        if chunk.is_empty() {
            return;
        }
        if self.make_room(&chunk, out) < CLOSE {
            self.put_lines(&chunk, Newlines::new(&chunk), out);
        } else {
            self.put_lines(&chunk, memchr_iter(b'\n', &chunk), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten<'a>(prefix: &'static str, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut rewriter = Prefix::new(prefix);
        let mut sink = Sink::default();
        for chunk in chunks {
            rewriter.rewrite(Bytes::copy_from_slice(chunk), &mut sink);
        }
        rewriter.finish(&mut sink);
        std::iter::from_fn(|| sink.next_frame()).flatten().collect()
    }

    #[test]
    fn body_rewrite_1_a_prefix_is_before_every_line() {
        let table: [(&[&[u8]], &[u8], &str); 11] = [
            (&[], b"", "no body stays no body"),
            (&[b"", b""], b"", "empty chunks make no line either"),
            (&[b"a"], b"> a", "one line without an end"),
            (&[b"a\n"], b"> a\n", "a final newline begins no line"),
            (&[b"\n\n"], b"> \n> \n", "empty lines are lines"),
            (&[b"a\nb"], b"> a\n> b", "two lines"),
            (&[b"a\n", b"b"], b"> a\n> b", "a cut after the newline"),
            (&[b"a", b"\nb"], b"> a\n> b", "a cut before the newline"),
            (&[b"a\r", b"\nb"], b"> a\r\n> b", "a cut within CRLF"),
            (&[b"a\rb"], b"> a\rb", "CR alone ends no line"),
            (
                &[b"\xc3", b"\xa9\n", b"\xff"],
                b"> \xc3\xa9\n> \xff",
                "bytes, not characters",
            ),
        ];
        for (chunks, expected, why) in table {
            assert_eq!(rewritten("> ", chunks.iter().copied()), expected, "{why}");
        }
    }

    #[test]
    fn body_rewrite_1_a_newline_in_the_prefix_begins_no_line() {
        assert_eq!(rewritten("\n-", [&b"a\nb"[..]]), b"\n-a\n\n-b");
    }

    #[test]
    fn a_long_line_is_passed_without_a_copy() {
        let line = Bytes::from(vec![b'x'; 4096]);
        let mut sink = Sink::default();
        Prefix::new("> ").rewrite(line.clone(), &mut sink);
        assert_eq!(sink.next_frame().as_deref(), Some(&b"> "[..]));
        assert_eq!(
            sink.next_frame().map(|frame| frame.as_ptr()),
            Some(line.as_ptr())
        );
    }
}
