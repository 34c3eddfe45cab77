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
