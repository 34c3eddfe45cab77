//! The way of responses to the connection.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::response::Parts;
use tokio::{
    sync::mpsc,
    time::{Sleep, sleep},
};

use super::frames::{Frames, Framing};
use crate::{record::REQUEST_COMPLETE, response_head, stream::Stream};

/// The pieces that wait on a connection, and the pieces that are written at once. The requests of a
/// connection take turns: each waits until there is room, in the order in which they came.
const WAITING: usize = 4;

/// A piece of output from a task of its own.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) id: u16,
    /// A head, or nothing.
    pub(crate) head: Vec<u8>,
    pub(crate) data: Bytes,
    /// Whether the response is complete.
    pub(crate) is_last: bool,
}

/// The connection is gone.
#[derive(Debug)]
pub(crate) struct Gone;

/// Takes the response of one request.
#[derive(Clone, Debug)]
pub(crate) struct Outlet {
    id: u16,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    /// To another task, or a thread. The second value is whether the response has left as a whole.
    Queue(mpsc::Sender<Piece>, Arc<AtomicBool>),
    /// To the connection whose task runs this request, too. Nothing has to be woken.
    Shelf(Arc<Shelf>),
}

impl Outlet {
    /// Returns the outlet of a request that has a task of its own. `has_ended` becomes true when
    /// the response has left as a whole: before the web server has the end, and from then on the id
    /// may be another request's.
    pub(crate) fn queue(id: u16, pieces: mpsc::Sender<Piece>, has_ended: Arc<AtomicBool>) -> Self {
        let way = Way::Queue(pieces, has_ended);
        Self { id, way }
    }

    /// Returns the outlet of a request that runs on the task of the connection, which polls it when
    /// there is room.
    pub(crate) fn shelf(id: u16, shelf: Arc<Shelf>) -> Self {
        shelf.has_ended.store(false, Ordering::Release);
        let way = Way::Shelf(shelf);
        Self { id, way }
    }

    /// Sends a head and content, and waits until there is room. The content is not larger than
    /// [`LARGEST`](super::frames::LARGEST).
    pub(crate) async fn send(
        &self,
        head: Option<&Parts>,
        data: Bytes,
        is_last: bool,
    ) -> Result<(), Gone> {
        let id = self.id;
        match &self.way {
            Way::Queue(pieces, has_ended) => {
                let mut bytes = Vec::new();
                write_head(head, &mut bytes);
                let room = pieces.reserve().await.map_err(|_| Gone)?;
                has_ended.fetch_or(is_last, Ordering::Release);
                room.send(Piece {
                    id,
                    head: bytes,
                    data,
                    is_last,
                });
            }
            Way::Shelf(shelf) => {
                poll_fn(|_| shelf.poll_room()).await;
                shelf.has_ended.fetch_or(is_last, Ordering::Release);
                shelf.output(id, head, data, is_last);
            }
        }
        Ok(())
    }
}

fn write_head(head: Option<&Parts>, to: &mut Vec<u8>) {
    if let Some(head) = head {
        response_head::write(head.status, &head.headers, to);
    }
}

/// Returns the two ends of the way from tasks to a connection.
pub(crate) fn channel() -> (mpsc::Sender<Piece>, mpsc::Receiver<Piece>) {
    mpsc::channel(WAITING)
}

/// The frames that come next on a connection: its own, and those of the request on its task.
#[derive(Debug)]
pub(crate) struct Shelf {
    framing: Framing,
    next: Mutex<Next>,
    /// Whether the response of that request has left as a whole.
    has_ended: AtomicBool,
}

#[derive(Debug, Default)]
struct Next {
    frames: Frames,
    pieces: usize,
}

impl Shelf {
    pub(crate) fn new(framing: Framing) -> Self {
        Self {
            framing,
            next: Mutex::default(),
            has_ended: AtomicBool::new(false),
        }
    }

    /// Returns whether the response of the request on the connection's task has left as a whole.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    fn next(&self) -> MutexGuard<'_, Next> {
        // No code panics while it is locked.
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of pieces that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.next().pieces
    }

    fn poll_room(&self) -> Poll<()> {
        match self.waiting() < WAITING {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Adds output of a request.
    pub(crate) fn output(&self, id: u16, head: Option<&Parts>, data: Bytes, is_last: bool) {
        self.add(|frames, framing| {
            frames.output(framing, id, |to| write_head(head, to), data);
            if is_last {
                frames.end(framing, id, REQUEST_COMPLETE);
            }
        });
    }

    /// Adds the end of a request without further output, with a status of the protocol.
    pub(crate) fn end(&self, id: u16, status: u8) {
        self.add(|frames, framing| frames.end(framing, id, status));
    }

    /// Adds bytes of the protocol.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        self.add(|frames, _| frames.raw(bytes));
    }

    fn add(&self, add: impl FnOnce(&mut Frames, Framing)) {
        let mut next = self.next();
        next.pieces += 1;
        add(&mut next.frames, self.framing);
    }

    /// Exchanges the frames that wait with empty ones, and returns the number of pieces.
    fn take(&self, empty: &mut Frames) -> usize {
        let mut next = self.next();
        mem::swap(&mut next.frames, empty);
        mem::take(&mut next.pieces)
    }
}

/// Writes what a connection sends.
pub(crate) struct Outbound {
    shelf: Arc<Shelf>,
    queue: mpsc::Receiver<Piece>,
    taken: Vec<Piece>,
    frames: Frames,
    /// A peer that takes nothing for this time is an error.
    limit: Duration,
    /// `None` while the peer takes what there is.
    stall: Option<Pin<Box<Sleep>>>,
}

impl Outbound {
    pub(crate) fn new(shelf: Arc<Shelf>, queue: mpsc::Receiver<Piece>, limit: Duration) -> Self {
        Self {
            shelf,
            queue,
            taken: Vec::new(),
            frames: Frames::default(),
            limit,
            stall: None,
        }
    }

    /// Writes what there is, and returns whether something has waited for that on the shelf. With
    /// `has_tasks`, pieces may come from the queue.
    pub(crate) fn write(
        &mut self,
        stream: &Stream,
        has_tasks: bool,
        cx: &mut Context<'_>,
    ) -> io::Result<bool> {
        let mut has_waited = false;
        loop {
            match self.poll_frames(stream, cx) {
                Poll::Ready(written) => written?,
                Poll::Pending => return Ok(has_waited),
            }
            has_waited |= self.shelf.take(&mut self.frames) >= WAITING;
            if has_tasks || !self.queue.is_empty() {
                let _ = self.poll_queue(cx);
            }
            if self.frames.is_empty() {
                return Ok(has_waited);
            }
        }
    }

    /// Writes all that is left, until all senders are gone.
    pub(crate) fn poll_rest(
        &mut self,
        stream: &Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_frames(stream, cx))?;
            self.shelf.take(&mut self.frames);
            let queued = self.poll_queue(cx);
            if self.frames.is_empty() && ready!(queued) == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Adds the pieces of tasks. Ready without one when all senders are gone.
    fn poll_queue(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let received = self.queue.poll_recv_many(cx, &mut self.taken, WAITING);
        for piece in self.taken.drain(..) {
            let framing = self.shelf.framing;
            let (id, head) = (piece.id, piece.head);
            self.frames
                .output(framing, id, |to| to.extend(head), piece.data);
            if piece.is_last {
                self.frames.end(framing, id, REQUEST_COMPLETE);
            }
        }
        received
    }

    /// Writes the frames, which are empty then.
    fn poll_frames(&mut self, stream: &Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.frames.is_empty() {
            let mut slices = [IoSlice::new(&[]); 16];
            let slices = self.frames.slices(&mut slices);
            let Poll::Ready(written) = stream.poll_write(cx, slices) else {
                let limit = self.limit;
                let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(limit)));
                ready!(stall.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            };
            self.stall = None;
            match written? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.frames.advance(written),
            }
        }
        Poll::Ready(Ok(()))
    }
}
