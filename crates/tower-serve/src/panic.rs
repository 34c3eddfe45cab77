use tower_kit::guard::{catch_future, message};

/// Runs a task to its end. A panic ends this task alone, and is logged.
pub(crate) async fn contained(task: impl Future<Output = ()>) {
    // The task is not polled again after a panic, only dropped.
    if let Err(panic) = catch_future(task).await {
        let message = message(panic.value()).unwrap_or("no text");
        tracing::error!(message, "a panic ended what served a request");
    }
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
}
