use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_kit::guard::{Catch, catch_future, message};

pin_project! {
    /// A task whose panic ends this task only, and is logged.
    ///
    /// It is no `async fn`, because that would have room for the task twice: as its argument, and
    /// as what it awaits.
    pub(crate) struct Contained<F> {
        // The task is not polled again after a panic, only dropped.
        #[pin]
        task: Catch<F>,
    }
}

/// Runs a task to its end. A panic ends this task only, and is logged.
pub(crate) fn contained<F: Future<Output = ()>>(task: F) -> Contained<F> {
    Contained {
        task: catch_future(task),
    }
}

impl<F: Future<Output = ()>> Future for Contained<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Err(panic) = ready!(self.project().task.poll(cx)) {
            let message = message(panic.value()).unwrap_or("no message");
            tracing::error!(message, "a panic ended a connection or a stream");
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn serve_15_a_panic_ends_its_task_and_drops_its_state() {
        let held = std::sync::Arc::new(());
        let own = held.clone();
        contained(async move {
            let _own = own;
            panic!("as it was asked to");
        })
        .await;
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
    }
}
