//! One request to this process, which a web server has started as a CGI program.

use std::{
    future::poll_fn,
    io::{self, IoSlice, Read, Write},
    sync::Arc,
    task::Poll,
    thread,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tower_kit::Preferences;
use tower_service::Service;

use super::{
    Limits,
    call::{self, Ended, rejection},
    frames::{Frames, Framing},
    outlet::{self, Gone, Outlet, Piece},
    request_body::{self, Feed, RequestBody, Room},
};
use crate::{error::BoxError, fault::Fault, request_head};

/// The room for one read, in bytes.
const READ: usize = 16 * 1024;

/// Serves the request of this process's variables, standard input and standard output.
///
/// Both are read and written on threads of their own, because they may be files, pipes or sockets,
/// and a thread that waits must not keep the process from ending.
pub(crate) async fn run<S, B>(
    variables: Vec<(Vec<u8>, Vec<u8>)>,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    limits: Limits,
    service: S,
) -> io::Result<()>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Send,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send,
{
    let (sender, receiver) = outlet::channel();
    let written = write(output, receiver)?;
    let outlet = Outlet::queue(0, sender, Arc::default());
    let pairs = variables
        .iter()
        .map(|(name, value)| Ok((&name[..], &value[..])));
    let head = match request_head::read(pairs, None, limits.is_mounted) {
        Ok(head) => head,
        Err(fault) => {
            let left = stated(&variables);
            let mut pieces = read(input, left)?;
            let ended = reject(&outlet, fault).await;
            discard(&mut pieces, &limits).await;
            return finish(ended, outlet, written).await;
        }
    };
    // Without a length, there is a body only if the server has decoded its chunks.
    let length = match head.length {
        None if head.was_chunked => None,
        length => Some(length.unwrap_or(0)),
    };
    let mut pieces = read(input, length)?;
    let room = Arc::new(Room::default());
    let (feed, body) = request_body::new(length, limits.body_timeout, room.clone());
    let request = head.request.map(|()| body);
    let responding = call::run(service, request, outlet.clone(), limits.keeps_location);
    let ended = tokio::select! {
        // It never ends, so that the response is waited for.
        never = pump(&mut pieces, feed, &room) => match never {},
        ended = responding => ended,
    };
    // Otherwise mod_cgid loses the end of the response.
    discard(&mut pieces, &limits).await;
    finish(ended, outlet, written).await
}

/// Returns what CONTENT_LENGTH states, for a request that is rejected.
fn stated(variables: &[(Vec<u8>, Vec<u8>)]) -> Option<u64> {
    let mut lengths = variables
        .iter()
        .filter(|(name, _)| name == b"CONTENT_LENGTH");
    let length = lengths.next().map(|(_, value)| &value[..]).unwrap_or(b"0");
    let length = str::from_utf8(length)
        .ok()
        .and_then(|length| length.parse().ok());
    Some(length.unwrap_or(0))
}

async fn reject(outlet: &Outlet, fault: Fault) -> Ended {
    tracing::debug!("the request is rejected: {fault}");
    let (head, content) = rejection(fault, Preferences::default());
    match outlet.send(Some(&head), content, true).await {
        Ok(()) => Ended::Done,
        Err(Gone) => Ended::Gone,
    }
}

/// Waits until all is written.
async fn finish(
    ended: Ended,
    outlet: Outlet,
    written: oneshot::Receiver<io::Result<()>>,
) -> io::Result<()> {
    drop(outlet);
    let written = written
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()));
    written?;
    match ended {
        Ended::Done => Ok(()),
        Ended::Broken => Err(io::Error::other("the response broke off")),
        Ended::Gone => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

/// Passes the body on, each time that there is room.
async fn pump(
    pieces: &mut mpsc::Receiver<io::Result<Bytes>>,
    mut feed: Feed,
    room: &Room,
) -> std::convert::Infallible {
    loop {
        poll_fn(|cx| {
            room.register(cx);
            match feed.is_full() {
                true => Poll::Pending,
                false => Poll::Ready(()),
            }
        })
        .await;
        match pieces.recv().await {
            Some(Ok(piece)) => feed.push(piece),
            Some(Err(error)) => {
                tracing::debug!(%error, "standard input cannot be read");
                break;
            }
            None => {
                feed.finish();
                break;
            }
        }
    }
    drop(feed);
    std::future::pending().await
}

/// Reads what is left of the body, and discards it.
async fn discard(pieces: &mut mpsc::Receiver<io::Result<Bytes>>, limits: &Limits) {
    let mut left = limits.lingering_bytes;
    let discarding = async {
        while left > 0 {
            let Some(Ok(piece)) = pieces.recv().await else {
                return;
            };
            left = left.saturating_sub(piece.len() as u64);
        }
    };
    let _ = timeout(limits.lingering_time, discarding).await;
}

/// Reads the input on a thread: so many bytes, or all.
fn read(
    mut input: impl Read + Send + 'static,
    length: Option<u64>,
) -> io::Result<mpsc::Receiver<io::Result<Bytes>>> {
    let (sender, receiver) = mpsc::channel(1);
    let mut left = length.unwrap_or(u64::MAX);
    let read = move || {
        let mut buffer = [0; READ];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(READ).min(READ);
            let piece = match input.read(&mut buffer[..most]) {
                Ok(0) => return,
                Ok(read) => {
                    left -= read as u64;
                    Ok(Bytes::copy_from_slice(&buffer[..read]))
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let is_error = piece.is_err();
            if sender.blocking_send(piece).is_err() || is_error {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("cgi-input".to_owned())
        .spawn(read)?;
    Ok(receiver)
}

/// Writes pieces on a thread. The result comes when all is written.
fn write(
    mut output: impl Write + Send + 'static,
    mut pieces: mpsc::Receiver<Piece>,
) -> io::Result<oneshot::Receiver<io::Result<()>>> {
    let (sender, receiver) = oneshot::channel();
    let mut write = move || {
        let mut frames = Frames::default();
        while let Some(Piece { id, head, data, .. }) = pieces.blocking_recv() {
            frames.output(Framing::Plain, id, |to| to.extend(head), data);
            while !frames.is_empty() {
                let mut slice = [IoSlice::new(&[])];
                let [slice] = frames.slices(&mut slice) else {
                    unreachable!("there is a part, and room for one");
                };
                output.write_all(slice)?;
                let written = slice.len();
                frames.advance(written);
            }
            output.flush()?;
        }
        Ok(())
    };
    let write = move || {
        // If it fails, no task waits for it.
        let _ = sender.send(write());
    };
    thread::Builder::new()
        .name("cgi-output".to_owned())
        .spawn(write)?;
    Ok(receiver)
}
