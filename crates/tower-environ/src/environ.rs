//! The bag of values that travels with a request.

use std::{
    any::{Any, type_name},
    fmt,
    sync::Arc,
};

use smallvec::SmallVec;

use crate::key::{Key, Name};

/// The named values of one request. It lives in the request's [`http::Extensions`].
///
/// A clone holds handles of the same values; what is set in one clone later is not seen in the other.
/// The first four values need no allocation besides their own.
#[derive(Clone, Default)]
pub struct Environ {
    entries: SmallVec<[Entry; 4]>,
}

impl Environ {
    /// The value that was set for this key; `None` if there is none, or if it was set under this name
    /// with another type.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self, key: &Key<T>) -> Option<&T> {
        let entry = self.entries.iter().find(|entry| entry.is(key.name()))?;
        let value: &dyn Any = &*entry.value;
        value.downcast_ref()
    }

    /// Sets a value. Where the key is already set the later value wins and takes its place.
    pub fn set<T: Send + Sync + 'static>(&mut self, key: Key<T>, value: T) {
        self.put(Entry::new(key, value));
    }

    /// The names that are set, in the order in which they were first set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    pub(crate) fn put(&mut self, entry: Entry) {
        match self
            .entries
            .iter_mut()
            .find(|old| old.is(entry.name.as_str()))
        {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
    }
}

/// Names and types; the values need not be printable.
impl fmt::Debug for Environ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.entries
                    .iter()
                    .map(|entry| (entry.name.as_str(), entry.type_name())),
            )
            .finish()
    }
}

/// A name with its value. Cloning one copies two handles.
#[derive(Clone)]
pub(crate) struct Entry {
    name: Name,
    value: Arc<dyn Value>,
}

impl Entry {
    pub(crate) fn new<T: Send + Sync + 'static>(key: Key<T>, value: T) -> Self {
        Self {
            name: key.into_name(),
            value: Arc::new(value),
        }
    }

    fn is(&self, name: &str) -> bool {
        self.name.as_str() == name
    }

    fn type_name(&self) -> &'static str {
        // Of the value: an `Arc` is a `Value` of its own.
        (*self.value).type_name()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name.as_str(), self.type_name())
    }
}

/// Anything that can be shared between threads, with the name of its type.
trait Value: Any + Send + Sync {
    fn type_name(&self) -> &'static str;
}

impl<T: Any + Send + Sync> Value for T {
    fn type_name(&self) -> &'static str {
        type_name::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Key<u32> = Key::new("test.one");
    const TWO: Key<u32> = Key::new("test.two");
    const ONE_AS_TEXT: Key<String> = Key::new("test.one");

    #[test]
    fn two_values_of_one_type_live_side_by_side() {
        let mut environ = Environ::default();
        environ.set(ONE, 1);
        environ.set(TWO, 2);
        assert_eq!((environ.get(&ONE), environ.get(&TWO)), (Some(&1), Some(&2)));
    }

    #[test]
    fn the_later_value_wins_and_keeps_its_place() {
        let mut environ = Environ::default();
        environ.set(ONE, 1);
        environ.set(TWO, 2);
        environ.set(ONE_AS_TEXT, "one".to_owned());
        assert_eq!(environ.get(&ONE), None);
        assert_eq!(environ.get(&ONE_AS_TEXT).map(String::as_str), Some("one"));
        assert_eq!(
            environ.names().collect::<Vec<_>>(),
            ["test.one", "test.two"]
        );
    }

    #[test]
    fn a_clone_does_not_see_what_is_set_in_the_other() {
        let mut first = Environ::default();
        first.set(ONE, 1);
        let mut second = first.clone();
        second.set(ONE, 11);
        second.set(TWO, 2);
        assert_eq!((first.get(&ONE), first.get(&TWO)), (Some(&1), None));
    }

    #[test]
    fn a_key_parsed_at_run_time_finds_the_constant_ones_value() {
        let mut environ = Environ::default();
        environ.set(ONE, 1);
        assert_eq!(
            environ.get(&Key::<u32>::parse("test.one").unwrap()),
            Some(&1)
        );
    }

    #[test]
    fn debug_shows_names_and_types() {
        let mut environ = Environ::default();
        environ.set(ONE, 1);
        assert_eq!(format!("{environ:?}"), r#"{"test.one": "u32"}"#);
    }
}
