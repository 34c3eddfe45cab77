use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// A log of values that were made and dropped, in order.
///
/// # Examples
///
/// ```
/// use tower_lint::probe::DropLog;
///
/// let log = DropLog::default();
/// let (first, second) = (log.track("first"), log.track("second"));
/// drop(second);
/// assert_eq!(log.dropped(), ["second"]);
/// assert_eq!(log.alive(), ["first"]);
/// # drop(first);
/// ```
#[derive(Clone, Debug, Default)]
pub struct DropLog {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    alive: Vec<&'static str>,
    dropped: Vec<&'static str>,
}

impl DropLog {
    /// Creates a value whose drop is logged under this name.
    #[must_use]
    pub fn track(&self, name: &'static str) -> Tracked {
        self.with(|state| state.alive.push(name));
        Tracked {
            name,
            log: self.clone(),
        }
    }

    /// Returns the names of the values that were dropped, in order.
    #[must_use]
    pub fn dropped(&self) -> Vec<&'static str> {
        self.with(|state| state.dropped.clone())
    }

    /// Returns the names of the values that were made and not dropped.
    #[must_use]
    pub fn alive(&self) -> Vec<&'static str> {
        self.with(|state| state.alive.clone())
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        // The log can still be read after a panic.
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A value whose drop a [`DropLog`] logs.
pub struct Tracked {
    name: &'static str,
    log: DropLog,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let name = self.name;
        self.log.with(|state| {
            if let Some(at) = state.alive.iter().position(|alive| *alive == name) {
                state.alive.remove(at);
            }
            state.dropped.push(name);
        });
    }
}

impl fmt::Debug for Tracked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tracked").field(&self.name).finish()
    }
}

/// A value that panics when it is dropped, except during another panic.
///
/// # Examples
///
/// ```
/// use tower_lint::probe::Bomb;
///
/// assert!(std::panic::catch_unwind(|| drop(Bomb("bang"))).is_err());
/// ```
#[derive(Debug)]
pub struct Bomb(pub &'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "{}", self.0);
    }
}
