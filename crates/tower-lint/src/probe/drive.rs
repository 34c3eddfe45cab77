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

/// The time without a wake-up after which a waiting task is stalled.
const PATIENCE: Duration = Duration::from_secs(1);

/// The number of times that a task may wake itself. After that it is stalled, because it waits by
/// polling.
const POLLS: usize = 100_000;

/// The error of a future that is stalled. It waits and was not woken within a second, or it has
/// woken itself a hundred thousand times.
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

/// A counter of wake-ups.
///
/// # Examples
///
/// ```
/// use tower_lint::probe::WakeCounter;
///
/// let counter = WakeCounter::new();
/// counter.waker().wake();
/// assert_eq!(counter.wakes(), 1);
/// ```
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
    /// Creates a counter that also wakes this thread.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                wakes: AtomicUsize::new(0),
                thread: thread::current(),
            }),
        }
    }

    /// Returns the waker whose wake-ups are counted.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.shared.clone().into()
    }

    /// Returns the number of wake-ups so far.
    #[must_use]
    pub fn wakes(&self) -> usize {
        self.shared.wakes.load(Ordering::SeqCst)
    }

    /// Waits until there are more wake-ups than this number.
    ///
    /// # Errors
    ///
    /// Returns [`Stalled`] if there are not within a second.
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

/// Runs a future on this thread, and polls it only after a wake-up.
///
/// # Errors
///
/// Returns [`Stalled`] if the future waits and is not woken.
///
/// # Examples
///
/// ```
/// use tower_lint::probe::{Stalled, block_on};
///
/// assert_eq!(block_on(async { 1 }), Ok(1));
/// assert_eq!(block_on(std::future::pending::<()>()), Err(Stalled));
/// ```
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

/// Cancels a future at every point, and returns the number of these points.
///
/// It makes a future, polls it `n` times and drops it, for every `n` until the future is done. It
/// calls `after` with `n` each time.
///
/// # Errors
///
/// Returns [`Stalled`] if a future waits and is not woken.
///
/// # Examples
///
/// ```
/// use tower::ServiceExt;
/// use http::{Request, Response};
/// use tower_lint::probe::{App, Body, DropLog, cancel_everywhere};
///
/// let log = DropLog::default();
/// let app = App::new(|_| Response::new(Body::default())).yields(2).log(&log);
/// let points = cancel_everywhere(
///     || app.clone().oneshot(Request::new(Body::default())),
///     |_| assert!(log.alive().is_empty()),
/// );
/// assert_eq!(points, Ok(3));
/// ```
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
