//! Responses on their way to an HTTP/2 connection.
//!
//! hyper hands the head of a response to the connection, and then its content. The task of the
//! connection may write the head in between. curl 7.88 ends its upload short when it sees the head
//! of an error. h2 then resets the stream, because the content is shorter than its stated length,
//! and drops what it has not written of the response. So while an upload is unread, the connection
//! reads nothing from the time when a response is there until the next flush after the content is.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
};

/// The responses of a connection that are on their way.
#[derive(Debug, Default)]
pub(crate) struct Departures(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Uploads that have not been read to their end.
    uploads: usize,
    /// Responses that are there, and whose content may not be.
    leaving: usize,
    /// Whether what has left is still to be written.
    is_due: bool,
    reader: Option<Waker>,
}

/// An upload that has not been read to its end.
#[derive(Debug)]
pub(crate) struct Upload(Arc<Departures>);

/// A response that is there, and whose content may not be.
#[derive(Debug)]
pub(crate) struct Leaving(Arc<Departures>);

impl Departures {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn upload(self: &Arc<Self>) -> Upload {
        self.state().uploads += 1;
        Upload(Arc::clone(self))
    }

    /// Notes that a response is there. It is on its way until the returned value is dropped.
    /// Returns nothing if the client is sure to wait for it.
    pub(crate) fn leaves(self: &Arc<Self>) -> Option<Leaving> {
        let mut state = self.state();
        (state.uploads > 0).then(|| {
            state.leaving += 1;
            Leaving(Arc::clone(self))
        })
    }

    /// Returns whether the connection may read. Otherwise its task is woken when it may.
    pub(crate) fn may_read(&self, cx: &Context<'_>) -> bool {
        let mut state = self.state();
        let may_read = state.leaving == 0 && !state.is_due;
        if !may_read {
            state.reader = Some(cx.waker().clone());
        }
        may_read
    }

    /// Notes that the connection has written all that it could.
    pub(crate) fn flushed(&self) {
        let mut state = self.state();
        if state.leaving == 0 && mem::take(&mut state.is_due) {
            state.wake();
        }
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.0.state().uploads -= 1;
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.leaving -= 1;
        state.is_due = true;
        state.wake();
    }
}
