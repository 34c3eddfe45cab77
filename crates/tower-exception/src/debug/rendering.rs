use std::{
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    thread,
};

use crate::guard::catch;

/// A value that is made on a thread of its own. The lookup of names and lines takes long, and an
/// executor should not wait for it.
pub(crate) struct Rendering<T> {
    shared: Arc<Mutex<Shared<T>>>,
}

enum Shared<T> {
    Waiting(Option<Waker>),
    /// `None` if it could not be made.
    Done(Option<T>),
}

impl<T: Send + 'static> Rendering<T> {
    pub(crate) fn start(make: impl FnOnce() -> T + Send + 'static) -> Self {
        let shared = Arc::new(Mutex::new(Shared::Waiting(None)));
        let theirs = shared.clone();
        let thread = thread::Builder::new().name("tower-exception".to_owned());
        let started = thread.spawn(move || finish(&theirs, catch(make).ok()));
        if started.is_err() {
            finish(&shared, None);
        }
        Self { shared }
    }

    /// Returns the value once.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *shared {
            Shared::Waiting(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Shared::Done(done) => Poll::Ready(done.take()),
        }
    }
}

fn finish<T>(shared: &Mutex<Shared<T>>, done: Option<T>) {
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let before = std::mem::replace(&mut *shared, Shared::Done(done));
    drop(shared);
    if let Shared::Waiting(Some(waker)) = before {
        waker.wake();
    }
}
