//! The line rule: a prefix stands at the start of the body and after every LF that at least one byte
//! follows. So an empty body stays empty, and a final newline opens no new line.
//!
//! And the chunk rule, which is the ancestor's: a prefix stands before every chunk.

use bytes::Bytes;
use memchr::memchr;

use crate::{Rewriter, Sink};

/// From this length on, in bytes, a prefix is shared instead of copied.
const LONG: usize = 1024;

/// Puts a prefix before every line, or before every chunk.
///
/// Only LF (0x0A) ends a line. The prefix is bytes and is not looked at: it may hold newlines itself,
/// and they open no lines.
#[derive(Clone, Debug)]
pub struct Prefix {
    prefix: Bytes,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// The next byte of the body, if there is one, is the first of a line.
    LineStart,
    /// It is not.
    WithinLine,
    /// Lines are not looked at.
    Chunk,
}

impl Prefix {
    /// A rewriter for one body, line by line.
    #[must_use]
    pub fn new(prefix: impl Into<Bytes>) -> Self {
        Self {
            prefix: prefix.into(),
            place: Place::LineStart,
        }
    }

    /// A rewriter for one body, chunk by chunk, see [`PrefixLayer::chunks`](crate::PrefixLayer::chunks).
    #[must_use]
    pub fn chunks(prefix: impl Into<Bytes>) -> Self {
        Self {
            prefix: prefix.into(),
            place: Place::Chunk,
        }
    }

    fn put_prefix(&self, out: &mut Sink) {
        if self.prefix.len() < LONG {
            out.put(&self.prefix);
        } else {
            out.pass(self.prefix.clone());
        }
    }
}

impl Rewriter for Prefix {
    fn begin_frame(&mut self, out: &mut Sink) {
        if self.place == Place::Chunk {
            self.put_prefix(out);
        }
    }

    fn rewrite(&mut self, mut chunk: Bytes, out: &mut Sink) {
        if self.place == Place::Chunk {
            return out.pass(chunk);
        }
        while !chunk.is_empty() {
            if self.place == Place::LineStart {
                self.put_prefix(out);
            }
            let newline = memchr(b'\n', &chunk);
            let line = newline.map_or(chunk.len(), |at| at + 1);
            out.pass_front(&mut chunk, line);
            self.place = match newline {
                Some(_) => Place::LineStart,
                None => Place::WithinLine,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    /// The rule read off its own words.
    fn naive(prefix: &str, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for (at, byte) in body.iter().enumerate() {
            if at == 0 || body[at - 1] == b'\n' {
                out.extend_from_slice(prefix.as_bytes());
            }
            out.push(*byte);
        }
        out
    }

    #[test]
    fn a_prefix_stands_before_every_line() {
        let table: [(&[&[u8]], &[u8], &str); 11] = [
            (&[], b"", "no body stays no body"),
            (&[b"", b""], b"", "nor do empty chunks make a line"),
            (&[b"a"], b"> a", "one line without an end"),
            (&[b"a\n"], b"> a\n", "a final newline opens no line"),
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
    fn a_newline_in_the_prefix_opens_no_line() {
        assert_eq!(rewritten("\n-", [&b"a\nb"[..]]), b"\n-a\n\n-b");
    }

    #[test]
    fn a_long_line_is_handed_on_without_a_copy() {
        let line = Bytes::from(vec![b'x'; 4096]);
        let mut sink = Sink::default();
        Prefix::new("> ").rewrite(line.clone(), &mut sink);
        assert_eq!(sink.next_frame().as_deref(), Some(&b"> "[..]));
        assert_eq!(
            sink.next_frame().map(|frame| frame.as_ptr()),
            Some(line.as_ptr())
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn the_result_does_not_depend_on_how_the_body_is_cut(
            body in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
            cuts.sort_unstable();
            let mut rest = &body[..];
            let mut done = 0;
            let mut chunks = Vec::new();
            for cut in cuts {
                let (chunk, after) = rest.split_at(cut - done);
                chunks.push(chunk);
                rest = after;
                done = cut;
            }
            chunks.push(rest);
            prop_assert_eq!(rewritten("> ", chunks), naive("> ", &body));
        }
    }
}
