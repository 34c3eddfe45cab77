//! Whatever a web server sends to a program: the events are the same however the bytes are cut, and
//! variables make a request that has no fields about one hop, or none.

#[path = "../../crates/tower-gateway/src/events.rs"]
mod events;
#[path = "../../crates/tower-gateway/src/fault.rs"]
#[allow(dead_code, reason = "its texts are not used here")]
mod fault;
#[path = "../../crates/tower-gateway/src/one_hop.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod one_hop;
#[path = "../../crates/tower-gateway/src/pairs.rs"]
mod pairs;
#[path = "../../crates/tower-gateway/src/record.rs"]
#[allow(dead_code, reason = "the calling half is not used here")]
mod record;
#[path = "../../crates/tower-gateway/src/request_head.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod request_head;
#[path = "../../crates/tower-gateway/src/scgi_head.rs"]
mod scgi_head;

use bytes::{Bytes, BytesMut};
use events::{Event, EventError, EventReader};
use pairs::Pair;
use scgi_head::{ScgiHeadError, ScgiHeadReader};
use tower_environ::MountExt;

/// The head of an SCGI request has a limit of so many bytes.
const LIMIT: usize = 300;

/// Reads events in pieces. Those of one content are joined.
fn events(data: &[u8], size: usize) -> (Vec<Event>, Option<EventError>) {
    let (mut events, mut reader) = (Vec::new(), EventReader::default());
    let mut bytes = BytesMut::new();
    for piece in data.chunks(size) {
        bytes.extend_from_slice(piece);
        loop {
            let event = match reader.next(&mut bytes) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    return (events, Some(error));
                }
            };
            if let Event::Params(_, content) | Event::Stdin(_, content) = &event {
                assert!(!content.is_empty());
            }
            join(&mut events, event);
        }
        // Only a header, and the short content of a question, is waited for as a whole.
        assert!(bytes.len() < 4096);
    }
    (events, None)
}

fn join(events: &mut Vec<Event>, event: Event) {
    let joined = |first: &Bytes, next: &Bytes| Bytes::from([&first[..], next].concat());
    match (events.last_mut(), &event) {
        (Some(Event::Params(id, first)), Event::Params(same, next))
        | (Some(Event::Stdin(id, first)), Event::Stdin(same, next))
            if id == same =>
        {
            *first = joined(first, next);
        }
        _ => events.push(event),
    }
}

/// Reads the head of an SCGI request in pieces, and returns it with the number of bytes after it.
fn scgi(data: &[u8], size: usize) -> Result<Option<(Bytes, usize)>, ScgiHeadError> {
    let (reader, mut bytes) = (ScgiHeadReader::new(LIMIT), BytesMut::new());
    let mut left = data.len();
    for piece in data.chunks(size) {
        bytes.extend_from_slice(piece);
        left -= piece.len();
        if let Some(head) = reader.read(&mut bytes)? {
            assert!(head.len() <= LIMIT);
            return Ok(Some((head, bytes.len() + left)));
        }
    }
    Ok(None)
}

/// Makes the head of a request. With `whole`, the pairs are parts of it.
fn head<'a>(pairs: &[Pair<'a>], whole: Option<&Bytes>) {
    let method: Pair<'a> = (b"REQUEST_METHOD", b"GET");
    for is_mounted in [false, true] {
        let with_method = || pairs.iter().copied().chain([method]).map(Ok);
        let read = request_head::read(with_method(), whole, is_mounted);
        let copied = request_head::read(with_method(), None, is_mounted);
        assert_eq!(format!("{read:?}"), format!("{copied:?}"));
        let head = match read {
            Ok(head) => head,
            Err(fault) => {
                assert!(fault.status().as_u16() >= 400 && !fault.detail().is_empty());
                continue;
            }
        };
        let request = head.request;
        let path = request.uri().path();
        assert!(path.starts_with('/') || path == "*", "{path}");
        assert!(request.uri().authority().is_none());
        if !is_mounted {
            assert_eq!(request.script_name(), "");
        }
        for name in [
            "connection",
            "te",
            "transfer-encoding",
            "upgrade",
            "proxy",
            "expect",
        ] {
            assert!(!request.headers().contains_key(name), "{name}");
        }
        assert!(request.headers().get_all("host").iter().count() <= 1);
        assert!(request.headers().get_all("cookie").iter().count() <= 1);
    }
}

pub(crate) fn request_read(data: &[u8]) {
    let whole = events(data, data.len().max(1));
    for size in [1, 2, 3, 9] {
        assert_eq!(events(data, size), whole);
    }
    for event in &whole.0 {
        if let Event::Params(_, content) = event
            && let Ok(pairs) = pairs::of_fastcgi(content).collect::<Result<Vec<_>, _>>()
        {
            head(&pairs, Some(content));
        }
    }
    let whole = scgi(data, data.len().max(1));
    for size in [1, 2, 7] {
        assert_eq!(scgi(data, size), whole);
    }
    if let Ok(Some((content, _))) = whole
        && let Ok(pairs) = pairs::of_scgi(&content).collect::<Result<Vec<_>, _>>()
    {
        head(&pairs, Some(&content));
    }
    // The bytes as variables, so that a fuzzer need not find lengths.
    let lines = data.split(|byte| *byte == b'\n');
    let pairs: Vec<Pair<'_>> = lines
        .filter_map(|line| {
            let at = line.iter().position(|byte| *byte == b'=')?;
            Some((&line[..at], &line[at + 1..]))
        })
        .collect();
    head(&pairs, None);
}
