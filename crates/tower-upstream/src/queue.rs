//! The order in which the tasks of several requests are polled.

use std::{
    future::{Future, poll_fn},
    task::Poll,
};

/// Becomes ready after the tasks that are ready now have been polled.
///
/// Under load, many responses come at once. If each were written before the next one is read, a
/// client on another core would handle it in less time than the next one takes. It would sleep in
/// between, and the system needs 2 µs to wake it. With this, all are read, and then all are
/// written. Where no other task is ready, it costs one more poll.
pub(crate) fn behind_others() -> impl Future<Output = ()> + Send {
    let mut is_behind = false;
    poll_fn(move |cx| {
        if std::mem::replace(&mut is_behind, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn ready_tasks_are_polled_first() {
        let order = Arc::<Mutex<Vec<String>>>::default();
        let tasks = ["a", "b"].map(|name| {
            let order = Arc::clone(&order);
            let note = move |what: &str| order.lock().unwrap().push(format!("{name} {what}"));
            tokio::spawn(async move {
                note("reads");
                behind_others().await;
                note("writes");
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
        let order = order.lock().unwrap();
        assert_eq!(*order, ["a reads", "b reads", "a writes", "b writes"]);
    }
}
