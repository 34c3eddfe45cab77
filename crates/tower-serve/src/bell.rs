//! The waker for what rarely wakes a connection.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

/// A waker that passes each wake on to a task, and remembers it.
///
/// Nearly all polls of a connection are about its bytes. What may end it from outside, such as the
/// time, is polled with this waker, and then again only after it has been woken.
#[derive(Debug)]
pub(crate) struct Bell {
    has_rung: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Bell {
    /// Returns a bell that has rung, so that the first poll is not left out.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            has_rung: AtomicBool::new(true),
            task: Mutex::new(None),
        })
    }

    /// Returns whether it has rung since the last call. From now on it wakes this task.
    pub(crate) fn has_rung(&self, task: &Waker) -> bool {
        let mut own = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !own.as_ref().is_some_and(|own| own.will_wake(task)) {
            *own = Some(task.clone());
        }
        drop(own);
        self.has_rung.load(Ordering::SeqCst) && self.has_rung.swap(false, Ordering::SeqCst)
    }

    /// Rings for the task that asks next, and wakes none.
    pub(crate) fn ring(&self) {
        self.has_rung.store(true, Ordering::SeqCst);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        let task = task.clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_bell_wakes_the_task_that_asked_last_and_remembers_it() {
        let (bell, tasks) = (Bell::new(), [(); 2].map(|()| Arc::<Task>::default()));
        let wakers = tasks.clone().map(Waker::from);
        let own = Waker::from(Arc::clone(&bell));
        let woken = || tasks.each_ref().map(|task| task.0.load(Ordering::SeqCst));
        // The first poll is not left out, and each wake is told once.
        assert!(bell.has_rung(&wakers[0]));
        assert!(!bell.has_rung(&wakers[0]));
        own.wake_by_ref();
        assert_eq!(woken(), [1, 0]);
        assert!(bell.has_rung(&wakers[1]));
        own.wake_by_ref();
        assert_eq!(woken(), [1, 1]);
        assert!(bell.has_rung(&wakers[1]));
        bell.ring();
        assert_eq!(woken(), [1, 1]);
        assert!(bell.has_rung(&wakers[1]) && !bell.has_rung(&wakers[1]));
    }
}
