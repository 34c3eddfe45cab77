//! Running other people's code without being torn down by it.

use std::{
    any::Any,
    future::Future,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

/// What a panic has thrown.
pub(crate) type Payload = Box<dyn Any + Send>;

/// Runs `f` where nobody could be told of a panic.
pub(crate) fn quietly(f: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
        discard(panic);
    }
}

/// Drops what a panic has thrown, whose `Drop` may panic, too.
pub(crate) fn discard(panic: Payload) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        mem::forget(another);
    }
}

pin_project! {
    /// A future whose panic is its result.
    pub(crate) struct Catch<F> {
        #[pin]
        future: F,
    }
}

pub(crate) fn catch<F>(future: F) -> Catch<F> {
    Catch { future }
}

impl<F: Future> Future for Catch<F> {
    type Output = Result<F::Output, Payload>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future;
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}
