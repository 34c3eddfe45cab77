//! Bytes that a connection writes together.

use std::io::IoSlice;

use bytes::{Buf, Bytes};

use crate::record::{END_REQUEST, HEADER_LEN, Header, MAX_CONTENT, STDOUT};

/// The largest content of a record, in bytes. Its length is a multiple of eight.
pub(crate) const LARGEST: usize = MAX_CONTENT & !7;
/// Content up to this size is copied, because that takes less time than to write it from its own
/// place, in bytes.
const SMALL: usize = 8 * 1024;
/// A larger buffer is not kept, in bytes.
const KEPT: usize = 64 * 1024;

/// How a connection frames what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Records.
    FastCgi,
    /// The bytes of the only response, which ends with the connection.
    Plain,
}

/// Bytes that are written together. Short ones are in one buffer, which is reused.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    buffer: Vec<u8>,
    /// The bytes of the buffer that are written.
    written: usize,
    /// What is not written, the next part last.
    parts: Vec<Part>,
    /// The part from which on all is to be written.
    first: usize,
}

#[derive(Debug)]
enum Part {
    /// The next bytes of the buffer.
    Buffer(usize),
    Bytes(Bytes),
}

impl Frames {
    pub(crate) fn is_empty(&self) -> bool {
        self.first == self.parts.len()
    }

    /// Adds output of a request: a head and content, either of which may be empty. Mostly both are
    /// one record.
    pub(crate) fn output(
        &mut self,
        framing: Framing,
        id: u16,
        head: impl FnOnce(&mut Vec<u8>),
        mut data: Bytes,
    ) {
        let begin = self.buffer.len();
        if framing == Framing::Plain {
            head(&mut self.buffer);
            self.part(self.buffer.len() - begin);
            return self.data(data);
        }
        self.buffer.extend([0; HEADER_LEN]);
        head(&mut self.buffer);
        let length = self.buffer.len() - begin - HEADER_LEN;
        if length > LARGEST {
            let head = self.buffer.split_off(begin + HEADER_LEN);
            self.buffer.truncate(begin);
            self.records(id, head.into());
            return self.records(id, data);
        }
        let first = data.split_to(data.len().min(LARGEST - length));
        match length + first.len() {
            // An empty record would be the end of the output.
            0 => self.buffer.truncate(begin),
            content => {
                let header = header(STDOUT, id, content);
                self.buffer[begin..begin + HEADER_LEN].copy_from_slice(&header);
                self.part(HEADER_LEN + length);
                self.data(first);
            }
        }
        self.records(id, data);
    }

    /// Adds the end of a request with a status of the protocol.
    pub(crate) fn end(&mut self, framing: Framing, id: u16, status: u8) {
        if framing == Framing::FastCgi {
            self.raw(&header(END_REQUEST, id, 8));
            self.raw(&[0, 0, 0, 0, status, 0, 0, 0]);
        }
    }

    /// Adds bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.part(bytes.len());
    }

    fn records(&mut self, id: u16, mut bytes: Bytes) {
        while !bytes.is_empty() {
            let content = bytes.split_to(bytes.len().min(LARGEST));
            self.raw(&header(STDOUT, id, content.len()));
            self.data(content);
        }
    }

    fn data(&mut self, bytes: Bytes) {
        match bytes.len() {
            ..=SMALL => self.raw(&bytes),
            _ => self.parts.push(Part::Bytes(bytes)),
        }
    }

    /// Notes bytes that were appended to the buffer.
    fn part(&mut self, more: usize) {
        match self.parts[self.first..].last_mut() {
            Some(Part::Buffer(length)) => *length += more,
            _ if more == 0 => {}
            _ => self.parts.push(Part::Buffer(more)),
        }
    }

    /// Fills slices with what is to be written, as far as there are any.
    pub(crate) fn slices<'a, 'b>(&'a self, to: &'b mut [IoSlice<'a>]) -> &'b [IoSlice<'a>] {
        let mut buffer = &self.buffer[self.written..];
        let mut count = 0;
        for (to, part) in to.iter_mut().zip(&self.parts[self.first..]) {
            *to = IoSlice::new(match part {
                Part::Bytes(bytes) => bytes,
                Part::Buffer(length) => {
                    let (part, rest) = buffer.split_at(*length);
                    buffer = rest;
                    part
                }
            });
            count += 1;
        }
        &to[..count]
    }

    /// Removes bytes that were written. After the last one, all of it is empty.
    pub(crate) fn advance(&mut self, mut count: usize) {
        while let Some(part) = self.parts.get_mut(self.first) {
            let (left, is_buffer) = match part {
                Part::Buffer(length) => (*length, true),
                Part::Bytes(bytes) => (bytes.len(), false),
            };
            let now = left.min(count);
            count -= now;
            self.written += if is_buffer { now } else { 0 };
            if now < left {
                match part {
                    Part::Buffer(length) => *length -= now,
                    Part::Bytes(bytes) => bytes.advance(now),
                }
                return;
            }
            self.first += 1;
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.parts.clear();
        self.buffer.clear();
        (self.first, self.written) = (0, 0);
        if self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
    }
}

fn header(kind: u8, id: u16, length: usize) -> [u8; HEADER_LEN] {
    let content = length
        .try_into()
        .expect("a record has at most 65,535 bytes");
    let header = Header {
        kind,
        id,
        content,
        padding: 0,
    };
    header.bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAMING: Framing = Framing::FastCgi;

    /// Takes all bytes, in writes of this size.
    fn written(frames: &mut Frames, size: usize) -> Vec<u8> {
        let mut written = Vec::new();
        while !frames.is_empty() {
            let mut slices = [IoSlice::new(&[]); 2];
            let slices = frames.slices(&mut slices);
            assert!(slices.iter().all(|slice| !slice.is_empty()));
            let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
            let before = written.len();
            written.extend(bytes.take(size));
            let count = written.len() - before;
            frames.advance(count);
        }
        written
    }

    /// Returns the type, the id and the content of each record.
    fn records(mut bytes: &[u8]) -> Vec<(u8, u16, Vec<u8>)> {
        let mut records = Vec::new();
        while let Some(header) = Header::parse(bytes).unwrap() {
            assert_eq!(header.padding, 0);
            let end = HEADER_LEN + usize::from(header.content);
            records.push((header.kind, header.id, bytes[HEADER_LEN..end].to_vec()));
            bytes = &bytes[end..];
        }
        assert!(bytes.is_empty());
        records
    }

    fn head(length: usize) -> impl FnOnce(&mut Vec<u8>) {
        move |to| to.extend(vec![b'h'; length])
    }

    #[test]
    fn gateway_33_a_short_response_is_one_record() {
        let mut frames = Frames::default();
        frames.output(FRAMING, 7, head(3), Bytes::from_static(b"content"));
        frames.end(FRAMING, 7, 2);
        let mut slices = [IoSlice::new(&[]); 2];
        assert_eq!(frames.slices(&mut slices).len(), 1);
        let end = (END_REQUEST, 7, vec![0, 0, 0, 0, 2, 0, 0, 0]);
        let expected = [(STDOUT, 7, b"hhhcontent".to_vec()), end];
        assert_eq!(records(&written(&mut frames, 1000)), expected);
        assert_eq!((frames.buffer.len(), frames.parts.len()), (0, 0));
    }

    #[test]
    fn gateway_33_records_are_the_same_however_they_are_written() {
        let large = Bytes::from(vec![b'x'; 2 * LARGEST + 1]);
        for (length, data, expected) in [
            (0, Bytes::new(), &[][..]),
            (5, Bytes::new(), &[5]),
            (0, large.slice(..SMALL), &[SMALL]),
            (2, large.slice(..SMALL + 1), &[SMALL + 3]),
            (2, large.slice(..LARGEST), &[LARGEST, 2]),
            (LARGEST, large.slice(..1), &[LARGEST, 1]),
            (LARGEST + 1, large.slice(..1), &[LARGEST, 1, 1]),
            (0, large.clone(), &[LARGEST, LARGEST, 1]),
        ] {
            for size in [1, 9, 1000, usize::MAX] {
                let mut frames = Frames::default();
                frames.output(FRAMING, 1, head(length), data.clone());
                frames.output(FRAMING, 2, |_| {}, Bytes::from_static(b"next"));
                let mut found = records(&written(&mut frames, size));
                assert_eq!(found.pop(), Some((STDOUT, 2, b"next".to_vec())));
                let lengths: Vec<_> = found.iter().map(|(.., content)| content.len()).collect();
                assert_eq!(lengths, expected, "{length} and {}", data.len());
                let content: Vec<u8> = found
                    .into_iter()
                    .flat_map(|(.., content)| content)
                    .collect();
                assert!(content == [&vec![b'h'; length][..], &data].concat());
            }
        }
    }

    #[test]
    fn gateway_35_without_records_there_are_the_bytes_alone() {
        let mut frames = Frames::default();
        frames.output(
            Framing::Plain,
            1,
            head(2),
            Bytes::from(vec![b'x'; SMALL + 1]),
        );
        frames.end(Framing::Plain, 1, 0);
        let expected = [b"hh", &[b'x'; SMALL + 1][..]].concat();
        assert!(written(&mut frames, 100) == expected);
    }

    #[test]
    fn gateway_33_a_large_buffer_is_not_kept() {
        let mut frames = Frames::default();
        for (length, is_kept) in [(100, true), (2 * KEPT, false)] {
            frames.output(Framing::Plain, 1, head(length), Bytes::new());
            written(&mut frames, usize::MAX);
            assert_eq!(frames.buffer.capacity() > 0, is_kept);
        }
    }
}
