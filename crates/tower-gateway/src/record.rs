//! The records of FastCGI (FastCGI specification, sections 3.3 and 5).

use std::{error::Error, fmt};

use bytes::{Buf, Bytes, BytesMut};

/// The bytes before the content of a record.
pub(crate) const HEADER_LEN: usize = 8;
/// The largest content of a record, in bytes.
pub(crate) const MAX_CONTENT: usize = 65_535;
/// The id of the only request on a connection. Programs such as php-fpm do not multiplex.
pub(crate) const ID: u16 = 1;

const VERSION: u8 = 1;

pub(crate) const BEGIN_REQUEST: u8 = 1;
pub(crate) const ABORT_REQUEST: u8 = 2;
pub(crate) const END_REQUEST: u8 = 3;
pub(crate) const PARAMS: u8 = 4;
pub(crate) const STDIN: u8 = 5;
pub(crate) const STDOUT: u8 = 6;
pub(crate) const STDERR: u8 = 7;
pub(crate) const DATA: u8 = 8;
pub(crate) const GET_VALUES: u8 = 9;
pub(crate) const GET_VALUES_RESULT: u8 = 10;
pub(crate) const UNKNOWN_TYPE: u8 = 11;

/// The role of a program that makes the response.
pub(crate) const RESPONDER: u16 = 1;
/// The flag of BEGIN_REQUEST that keeps the connection open after the response.
pub(crate) const KEEP_CONN: u8 = 1;

/// The status of END_REQUEST for a request that was served.
pub(crate) const REQUEST_COMPLETE: u8 = 0;
/// The program does not take a further request on this connection.
pub(crate) const CANT_MPX_CONN: u8 = 1;
/// The program has no room for the request.
pub(crate) const OVERLOADED: u8 = 2;
/// The program does not have the role that was asked for.
pub(crate) const UNKNOWN_ROLE: u8 = 3;

/// The header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: u8,
    pub(crate) id: u16,
    pub(crate) content: u16,
    pub(crate) padding: u8,
}

impl Header {
    /// Returns the header at the beginning of the bytes, or `None` if there are too few.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, RecordError> {
        let Some(&[version, kind, id1, id0, length1, length0, padding, _]) = bytes.first_chunk()
        else {
            return Ok(None);
        };
        if version != VERSION {
            return Err(RecordError::Version(version));
        }
        Ok(Some(Self {
            kind,
            id: u16::from_be_bytes([id1, id0]),
            content: u16::from_be_bytes([length1, length0]),
            padding,
        }))
    }

    pub(crate) fn bytes(self) -> [u8; HEADER_LEN] {
        let [id1, id0] = self.id.to_be_bytes();
        let [length1, length0] = self.content.to_be_bytes();
        let padding = self.padding;
        [VERSION, self.kind, id1, id0, length1, length0, padding, 0]
    }

    /// Returns the header of a record of the only request, without padding.
    pub(crate) fn of(kind: u8, content: u16) -> Self {
        Self {
            kind,
            id: ID,
            content,
            padding: 0,
        }
    }
}

/// Returns the record that begins a request.
pub(crate) fn begin_request(keep: bool) -> [u8; 16] {
    let mut record = [0; 16];
    record[..HEADER_LEN].copy_from_slice(&Header::of(BEGIN_REQUEST, 8).bytes());
    record[HEADER_LEN..HEADER_LEN + 2].copy_from_slice(&RESPONDER.to_be_bytes());
    record[10] = if keep { KEEP_CONN } else { 0 };
    record
}

/// A part of a program's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Bytes of STDOUT, at least one.
    Stdout(Bytes),
    /// Bytes of STDERR, at least one.
    Stderr(Bytes),
    /// The request is over. It has the protocol status.
    End(u8),
}

/// Reads the output of the only request from records, which may be cut anywhere.
///
/// Content is returned as it arrives, so a record is never held as a whole.
#[derive(Debug, Default)]
pub(crate) struct Deframer {
    /// The record whose content or padding is not read to its end.
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    header: Header,
    content: usize,
    padding: usize,
}

impl Deframer {
    /// Returns the next part of the output, and removes it from the bytes. Returns `None` if more
    /// bytes are needed.
    pub(crate) fn next(&mut self, bytes: &mut BytesMut) -> Result<Option<Output>, RecordError> {
        loop {
            let Some(mut open) = self.open.take() else {
                let Some(header) = Header::parse(bytes)? else {
                    return Ok(None);
                };
                check(header)?;
                bytes.advance(HEADER_LEN);
                self.open = Some(Open {
                    header,
                    content: header.content.into(),
                    padding: header.padding.into(),
                });
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
            // The content of END_REQUEST counts as a whole.
            let least = match open.header.kind {
                END_REQUEST => open.content,
                _ => 1,
            };
            if bytes.len() < least {
                self.open = Some(open);
                return Ok(None);
            }
            let content = bytes.split_to(open.content.min(bytes.len())).freeze();
            open.content -= content.len();
            self.open = Some(open);
            match open.header.kind {
                STDOUT => return Ok(Some(Output::Stdout(content))),
                STDERR => return Ok(Some(Output::Stderr(content))),
                END_REQUEST => return Ok(Some(Output::End(content[4]))),
                // A record about the connection, which is never asked for.
                _ => {}
            }
        }
    }

    /// Returns whether the bytes so far end at the end of a record.
    pub(crate) fn is_between_records(&self) -> bool {
        self.open
            .is_none_or(|open| open.content == 0 && open.padding == 0)
    }
}

fn check(header: Header) -> Result<(), RecordError> {
    match (header.kind, header.id) {
        (END_REQUEST, ID) if header.content != 8 => Err(RecordError::End(header.content)),
        (STDOUT | STDERR | END_REQUEST, ID) => Ok(()),
        (STDOUT | STDERR | END_REQUEST, id) => Err(RecordError::Id(id)),
        // libfcgi may reply late to a question that an earlier user of the connection has asked.
        (_, 0) => Ok(()),
        (kind, _) => Err(RecordError::Kind(kind)),
    }
}

/// Bytes that are not the output of a FastCGI program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordError {
    Version(u8),
    Kind(u8),
    Id(u16),
    End(u16),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "a record of version {version}, expected 1"),
            Self::Kind(kind) => {
                write!(
                    f,
                    "a record of type {kind}, expected STDOUT, STDERR or END_REQUEST"
                )
            }
            Self::Id(id) => write!(f, "a record of request {id}, expected request {ID}"),
            Self::End(length) => write!(f, "an END_REQUEST of {length} bytes, expected 8"),
        }
    }
}

impl Error for RecordError {}

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

    fn end(status: u8) -> Vec<u8> {
        record(END_REQUEST, ID, &[0, 0, 0, 0, status, 0, 0, 0], 0)
    }

    /// Reads the records in pieces of this size, and returns STDOUT, STDERR and the status.
    fn read(records: &[u8], size: usize) -> Result<(Vec<u8>, Vec<u8>, Option<u8>), RecordError> {
        let (mut stdout, mut stderr, mut end) = (Vec::new(), Vec::new(), None);
        let (mut deframer, mut bytes) = (Deframer::default(), BytesMut::new());
        for piece in records.chunks(size) {
            bytes.extend_from_slice(piece);
            while let Some(output) = deframer.next(&mut bytes)? {
                match output {
                    Output::Stdout(content) => stdout.extend(content),
                    Output::Stderr(content) => stderr.extend(content),
                    Output::End(status) => end = Some(status),
                }
            }
        }
        assert!(bytes.len() < HEADER_LEN || end.is_none());
        Ok((stdout, stderr, end))
    }

    #[test]
    fn gateway_12_output_of_no_request_is_an_error() {
        for kind in [STDOUT, STDERR, END_REQUEST] {
            for content in [&b""[..], b"abc", b"eight888"] {
                let found = read(&record(kind, 0, content, 0), 64);
                assert_eq!(found.unwrap_err(), RecordError::Id(0), "{kind} {content:?}");
            }
        }
    }

    #[test]
    fn gateway_12_records_may_be_cut_anywhere() {
        let records = [
            record(STDOUT, ID, b"Status: 200\r\n", 3),
            record(STDERR, ID, b"a warning", 255),
            // A reply to a question about the connection.
            record(10, 0, b"\x0f\x01FCGI_MPXS_CONNS0", 0),
            record(STDOUT, ID, &[b'x'; 70], 0),
            record(STDOUT, ID, b"", 8),
            record(STDERR, ID, b" at the end", 0),
            end(0),
        ]
        .concat();
        for size in 1..records.len() {
            let (stdout, stderr, end) = read(&records, size).unwrap();
            assert_eq!(stdout, [&b"Status: 200\r\n"[..], &[b'x'; 70]].concat());
            assert_eq!(stderr, b"a warning at the end");
            assert_eq!(end, Some(0));
        }
    }

    #[test]
    fn gateway_12_a_record_of_another_kind_is_an_error() {
        let no_record = b"HTTP/1.1 400 Bad Request".to_vec();
        let kind =
            |kind| format!("a record of type {kind}, expected STDOUT, STDERR or END_REQUEST");
        for (record, text) in [
            (no_record, "a record of version 72, expected 1"),
            (
                record(STDOUT, 2, b"x", 0),
                "a record of request 2, expected request 1",
            ),
            (record(STDIN, ID, b"x", 0), &kind(5)),
            (record(77, ID, b"", 0), &kind(77)),
            (
                record(END_REQUEST, ID, b"1234", 0),
                "an END_REQUEST of 4 bytes, expected 8",
            ),
        ] {
            assert_eq!(read(&record, 1000).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn gateway_12_the_end_of_a_record_is_known() {
        let mut deframer = Deframer::default();
        let mut bytes = BytesMut::from(&record(STDOUT, ID, b"ab", 2)[..HEADER_LEN + 3]);
        assert!(deframer.is_between_records());
        assert!(deframer.next(&mut bytes).unwrap().is_some());
        assert!(!deframer.is_between_records());
        assert_eq!(deframer.next(&mut bytes), Ok(None));
        bytes.extend_from_slice(&[0]);
        assert_eq!(deframer.next(&mut bytes), Ok(None));
        assert!(deframer.is_between_records());

        // One without padding, cut in its content.
        let (mut deframer, whole) = (Deframer::default(), record(STDOUT, ID, b"ab", 0));
        let mut bytes = BytesMut::from(&whole[..HEADER_LEN + 1]);
        assert!(deframer.next(&mut bytes).unwrap().is_some());
        assert!(!deframer.is_between_records());
    }

    #[test]
    fn gateway_12_a_request_begins_with_a_role() {
        let keep = [1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0];
        assert_eq!(begin_request(true), keep);
        assert_eq!(begin_request(false)[10], 0);
    }
}
