//! Whatever a program writes: the head is the same however the bytes are split, it has a limit, and
//! nothing of the body is lost.

#[path = "../../crates/tower-gateway/src/head.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod head;
#[path = "../../crates/tower-gateway/src/one_hop.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod one_hop;

use bytes::Bytes;
use head::{Head, HeadError, HeadReader};

const LIMIT: usize = 500;

/// Reads an output in pieces, and returns the head and the number of bytes after it.
fn read(data: &[u8], size: usize) -> Result<Option<(Head, usize)>, HeadError> {
    let mut reader = HeadReader::new(LIMIT);
    let mut left = data.len();
    for piece in data.chunks(size) {
        left -= piece.len();
        if let Some((head, rest)) = reader.feed(Bytes::copy_from_slice(piece))? {
            assert!(data[..data.len() - left].ends_with(&rest));
            return Ok(Some((head, rest.len() + left)));
        }
    }
    Ok(None)
}

pub(crate) fn cgi_head_read(data: &[u8]) {
    let whole = read(data, data.len().max(1));
    for size in [1, 2, 7] {
        match (&whole, read(data, size)) {
            (Ok(Some((head, rest))), Ok(Some((other, same)))) => {
                assert_eq!((head.status, &head.headers), (other.status, &other.headers));
                assert_eq!(*rest, same);
            }
            (Ok(None), Ok(None)) => {}
            (Err(error), Err(other)) => {
                assert_eq!(*error, other);
                assert!(!error.to_string().is_empty());
            }
            (whole, pieces) => panic!("{whole:?}, in pieces of {size} {pieces:?}"),
        }
    }
    if let Ok(Some((head, rest))) = whole {
        assert!(data.len() - rest <= LIMIT);
        let status = head.status.map_or(200, |status| status.as_u16());
        assert!((200..600).contains(&status));
        for name in [
            "connection",
            "transfer-encoding",
            "status",
            "upgrade",
            "trailer",
        ] {
            assert!(!head.headers.contains_key(name));
        }
        for value in head.headers.values() {
            assert!(
                !value
                    .as_bytes()
                    .iter()
                    .any(|byte| matches!(byte, 0 | b'\r' | b'\n'))
            );
        }
        let _ = (head.meaning(), head::length(&head.headers));
    }
}
