use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};

/// The pause after an error that is not about one connection. Most often there are too many open
/// files, which passes when some are closed.
const PAUSE: Duration = Duration::from_millis(100);
/// The shortest time between two lines in the log about such errors.
const SILENCE: Duration = Duration::from_secs(10);

/// A source of connections.
pub(crate) trait Listen {
    type Connection;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Connection>>;
}

/// Accepts connections from several listeners, while there are free slots.
#[derive(Debug)]
pub(crate) struct Acceptor<L> {
    listeners: Vec<L>,
    slots: Arc<Semaphore>,
    /// The listener that is polled first. It changes each time, so that a busy listener does not
    /// keep the others waiting.
    first: usize,
    warned: Option<Instant>,
}

impl<L: Listen> Acceptor<L> {
    pub(crate) fn new(listeners: Vec<L>, connections: usize) -> Self {
        Self {
            listeners,
            slots: Arc::new(Semaphore::new(connections)),
            first: 0,
            warned: None,
        }
    }

    /// Returns the next connection, with the slot that it holds until it is closed. Dropping the
    /// future loses no connection.
    pub(crate) async fn accept(&mut self) -> (L::Connection, OwnedSemaphorePermit) {
        // The slot comes first: a connection that has to wait for one waits in the system's queue
        // and costs nothing here. One slot is for all listeners, so that a limit of one works for
        // any number of them.
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        let slot = slot.expect("this type owns the semaphore and never closes it");
        loop {
            match poll_fn(|cx| self.poll_any(cx)).await {
                Ok(connection) => return (connection, slot),
                Err(error) if is_of_one_connection(&error) => {
                    tracing::debug!(%error, "a connection was gone before it was accepted");
                }
                Err(error) => {
                    self.warn(&error);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn poll_any(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<L::Connection>> {
        let count = self.listeners.len();
        for index in (0..count).map(|offset| (self.first + offset) % count) {
            if let Poll::Ready(accepted) = self.listeners[index].poll_accept(cx) {
                self.first = index + 1;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }

    fn warn(&mut self, error: &io::Error) {
        if self.warned.is_none_or(|last| last.elapsed() >= SILENCE) {
            self.warned = Some(Instant::now());
            tracing::warn!(%error, "cannot accept connections; trying again every 100 ms");
        }
    }
}

/// Returns whether the next connection may well be fine.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use tokio::time::timeout;

    use super::*;

    /// Returns its results, the last first, and is then pending.
    struct Fake {
        results: RefCell<Vec<Result<u32, io::ErrorKind>>>,
        polls: Cell<usize>,
    }

    fn fake(results: impl IntoIterator<Item = Result<u32, io::ErrorKind>>) -> Fake {
        let mut results = Vec::from_iter(results);
        results.reverse();
        Fake {
            results: RefCell::new(results),
            polls: Cell::new(0),
        }
    }

    impl Listen for Fake {
        type Connection = u32;

        fn poll_accept(&self, _: &mut Context<'_>) -> Poll<io::Result<u32>> {
            self.polls.set(self.polls.get() + 1);
            match self.results.borrow_mut().pop() {
                Some(result) => Poll::Ready(result.map_err(io::Error::from)),
                None => Poll::Pending,
            }
        }
    }

    /// Returns the time that it took, and the connection.
    async fn accept(acceptor: &mut Acceptor<Fake>) -> (Duration, u32) {
        let start = Instant::now();
        let (connection, _) = acceptor.accept().await;
        (start.elapsed(), connection)
    }

    #[tokio::test(start_paused = true)]
    async fn serve_18_after_other_errors_there_is_a_pause() {
        let busy = Err(io::ErrorKind::Other);
        let mut acceptor = Acceptor::new(vec![fake([busy, busy, busy, Ok(1)])], 1);
        assert_eq!(accept(&mut acceptor).await, (3 * PAUSE, 1));
        assert_eq!(acceptor.listeners[0].polls.get(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn serve_18_a_connection_that_is_gone_costs_no_time() {
        let gone = [
            Err(io::ErrorKind::ConnectionAborted),
            Err(io::ErrorKind::ConnectionReset),
            Err(io::ErrorKind::Interrupted),
            Ok(1),
        ];
        let mut acceptor = Acceptor::new(vec![fake(gone)], 1);
        assert_eq!(accept(&mut acceptor).await, (Duration::ZERO, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn serve_18_repeated_errors_are_logged_every_ten_seconds() {
        let mut acceptor = Acceptor::new(vec![fake([])], 1);
        let error = io::Error::from(io::ErrorKind::Other);
        acceptor.warn(&error);
        let first = acceptor.warned;
        tokio::time::advance(SILENCE / 2).await;
        acceptor.warn(&error);
        assert_eq!(acceptor.warned, first);
        tokio::time::advance(SILENCE / 2).await;
        acceptor.warn(&error);
        assert_ne!(acceptor.warned, first);
    }

    #[tokio::test]
    async fn listeners_take_turns() {
        let mut acceptor = Acceptor::new(vec![fake([Ok(1), Ok(2), Ok(3)]), fake([Ok(11)])], 9);
        let mut order = Vec::new();
        for _ in 0..4 {
            order.push(acceptor.accept().await.0);
        }
        assert_eq!(order, [1, 11, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn serve_12_nothing_is_accepted_without_a_free_slot() {
        let mut acceptor = Acceptor::new(vec![fake([]), fake([Ok(1), Ok(2)])], 1);
        let (_, slot) = acceptor.accept().await;
        let polls = acceptor.listeners[1].polls.get();
        let waiting = timeout(Duration::from_secs(1), acceptor.accept()).await;
        assert!(waiting.is_err());
        assert_eq!(acceptor.listeners[1].polls.get(), polls);
        drop(slot);
        assert_eq!(acceptor.accept().await.0, 2);
    }
}
