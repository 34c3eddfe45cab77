//! The body of a request, on its way from the connection to the service.

use std::{
    collections::VecDeque,
    fmt, io, mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// The bytes of one body that are held. A connection is not read on while a service takes none of
/// them.
const HELD: usize = 64 * 1024;
/// A smaller piece is copied, in bytes, because it would keep the whole buffer into which it was
/// read.
const SMALL: usize = 4 * 1024;

/// The body of a request that a web server sends.
///
/// It ends in an error if the web server breaks off, sends less than it has announced, or sends
/// nothing for the [`body_timeout`](crate::Server::body_timeout). It has no trailers. After the
/// response has ended, no more of it comes.
pub struct RequestBody {
    queue: Option<Arc<Queue>>,
    /// The bytes that are still to come, if CONTENT_LENGTH states them.
    left: Option<u64>,
    timeout: Duration,
    /// `None` while the service does not wait.
    timer: Option<Pin<Box<Sleep>>>,
}

/// The end of a body on the connection's side. If it is dropped before the end of the body, the
/// body ends in an error.
#[derive(Debug)]
pub(crate) struct Feed {
    queue: Arc<Queue>,
    left: Option<u64>,
}

#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    room: Arc<Room>,
}

/// Wakes the side that fills a body when the service has taken what was held.
#[derive(Debug, Default)]
pub(crate) struct Room(Mutex<Option<Waker>>);

impl Room {
    /// Wakes this task at the next time. The state has to be looked at after that.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        *self.waker() = Some(cx.waker().clone());
    }

    fn wake(&self) {
        let waker = self.waker().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        // No code panics while it is locked, except perhaps that of a waker.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Bytes>,
    /// Small pieces that come after these, as one.
    small: BytesMut,
    held: usize,
    end: Option<End>,
    waker: Option<Waker>,
    /// The service does not want the rest.
    is_dropped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    Broken(&'static str),
}

impl State {
    fn push(&mut self, piece: Bytes) {
        self.held += piece.len();
        if piece.len() < SMALL {
            self.small.extend_from_slice(&piece);
            return;
        }
        if !self.small.is_empty() {
            let small = mem::take(&mut self.small);
            self.pieces.push_back(small.freeze());
        }
        self.pieces.push_back(piece);
    }

    fn pop(&mut self) -> Option<Bytes> {
        let piece = self.pieces.pop_front().or_else(|| {
            let small = mem::take(&mut self.small);
            (!small.is_empty()).then(|| small.freeze())
        })?;
        self.held -= piece.len();
        Some(piece)
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a body of this length, and its other end. `room` is woken when the service has taken
/// what was held.
pub(crate) fn new(length: Option<u64>, timeout: Duration, room: Arc<Room>) -> (Feed, RequestBody) {
    let queue = Arc::new(Queue {
        state: Mutex::default(),
        room,
    });
    let mut feed = Feed {
        queue: queue.clone(),
        left: length,
    };
    if length == Some(0) {
        feed.finish();
    }
    let body = RequestBody {
        queue: Some(queue),
        left: length,
        timeout,
        timer: None,
    };
    (feed, body)
}

impl Feed {
    /// Adds a piece. Bytes beyond the announced length are dropped, because they belong to nothing.
    pub(crate) fn push(&mut self, mut piece: Bytes) {
        if let Some(left) = &mut self.left {
            let most = usize::try_from(*left).unwrap_or(usize::MAX);
            piece.truncate(most);
            *left -= piece.len() as u64;
        }
        let is_last = self.left == Some(0);
        let mut state = self.queue.state();
        if state.end.is_some() {
            return;
        }
        if !piece.is_empty() && !state.is_dropped {
            state.push(piece);
        }
        if is_last {
            state.end = Some(End::Whole);
        }
        wake(state);
    }

    /// Ends the body.
    pub(crate) fn finish(&mut self) {
        let end = match self.left {
            None | Some(0) => End::Whole,
            Some(_) => End::Broken("the request's body is shorter than CONTENT_LENGTH"),
        };
        self.end(end);
    }

    /// Returns whether as much is held as may be.
    pub(crate) fn is_full(&self) -> bool {
        self.queue.state().held >= HELD
    }

    fn end(&mut self, end: End) {
        let mut state = self.queue.state();
        state.end.get_or_insert(end);
        wake(state);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.end(End::Broken("the request broke off"));
    }
}

/// Wakes the service, without the lock.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl RequestBody {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let Some(queue) = &self.queue else {
            return Poll::Ready(None);
        };
        let mut state = queue.state();
        let was_full = state.held >= HELD;
        if let Some(piece) = state.pop() {
            let has_room = was_full && state.held < HELD;
            drop(state);
            if has_room {
                queue.room.wake();
            }
            return Poll::Ready(Some(Ok(piece)));
        }
        match state.end {
            Some(End::Whole) => Poll::Ready(None),
            Some(End::Broken(text)) => Poll::Ready(Some(Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                text,
            )))),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        let piece = match this.poll_piece(cx) {
            Poll::Ready(piece) => piece,
            Poll::Pending => {
                let timeout = this.timeout;
                let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
                ready!(timer.as_mut().poll(cx));
                let text = "the rest of the request did not come in time";
                Some(Err(io::Error::new(io::ErrorKind::TimedOut, text)))
            }
        };
        this.timer = None;
        let Some(piece) = piece else {
            return Poll::Ready(None);
        };
        let piece = piece.inspect_err(|_| this.drop_queue());
        if let (Some(left), Ok(piece)) = (&mut this.left, &piece) {
            *left -= piece.len() as u64;
        }
        Poll::Ready(Some(piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.queue.as_ref().is_none_or(|queue| {
            let state = queue.state();
            state.end == Some(End::Whole) && state.held == 0
        })
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() {
            return SizeHint::with_exact(0);
        }
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl RequestBody {
    /// Gives the rest up.
    fn drop_queue(&mut self) {
        let Some(queue) = self.queue.take() else {
            return;
        };
        let mut state = queue.state();
        state.is_dropped = true;
        state.held = 0;
        let pieces = mem::take(&mut state.pieces);
        let small = mem::take(&mut state.small);
        drop(state);
        drop((pieces, small));
        queue.room.wake();
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.drop_queue();
    }
}

/// Returns a body without content, as a test of a service needs it.
impl Default for RequestBody {
    fn default() -> Self {
        Self {
            queue: None,
            left: Some(0),
            timeout: Duration::ZERO,
            timer: None,
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A piece keeps the whole buffer into which it was read, so each of a client's single bytes
    /// would cost 16 KiB.
    #[test]
    fn gateway_21_small_pieces_do_not_keep_their_buffers() {
        let (mut feed, mut body) = new(None, Duration::MAX, Arc::default());
        let mut buffers = Vec::new();
        for number in 0..1000 {
            let buffer = Bytes::from(vec![number as u8; 16 * 1024]);
            feed.push(buffer.slice(..1));
            buffers.push(buffer);
        }
        assert!(buffers.iter().all(Bytes::is_unique));
        // A large piece is not copied, and none overtakes another.
        let large = Bytes::from(vec![7; SMALL]);
        feed.push(large.clone());
        assert!(!large.is_unique());
        feed.push(Bytes::from_static(b"end"));
        feed.finish();
        let mut cx = Context::from_waker(Waker::noop());
        let mut found = Vec::new();
        while let Poll::Ready(Some(frame)) = Pin::new(&mut body).poll_frame(&mut cx) {
            assert!(!body.is_end_stream() || found.len() >= 1000);
            found.extend(frame.unwrap().into_data().unwrap());
        }
        let mut expected: Vec<u8> = (0..1000).map(|number| number as u8).collect();
        expected.extend(large);
        expected.extend(b"end");
        assert!(found == expected && body.is_end_stream());
    }
}
