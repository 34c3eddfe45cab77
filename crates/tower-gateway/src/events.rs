//! The records that a web server sends to a FastCGI program (FastCGI specification, sections 3.3
//! to 5).

use std::{error::Error, fmt};

use bytes::{Buf, Bytes, BytesMut};

use super::record::{
    ABORT_REQUEST, BEGIN_REQUEST, DATA, END_REQUEST, GET_VALUES, HEADER_LEN, Header, KEEP_CONN,
    PARAMS, RecordError, STDERR, STDIN, STDOUT,
};

/// The largest content of a question about the connection, in bytes. It has three names at most.
const MAX_VALUES: u16 = 4096;

/// A step of a request, or a question about the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A request begins.
    Begin {
        id: u16,
        role: u16,
        /// Whether the connection stays open after the response.
        keep: bool,
    },
    /// Bytes of the variables, at least one.
    Params(u16, Bytes),
    /// The variables are complete.
    ParamsEnd(u16),
    /// Bytes of the body, at least one.
    Stdin(u16, Bytes),
    /// The body is complete.
    StdinEnd(u16),
    /// The response is not wanted any more.
    Abort(u16),
    /// The server asks for the values of these names.
    Values(Bytes),
    /// A question about the connection of a type that is not known.
    Unknown(u8),
}

/// Reads events from records, which may be cut anywhere.
///
/// Variables and bodies are returned as they arrive, so a record is never held as a whole.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    /// The record whose content or padding is not read to its end.
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    header: Header,
    content: usize,
    padding: usize,
}

impl EventReader {
    /// Returns the next event, and removes its bytes. Returns `None` if more bytes are needed.
    pub(crate) fn next(&mut self, bytes: &mut BytesMut) -> Result<Option<Event>, EventError> {
        loop {
            let Some(mut open) = self.open.take() else {
                let Some(header) = Header::parse(bytes).map_err(EventError::Record)? else {
                    return Ok(None);
                };
                check(header)?;
                bytes.advance(HEADER_LEN);
                self.open = Some(Open {
                    header,
                    content: header.content.into(),
                    padding: header.padding.into(),
                });
                if let Some(event) = of_header(header) {
                    return Ok(Some(event));
                }
                continue;
            };
            if open.content == 0 {
                let skipped = open.padding.min(bytes.len());
                bytes.advance(skipped);
                open.padding -= skipped;
                if open.padding > 0 {
                    self.open = Some(open);
                    return Ok(None);
                }
                continue;
            }
            // These count as a whole, and are short.
            let least = match open.header.kind {
                BEGIN_REQUEST | GET_VALUES => open.content,
                _ => 1,
            };
            if bytes.len() < least {
                self.open = Some(open);
                return Ok(None);
            }
            let id = open.header.id;
            if let (BEGIN_REQUEST, Some(&[role1, role0, flags])) =
                (open.header.kind, bytes.first_chunk())
            {
                bytes.advance(open.content);
                open.content = 0;
                self.open = Some(open);
                return Ok(Some(Event::Begin {
                    id,
                    role: u16::from_be_bytes([role1, role0]),
                    keep: flags & KEEP_CONN != 0,
                }));
            }
            let content = bytes.split_to(open.content.min(bytes.len())).freeze();
            open.content -= content.len();
            self.open = Some(open);
            match open.header.kind {
                PARAMS => return Ok(Some(Event::Params(id, content))),
                STDIN => return Ok(Some(Event::Stdin(id, content))),
                GET_VALUES => return Ok(Some(Event::Values(content))),
                _ => {}
            }
        }
    }
}

/// Returns the event of a record that has no content, or whose content does not matter.
fn of_header(header: Header) -> Option<Event> {
    match (header.kind, header.id, header.content) {
        (PARAMS, id, 0) => Some(Event::ParamsEnd(id)),
        (STDIN, id, 0) => Some(Event::StdinEnd(id)),
        (ABORT_REQUEST, id, _) => Some(Event::Abort(id)),
        (GET_VALUES, _, 0) => Some(Event::Values(Bytes::new())),
        (kind, 0, _) if kind > GET_VALUES => Some(Event::Unknown(kind)),
        _ => None,
    }
}

fn check(header: Header) -> Result<(), EventError> {
    match (header.kind, header.id) {
        (GET_VALUES, 0) if header.content > MAX_VALUES => Err(EventError::Values(header.content)),
        // A record about the connection. The number 0 is no type.
        (GET_VALUES.., 0) => Ok(()),
        (kind, 0) => Err(EventError::NoId(kind)),
        (BEGIN_REQUEST, _) if header.content != 8 => Err(EventError::Begin(header.content)),
        (kind @ (END_REQUEST | STDOUT | STDERR), _) => Err(EventError::Direction(kind)),
        // A type that is not known is skipped, and so is DATA, which only filters get.
        (ABORT_REQUEST | BEGIN_REQUEST | DATA | PARAMS | STDIN, _) | (_, _) => Ok(()),
    }
}

/// Bytes that are not those of a web server that speaks FastCGI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventError {
    Record(RecordError),
    NoId(u8),
    Begin(u16),
    Direction(u8),
    Values(u16),
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(error) => error.fmt(f),
            Self::NoId(kind) => write!(
                f,
                "a record of type {kind} with the id 0, expected 1 to 65,535"
            ),
            Self::Begin(length) => write!(f, "a BEGIN_REQUEST of {length} bytes, expected 8"),
            Self::Direction(kind) => {
                write!(f, "a record of type {kind}, which only a program sends")
            }
            Self::Values(length) => {
                write!(
                    f,
                    "a GET_VALUES of {length} bytes, expected at most {MAX_VALUES}"
                )
            }
        }
    }
}

impl Error for EventError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, id: u16, content: &[u8], padding: u8) -> Vec<u8> {
        let header = Header {
            kind,
            id,
            content: content.len().try_into().unwrap(),
            padding,
        };
        let mut record = header.bytes().to_vec();
        record.extend(content);
        record.extend(vec![0xAA; padding.into()]);
        record
    }

    /// Reads the records in pieces of this size, and joins the pieces of one content.
    fn read(records: &[u8], size: usize) -> Result<Vec<Event>, EventError> {
        let (mut reader, mut bytes) = (EventReader::default(), BytesMut::new());
        let mut events: Vec<Event> = Vec::new();
        for piece in records.chunks(size) {
            bytes.extend_from_slice(piece);
            while let Some(event) = reader.next(&mut bytes)? {
                let joined = match (events.last(), &event) {
                    (Some(Event::Params(id, first)), Event::Params(same, next)) if id == same => {
                        Some(Event::Params(*id, [&first[..], next].concat().into()))
                    }
                    (Some(Event::Stdin(id, first)), Event::Stdin(same, next)) if id == same => {
                        Some(Event::Stdin(*id, [&first[..], next].concat().into()))
                    }
                    _ => None,
                };
                match joined {
                    Some(joined) => *events.last_mut().unwrap() = joined,
                    None => events.push(event),
                }
            }
        }
        Ok(events)
    }

    #[test]
    fn gateway_33_records_of_several_requests_may_be_cut_anywhere() {
        let records = [
            record(BEGIN_REQUEST, 1, &[0, 1, 0xFE, 0, 0, 0, 0, 0], 0),
            record(BEGIN_REQUEST, 0x0102, &[0, 2, 0x81, 9, 9, 9, 9, 9], 3),
            record(PARAMS, 1, b"\x01\x01A1", 255),
            record(STDIN, 0x0102, b"abc", 0),
            record(GET_VALUES, 0, b"\x01\x00X", 5),
            record(99, 0, b"what", 0),
            record(99, 1, b"what", 0),
            record(DATA, 1, b"data", 0),
            record(PARAMS, 1, b"", 8),
            record(STDIN, 1, b"", 0),
            record(ABORT_REQUEST, 0x0102, b"", 0),
            record(GET_VALUES, 0, b"", 0),
        ]
        .concat();
        let expected = [
            Event::Begin {
                id: 1,
                role: 1,
                keep: false,
            },
            Event::Begin {
                id: 0x0102,
                role: 2,
                keep: true,
            },
            Event::Params(1, Bytes::from_static(b"\x01\x01A1")),
            Event::Stdin(0x0102, Bytes::from_static(b"abc")),
            Event::Values(Bytes::from_static(b"\x01\x00X")),
            Event::Unknown(99),
            Event::ParamsEnd(1),
            Event::StdinEnd(1),
            Event::Abort(0x0102),
            Event::Values(Bytes::new()),
        ];
        for size in 1..records.len() {
            assert_eq!(
                read(&records, size).unwrap(),
                expected,
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn gateway_34_records_that_break_the_protocol_are_errors() {
        let no_id = |kind| format!("a record of type {kind} with the id 0, expected 1 to 65,535");
        for (record, error) in [
            (
                b"GET / HTTP/1.1\r\n".to_vec(),
                "a record of version 71, expected 1".to_owned(),
            ),
            (record(BEGIN_REQUEST, 0, &[0; 8], 0), no_id(1)),
            (record(ABORT_REQUEST, 0, b"", 0), no_id(2)),
            (record(PARAMS, 0, b"", 0), no_id(4)),
            (record(STDIN, 0, b"", 0), no_id(5)),
            (record(DATA, 0, b"", 0), no_id(8)),
            (record(0, 0, b"", 0), no_id(0)),
            (
                record(BEGIN_REQUEST, 1, &[0; 7], 0),
                "a BEGIN_REQUEST of 7 bytes, expected 8".to_owned(),
            ),
            (
                record(STDOUT, 1, b"x", 0),
                "a record of type 6, which only a program sends".to_owned(),
            ),
            (
                record(END_REQUEST, 1, &[0; 8], 0),
                "a record of type 3, which only a program sends".to_owned(),
            ),
            (
                record(GET_VALUES, 0, &[0; 4097], 0),
                "a GET_VALUES of 4097 bytes, expected at most 4096".to_owned(),
            ),
        ] {
            // The error comes with the header, before the content.
            let found = read(&record[..HEADER_LEN], 100).unwrap_err();
            assert_eq!(found.to_string(), error);
        }
    }
}
