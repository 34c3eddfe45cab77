//! Reading the requests of a connection, in either protocol.

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::{
    events::{Event, EventError, EventReader},
    record::RESPONDER,
    scgi_head::{ScgiHeadError, ScgiHeadReader},
};

/// The id of the only request of SCGI.
pub(crate) const ONLY: u16 = 1;

/// Reads the events of a connection.
pub(crate) enum Reader {
    FastCgi(EventReader),
    Scgi(Scgi),
}

/// The state of the only request of SCGI.
pub(crate) enum Scgi {
    Head(ScgiHeadReader),
    Begun(Bytes),
    Variables,
    Body,
    Over,
}

impl Reader {
    pub(crate) fn fastcgi() -> Self {
        Self::FastCgi(EventReader::default())
    }

    /// Returns a reader for a head of at most `limit` bytes.
    pub(crate) fn scgi(limit: usize) -> Self {
        Self::Scgi(Scgi::Head(ScgiHeadReader::new(limit)))
    }

    /// Returns a reader that discards everything.
    pub(crate) fn over() -> Self {
        Self::Scgi(Scgi::Over)
    }

    /// Returns the next event, and removes its bytes. Returns `None` if more bytes are needed.
    pub(crate) fn next(&mut self, bytes: &mut BytesMut) -> Result<Option<Event>, Violation> {
        let state = match self {
            Self::FastCgi(reader) => return reader.next(bytes).map_err(Violation::Record),
            Self::Scgi(state) => state,
        };
        let (next, event) = match state {
            Scgi::Head(reader) => match reader.read(bytes).map_err(Violation::ScgiHead)? {
                None => return Ok(None),
                Some(head) => {
                    let (id, role) = (ONLY, RESPONDER);
                    let keep = false;
                    (Scgi::Begun(head), Event::Begin { id, role, keep })
                }
            },
            Scgi::Begun(head) => (Scgi::Variables, Event::Params(ONLY, std::mem::take(head))),
            Scgi::Variables => (Scgi::Body, Event::ParamsEnd(ONLY)),
            Scgi::Body if !bytes.is_empty() => {
                return Ok(Some(Event::Stdin(ONLY, bytes.split().freeze())));
            }
            Scgi::Body => return Ok(None),
            Scgi::Over => {
                bytes.clear();
                return Ok(None);
            }
        };
        *state = next;
        Ok(Some(event))
    }
}

/// Bytes for which a connection is closed.
#[derive(Debug)]
pub(crate) enum Violation {
    Record(EventError),
    ScgiHead(ScgiHeadError),
    InUse(u16),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(error) => error.fmt(f),
            Self::ScgiHead(error) => error.fmt(f),
            Self::InUse(id) => write!(f, "request {id} begins, and has not ended yet"),
        }
    }
}
