use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

/// Runs a task to its end; a panic ends this task alone, and is logged.
pub(super) async fn contained(task: impl Future<Output = ()>) {
    let mut task = pin!(task);
    poll_fn(|cx| {
        // What panicked is not looked at again, only dropped.
        match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx))) {
            Ok(poll) => poll,
            Err(panic) => {
                let message = message(&*panic);
                tracing::error!(message, "a panic ended what served a request");
                Poll::Ready(())
            }
        }
    })
    .await;
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_its_task_and_drops_what_the_task_held() {
        let held = std::sync::Arc::new(());
        let own = held.clone();
        contained(async move {
            let _own = own;
            panic!("as it was asked to");
        })
        .await;
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
    }

    #[test]
    fn the_text_of_a_panic_is_found() {
        assert_eq!(message(&"text"), "text");
        assert_eq!(message(&"text".to_owned()), "text");
        assert_eq!(message(&1), "no text");
    }
}
