use std::{
    error::Error,
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

/// How long a waiting task may go without a wake-up before it is called stalled.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often a task may wake itself before it is called stalled: it waits by polling.
const POLLS: usize = 100_000;

/// A waiting task was not woken, or it has woken itself a hundred thousand times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stalled;

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "it waits, and was not woken within {PATIENCE:?}, or it woke only itself, {POLLS} times"
        )
    }
}

impl Error for Stalled {}

/// Counts how often its waker was woken.
#[derive(Debug)]
pub struct WakeCounter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    wakes: AtomicUsize,
    thread: Thread,
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl WakeCounter {
    /// A counter that also wakes this thread.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                wakes: AtomicUsize::new(0),
                thread: thread::current(),
            }),
        }
    }

    /// The waker whose wakes are counted.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.shared.clone().into()
    }

    /// How often it was woken so far.
    #[must_use]
    pub fn wakes(&self) -> usize {
        self.shared.wakes.load(Ordering::SeqCst)
    }

    /// Waits until it was woken more often than that.
    ///
    /// # Errors
    ///
    /// Returns [`Stalled`] if that does not happen within a second.
    pub fn wait_for_more_than(&self, wakes: usize) -> Result<(), Stalled> {
        let start = Instant::now();
        while self.wakes() <= wakes {
            let left = PATIENCE.checked_sub(start.elapsed()).ok_or(Stalled)?;
            thread::park_timeout(left);
        }
        Ok(())
    }
}

impl Default for WakeCounter {
    fn default() -> Self {
        Self::new()
    }
}

/// Polls a future to its end on this thread, only when it was woken.
///
/// # Errors
///
/// Returns [`Stalled`] if it waits and is not woken.
pub fn block_on<F: Future>(future: F) -> Result<F::Output, Stalled> {
    let mut future = pin!(future);
    let counter = WakeCounter::new();
    for _ in 0..POLLS {
        let before = counter.wakes();
        if let Poll::Ready(output) = poll(future.as_mut(), &counter) {
            return Ok(output);
        }
        counter.wait_for_more_than(before)?;
    }
    Err(Stalled)
}

/// Makes a future, polls it `n` times and drops it, for every `n` until it is done; calls `after` with `n`
/// each time. Gives the number of points at which it was cancelled.
///
/// # Errors
///
/// Returns [`Stalled`] if a future waits and is not woken.
pub fn cancel_everywhere<F: Future>(
    mut make: impl FnMut() -> F,
    mut after: impl FnMut(usize),
) -> Result<usize, Stalled> {
    for polls in 0..POLLS {
        let mut future = Box::pin(make());
        let counter = WakeCounter::new();
        let mut done = false;
        for poll_number in 1..=polls {
            let before = counter.wakes();
            done = poll(future.as_mut(), &counter).is_ready();
            if done {
                break;
            }
            // After the last poll it is dropped while it waits.
            if poll_number < polls {
                counter.wait_for_more_than(before)?;
            }
        }
        drop(future);
        after(polls);
        if done {
            return Ok(polls);
        }
    }
    Err(Stalled)
}

fn poll<F: Future>(future: Pin<&mut F>, counter: &WakeCounter) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&counter.waker()))
}
