//! The waker of one connection, and what has moved on it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Nothing has woken the connection since it was polled.
const QUIET: u8 = 0;
/// The connection is being polled.
const POLLED: u8 = 1;
/// Something has woken the connection.
const WOKEN: u8 = 2;

/// The number of rounds after which a connection that wakes itself gives way to others.
const ROUNDS: usize = 8;

/// What a connection shares with its stream: the waker of the connection, and whether bytes have
/// moved.
///
/// A connection is polled by the task of its request, and then by that of the response. It has
/// one waker for its whole life, so that no part of it registers another one for each request. A
/// wake from within the connection, while it is polled, costs another round instead of another
/// poll of the whole task.
pub(crate) struct Link {
    state: AtomicU8,
    /// The task that polls the connection now, or did last.
    task: Mutex<Option<Waker>>,
    /// A byte of a response has arrived since the last request.
    received: AtomicBool,
    /// Before the next read, the system is asked whether the other end has closed.
    probe: AtomicBool,
    /// The next write is kept.
    keeps: AtomicBool,
    /// The write that was kept.
    written: Mutex<Vec<u8>>,
}

impl Link {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: AtomicU8::new(QUIET),
            task: Mutex::new(None),
            received: AtomicBool::new(false),
            probe: AtomicBool::new(false),
            keeps: AtomicBool::new(false),
            written: Mutex::default(),
        })
    }

    /// Polls a function with the connection's waker until it is ready, or until nothing wakes it.
    pub(crate) fn turn<T>(
        &self,
        own: &Waker,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.register(cx.waker());
        let mut own = Context::from_waker(own);
        for _ in 0..ROUNDS {
            self.state.store(POLLED, Ordering::SeqCst);
            let result = poll(&mut own);
            if result.is_ready() {
                // What has woken it is met by the next turn.
                return result;
            }
            let quiet =
                self.state
                    .compare_exchange(POLLED, QUIET, Ordering::SeqCst, Ordering::SeqCst);
            if quiet.is_ok() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn register(&self, waker: &Waker) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }

    /// Forgets the task. A connection that is not in use wakes none.
    pub(crate) fn rest(&self) {
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(task);
    }

    /// Notes that a request begins.
    pub(crate) fn begin(&self) {
        self.received.store(false, Ordering::Relaxed);
    }

    pub(crate) fn note_received(&self) {
        self.received.store(true, Ordering::Relaxed);
    }

    /// Returns whether a byte has arrived since the request began.
    pub(crate) fn has_received(&self) -> bool {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn probe(&self) {
        self.probe.store(true, Ordering::Relaxed);
    }

    /// Returns whether the system is to be asked before this read.
    pub(crate) fn is_probed(&self) -> bool {
        self.probe.load(Ordering::Relaxed) && self.probe.swap(false, Ordering::Relaxed)
    }

    /// Keeps the next write. All of it counts, however much the other end takes at once.
    pub(crate) fn keep_written(&self) {
        self.keeps.store(true, Ordering::Relaxed);
    }

    /// Notes the bytes of a write, if they are to be kept.
    pub(crate) fn note_written<'a>(&self, bytes: impl Iterator<Item = &'a [u8]>) {
        if self.keeps.load(Ordering::Relaxed) && self.keeps.swap(false, Ordering::Relaxed) {
            let mut written = self.written();
            written.clear();
            bytes.for_each(|bytes| written.extend_from_slice(bytes));
        }
    }

    /// Returns the write that was kept, if there was one.
    pub(crate) fn take_written(&self) -> Option<Vec<u8>> {
        let is_kept = !self.keeps.load(Ordering::Relaxed);
        is_kept.then(|| std::mem::take(&mut *self.written()))
    }

    fn written(&self) -> MutexGuard<'_, Vec<u8>> {
        // No code panics while it is locked.
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Link {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::SeqCst) != QUIET {
            return;
        }
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        let task = task.clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Task(std::sync::atomic::AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_wake_within_a_turn_is_another_round() {
        let (link, task) = (Link::new(), Arc::new(Task::default()));
        let (own, outer) = (Waker::from(link.clone()), Waker::from(task.clone()));
        let mut cx = Context::from_waker(&outer);
        let mut rounds = 0;
        let result = link.turn(&own, &mut cx, |cx| {
            rounds += 1;
            if rounds < 3 {
                cx.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        });
        assert!(result.is_pending());
        assert_eq!((rounds, task.0.load(Ordering::SeqCst)), (3, 0));
        // Between turns, the first wake reaches the task.
        own.wake_by_ref();
        own.wake_by_ref();
        assert_eq!(task.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_connection_that_always_wakes_itself_gives_way() {
        let (link, task) = (Link::new(), Arc::new(Task::default()));
        let (own, outer) = (Waker::from(link.clone()), Waker::from(task.clone()));
        let mut rounds = 0;
        let result = link.turn(&own, &mut Context::from_waker(&outer), |cx| {
            rounds += 1;
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert!(result.is_pending());
        assert_eq!((rounds, task.0.load(Ordering::SeqCst)), (ROUNDS, 1));
    }

    #[test]
    fn upstream_10_the_write_after_a_request_is_kept() {
        let link = Link::new();
        let write = |parts: &[&'static str]| {
            link.note_written(parts.iter().map(|part| part.as_bytes()));
        };
        write(&["before"]);
        link.keep_written();
        // Nothing has been written since.
        assert_eq!(link.take_written(), None);
        write(&["one", "", "two"]);
        // The rest, if the other end has not taken all of it.
        write(&["wo"]);
        assert_eq!(link.take_written().unwrap(), b"onetwo");
        // The next requests are others, of which the last one counts.
        link.keep_written();
        write(&["two"]);
        link.keep_written();
        write(&["three"]);
        assert_eq!(link.take_written().unwrap(), b"three");
    }

    #[test]
    fn a_connection_at_rest_wakes_no_task() {
        let (link, task) = (Link::new(), Arc::new(Task::default()));
        let (own, outer) = (Waker::from(link.clone()), Waker::from(task.clone()));
        let result = link.turn(&own, &mut Context::from_waker(&outer), |_| {
            Poll::<()>::Pending
        });
        assert!(result.is_pending());
        link.rest();
        own.wake_by_ref();
        assert_eq!(task.0.load(Ordering::SeqCst), 0);
    }
}
