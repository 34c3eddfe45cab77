//! Whatever comes from a FastCGI program: the output is the same however the records are cut, and
//! never more than what came.

#[path = "../../crates/tower-gateway/src/record.rs"]
#[allow(dead_code, reason = "the writing half is not used here")]
mod record;

use bytes::BytesMut;
use record::{Deframer, Output, RecordError};

#[derive(Debug, Default, PartialEq)]
struct Read {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    ends: Vec<u8>,
    error: Option<RecordError>,
}

fn read(data: &[u8], size: usize) -> Read {
    let (mut read, mut deframer, mut bytes) =
        (Read::default(), Deframer::default(), BytesMut::new());
    for piece in data.chunks(size) {
        bytes.extend_from_slice(piece);
        loop {
            match deframer.next(&mut bytes) {
                Ok(Some(Output::Stdout(content))) => {
                    assert!(!content.is_empty());
                    read.stdout.extend_from_slice(&content);
                }
                Ok(Some(Output::Stderr(content))) => {
                    assert!(!content.is_empty());
                    read.stderr.extend_from_slice(&content);
                }
                Ok(Some(Output::End(status))) => read.ends.push(status),
                Ok(None) => break,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    read.error = Some(error);
                    return read;
                }
            }
        }
        // Only a header or an END_REQUEST is waited for as a whole.
        assert!(bytes.len() < 8);
    }
    read
}

pub(crate) fn fastcgi_read(data: &[u8]) {
    let whole = read(data, data.len().max(1));
    assert!(whole.stdout.len() + whole.stderr.len() <= data.len());
    for size in [1, 2, 3, 9] {
        assert_eq!(read(data, size), whole);
    }
}
