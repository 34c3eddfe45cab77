//! Hashes of files: which of them are known, and until when.

use std::{
    collections::HashMap,
    fs::Metadata,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use http::HeaderValue;

use crate::version::changed;

/// How many hashes are kept. When there are more, all are dropped.
const MOST: usize = 4096;

/// How old a change has to be, so that a further one cannot have the same time: the clocks of file
/// systems tick in up to two seconds.
const SAME_TIME: Duration = Duration::from_secs(2);

/// The entity tags that are hashes of files, with what changes when a file does.
///
/// No program can set the time of a file's last change, and each change of the content sets it. So
/// a hash is right as long as that time is the same.
#[derive(Debug, Default)]
pub(crate) struct Tags(Mutex<HashMap<State, HeaderValue>>);

/// A file in one of its states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    file: (u64, u64),
    size: u64,
    changed: SystemTime,
}

impl State {
    /// Returns the state of a file, unless the next change may lead to the same one, or the system
    /// does not know.
    #[cfg(unix)]
    pub(crate) fn settled(metadata: &Metadata, now: SystemTime) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;

        let changed = changed(metadata)?;
        let is_settled = now.duration_since(changed).ok()? >= SAME_TIME;
        is_settled.then(|| Self {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
            changed,
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn settled(_: &Metadata, _: SystemTime) -> Option<Self> {
        None
    }
}

impl Tags {
    pub(crate) fn of(&self, state: State) -> Option<HeaderValue> {
        self.lock().get(&state).cloned()
    }

    pub(crate) fn insert(&self, state: State, tag: HeaderValue) {
        let mut known = self.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(state, tag);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<State, HeaderValue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn state(file: u64) -> State {
        State {
            file: (1, file),
            size: 1,
            changed: SystemTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn static_5_a_hash_is_known_until_the_file_changes() {
        let tags = Tags::default();
        let tag = HeaderValue::from_static("\"a\"");
        let before = state(1);
        tags.insert(before, tag.clone());
        assert_eq!(tags.of(before), Some(tag));
        let second = Duration::from_secs(1);
        for after in [
            State { size: 2, ..before },
            State {
                changed: before.changed + second,
                ..before
            },
            State {
                file: (2, 1),
                ..before
            },
        ] {
            assert_eq!(tags.of(after), None, "{after:?}");
        }
    }

    #[test]
    fn static_5_the_hashes_that_are_known_are_bounded() {
        let tags = Tags::default();
        for file in 0..=MOST as u64 {
            tags.insert(state(file), HeaderValue::from_static("\"a\""));
        }
        assert_eq!(tags.lock().len(), 1);
    }

    #[test]
    fn static_5_a_file_that_has_just_changed_is_not_settled() {
        let metadata = std::fs::metadata("Cargo.toml").unwrap();
        let changed = changed(&metadata).unwrap();
        for (age, expected) in [(0, false), (1999, false), (2000, true), (100_000, true)] {
            let state = State::settled(&metadata, changed + Duration::from_millis(age));
            assert_eq!(state.is_some(), expected, "{age} ms");
        }
        assert_eq!(State::settled(&metadata, SystemTime::UNIX_EPOCH), None);
    }
}
