//! Headers that are not passed on because of their names.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use http::HeaderName;

/// The largest number of names that are logged.
const MAX_LOGGED: usize = 32;

/// The headers that were not passed on so far.
#[derive(Default)]
pub(crate) struct Dropped {
    count: AtomicU64,
    logged: Mutex<Vec<HeaderName>>,
}

impl Dropped {
    /// Counts names, and logs each of them once. Clients choose the names, so there is a limit.
    pub(crate) fn note<'a>(&self, names: impl ExactSizeIterator<Item = &'a HeaderName>) {
        if names.len() == 0 {
            return;
        }
        self.count.fetch_add(names.len() as u64, Ordering::Relaxed);
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if logged.len() < MAX_LOGGED && !logged.contains(name) {
                tracing::warn!(
                    %name,
                    "the header is not passed on, since servers may take its name for another's; \
                     pass_headers can name it"
                );
                logged.push(name.clone());
            }
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
