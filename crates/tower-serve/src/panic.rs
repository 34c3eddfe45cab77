use tower_kit::guard::{catch_future, message};

/// Runs a task to its end. A panic ends this task only, and is logged.
pub(crate) async fn contained(task: impl Future<Output = ()>) {
    // The task is not polled again after a panic, only dropped.
    if let Err(panic) = catch_future(task).await {
        let message = message(panic.value()).unwrap_or("no message");
        tracing::error!(message, "a panic ended a connection or a stream");
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
