use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Writes down what was made and what was dropped, in order.
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
    /// Something whose drop is written down under this name.
    #[must_use]
    pub fn track(&self, name: &'static str) -> Tracked {
        self.with(|state| state.alive.push(name));
        Tracked {
            name,
            log: self.clone(),
        }
    }

    /// The names of what was dropped, in order.
    #[must_use]
    pub fn dropped(&self) -> Vec<&'static str> {
        self.with(|state| state.dropped.clone())
    }

    /// The names of what was made and not dropped.
    #[must_use]
    pub fn alive(&self) -> Vec<&'static str> {
        self.with(|state| state.alive.clone())
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        // A test that has panicked may still be looked at.
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Something that a [`DropLog`] knows of.
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

/// Panics when it is dropped, unless a panic is under way already.
#[derive(Debug)]
pub struct Bomb(pub &'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "{}", self.0);
    }
}
