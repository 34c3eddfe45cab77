//! The way of responses to the connection.

use std::{
    io::{self, IoSlice},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    record::{END_REQUEST, HEADER_LEN, Header, MAX_CONTENT, REQUEST_COMPLETE, STDOUT},
    stream::Stream,
};

/// The pieces that wait on a connection, and the pieces that are written at once. The requests of a
/// connection take turns: each waits until there is room, in the order in which they came.
const WAITING: usize = 4;

/// The largest part of a piece, in bytes. It is one record, whose length is a multiple of eight.
pub(crate) const LARGEST: usize = MAX_CONTENT & !7;

/// A piece of what a connection sends.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Output of a request: a head and content, either of which may be empty.
    Output {
        id: u16,
        parts: [Bytes; 2],
        /// Whether the response is complete.
        is_last: bool,
    },
    /// The end of a request without further output, with a status of the protocol.
    End(u16, u8),
    /// Bytes of the protocol.
    Raw(Bytes),
}

/// The connection is gone.
#[derive(Debug)]
pub(crate) struct Gone;

/// Takes the response of one request.
#[derive(Clone, Debug)]
pub(crate) struct Outlet {
    id: u16,
    pieces: mpsc::Sender<Piece>,
    has_ended: Arc<AtomicBool>,
}

impl Outlet {
    pub(crate) fn new(id: u16, pieces: mpsc::Sender<Piece>) -> Self {
        Self {
            id,
            pieces,
            has_ended: Arc::default(),
        }
    }

    /// Returns whether the response has left as a whole, for the connection to see. It is true
    /// before the web server has the end, and from then on the id may be another request's.
    pub(crate) fn has_ended(&self) -> Arc<AtomicBool> {
        self.has_ended.clone()
    }

    /// Sends a head and content, and waits until there is room. Neither is larger than
    /// [`LARGEST`], except that the head is split by the writer.
    pub(crate) async fn send(&self, parts: [Bytes; 2], is_last: bool) -> Result<(), Gone> {
        let id = self.id;
        let piece = Piece::Output { id, parts, is_last };
        let room = self.pieces.reserve().await.map_err(|_| Gone)?;
        if is_last {
            self.has_ended.store(true, Ordering::Release);
        }
        room.send(piece);
        Ok(())
    }
}

/// Returns the two ends of the way to a connection.
pub(crate) fn channel() -> (mpsc::Sender<Piece>, mpsc::Receiver<Piece>) {
    mpsc::channel(WAITING)
}

/// How a connection frames what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Records.
    FastCgi,
    /// The bytes of the only response, which ends with the connection.
    Plain,
}

/// Writes pieces until all senders are gone. A peer that takes nothing for the time is an error.
pub(crate) async fn write(
    stream: Arc<Stream>,
    mut pieces: mpsc::Receiver<Piece>,
    framing: Framing,
    limit: Duration,
) -> io::Result<()> {
    let mut taken = Vec::with_capacity(WAITING);
    let mut frames = Frames::default();
    while pieces.recv_many(&mut taken, WAITING).await > 0 {
        for piece in taken.drain(..) {
            frames.add(piece, framing);
        }
        let mut slices = frames.slices();
        let mut slices = &mut slices[..];
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            let written = std::future::poll_fn(|cx| stream.poll_write(cx, slices));
            let written = timeout(limit, written).await??;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut slices, written);
        }
        frames.clear();
    }
    Ok(())
}

/// Bytes that are written together.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// The headers of records, one after the other.
    headers: Vec<u8>,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    /// The next bytes of the headers.
    Header(usize),
    Bytes(Bytes),
}

impl Frames {
    pub(crate) fn add(&mut self, piece: Piece, framing: Framing) {
        match piece {
            Piece::Output { id, parts, is_last } => {
                for part in parts {
                    match framing {
                        Framing::FastCgi => self.records(id, part),
                        Framing::Plain => self.parts.push(Part::Bytes(part)),
                    }
                }
                if is_last && framing == Framing::FastCgi {
                    self.end(id, REQUEST_COMPLETE);
                }
            }
            Piece::End(id, status) if framing == Framing::FastCgi => self.end(id, status),
            Piece::End(..) => {}
            Piece::Raw(bytes) => self.parts.push(Part::Bytes(bytes)),
        }
    }

    /// Adds records of STDOUT. An empty one would be the end of it.
    fn records(&mut self, id: u16, mut bytes: Bytes) {
        while !bytes.is_empty() {
            let content = bytes.split_to(bytes.len().min(LARGEST));
            self.header(STDOUT, id, content.len());
            self.parts.push(Part::Bytes(content));
        }
    }

    fn end(&mut self, id: u16, status: u8) {
        self.header(END_REQUEST, id, 8);
        self.headers.extend([0, 0, 0, 0, status, 0, 0, 0]);
        self.parts.push(Part::Header(8));
    }

    fn header(&mut self, kind: u8, id: u16, length: usize) {
        let header = Header {
            kind,
            id,
            content: length
                .try_into()
                .expect("a record has at most 65,535 bytes"),
            padding: 0,
        };
        self.headers.extend(header.bytes());
        self.parts.push(Part::Header(HEADER_LEN));
    }

    pub(crate) fn slices(&self) -> Vec<IoSlice<'_>> {
        let mut headers = &self.headers[..];
        let parts = self.parts.iter().map(|part| match part {
            Part::Bytes(bytes) => IoSlice::new(bytes),
            Part::Header(length) => {
                let (header, rest) = headers.split_at(*length);
                headers = rest;
                IoSlice::new(header)
            }
        });
        parts.collect()
    }

    pub(crate) fn clear(&mut self) {
        self.headers.clear();
        self.parts.clear();
    }
}
