//! The map of named values that a request carries.

use std::{
    any::{Any, type_name, type_name_of_val},
    fmt,
    sync::Arc,
};

use crate::{
    EnvironError,
    key::{Key, Name},
};

/// The named values of one request. It lives in the request's [`http::Extensions`].
///
/// A clone shares the values. A value that is set in one clone later is not in the other. The first
/// four values need no allocation besides their own.
///
/// `Debug` shows all values except those of a [`Key::secret`].
///
/// # Examples
///
/// ```
/// use tower_environ::{Environ, Key};
///
/// const LIMIT: Key<u32> = Key::new("app.limit");
/// const RETRIES: Key<u32> = Key::new("app.retries");
///
/// let mut environ = Environ::default();
/// environ.set(LIMIT, 10);
/// environ.set(RETRIES, 3);
/// assert_eq!(environ.get(&LIMIT), Some(&10));
/// assert_eq!(format!("{environ:?}"), r#"{"app.limit": 10, "app.retries": 3}"#);
/// ```
#[derive(Clone, Default)]
pub struct Environ {
    /// Filled from the left.
    first: [Option<Entry>; 4],
    // In a box, since few requests have more.
    more: Option<Box<More>>,
}

#[derive(Clone, Default)]
struct More(Vec<Entry>);

impl Environ {
    /// Returns the value for this key. It is `None` if there is no value, or if a value of another
    /// type has this name.
    #[must_use]
    pub fn get<T: 'static>(&self, key: &Key<T>) -> Option<&T> {
        self.entry(key.name())?.value()
    }

    /// Returns the value for this key, or an error if there is none.
    ///
    /// # Errors
    ///
    /// Returns an [`EnvironError`] with the names that are set if this one is missing, or with the
    /// type of the value if it is another one.
    pub fn try_get<T: 'static>(&self, key: &Key<T>) -> Result<&T, EnvironError> {
        let entry = self
            .entry(key.name())
            .ok_or_else(|| EnvironError::missing(key.name(), self.names()))?;
        entry.value().ok_or_else(|| {
            EnvironError::wrong_type(key.name(), type_name::<T>(), entry.type_name())
        })
    }

    /// Sets a value. It replaces an earlier value of the same name.
    pub fn set<T>(&mut self, key: Key<T>, value: T) {
        self.put(&key.entry(value), false);
    }

    /// Returns the names that are set, in the order in which they were first set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries().map(Entry::name)
    }

    /// Returns names and printable values, in the order in which the names were first set. The
    /// value of a [`Key::secret`] prints as `<secret>`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &dyn fmt::Debug)> {
        self.entries()
            .map(|entry| (entry.name(), entry.printable()))
    }

    /// Sets an entry. If `stays`, an earlier entry of that name is kept.
    #[inline]
    pub(crate) fn put(&mut self, entry: &Entry, stays: bool) {
        for place in &mut self.first {
            match place {
                Some(old) if old.name() != entry.name() => {}
                Some(_) if stays => return,
                _ => {
                    *place = Some(entry.clone());
                    return;
                }
            }
        }
        self.put_after_these(entry, stays);
    }

    #[cold]
    fn put_after_these(&mut self, entry: &Entry, stays: bool) {
        let More(more) = &mut **self.more.get_or_insert_default();
        match more.iter_mut().find(|old| old.name() == entry.name()) {
            Some(_) if stays => {}
            Some(old) => *old = entry.clone(),
            None => more.push(entry.clone()),
        }
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        let more = self.more.iter().flat_map(|more| &more.0);
        self.first.iter().flatten().chain(more)
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries().find(|entry| entry.name() == name)
    }
}

impl fmt::Debug for Environ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A name with its value. Cloning one never allocates.
#[derive(Clone)]
pub(crate) enum Entry {
    /// Static text under a static name, the most frequent kind. A copy of it is cheaper than a
    /// reference count.
    Text {
        name: &'static str,
        value: &'static str,
    },
    Shared(Arc<Named<dyn Value>>),
}

pub(crate) struct Named<V: ?Sized> {
    name: Name,
    value: V,
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Self::Text { name, .. } => name,
            Self::Shared(named) => named.name.as_str(),
        }
    }

    fn value<T: 'static>(&self) -> Option<&T> {
        let value: &dyn Any = match self {
            Self::Text { value, .. } => value,
            Self::Shared(named) => named.value.any(),
        };
        value.downcast_ref()
    }

    fn printable(&self) -> &dyn fmt::Debug {
        match self {
            Self::Text { value, .. } => value,
            Self::Shared(named) => &named.value,
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Text { value, .. } => type_name_of_val(value),
            Self::Shared(named) => named.value.type_name(),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {:?}", self.name(), self.printable())
    }
}

/// Creates an entry whose value `Debug` shows.
pub(crate) fn shown<T: fmt::Debug + Send + Sync + 'static>(name: Name, value: T) -> Entry {
    let text = (&value as &dyn Any).downcast_ref();
    if let (&Name::Static(name), Some(&value)) = (&name, text) {
        return Entry::Text { name, value };
    }
    let value = Shown(value);
    Entry::Shared(Arc::new(Named { name, value }))
}

/// Creates an entry whose value `Debug` does not show.
pub(crate) fn hidden<T: Send + Sync + 'static>(name: Name, value: T) -> Entry {
    let value = Hidden(value);
    Entry::Shared(Arc::new(Named { name, value }))
}

/// A value that threads can share, with its type and its `Debug`.
pub(crate) trait Value: fmt::Debug + Send + Sync {
    fn any(&self) -> &dyn Any;
    fn type_name(&self) -> &'static str;
}

struct Shown<T>(T);

impl<T: fmt::Debug> fmt::Debug for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: fmt::Debug + Send + Sync + 'static> Value for Shown<T> {
    fn any(&self) -> &dyn Any {
        &self.0
    }

    fn type_name(&self) -> &'static str {
        type_name::<T>()
    }
}

struct Hidden<T>(T);

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl<T: Send + Sync + 'static> Value for Hidden<T> {
    fn any(&self) -> &dyn Any {
        &self.0
    }

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
    /// A type without `Debug`.
    struct Password(&'static str);
    const PASSWORD: Key<Password> = Key::secret("test.password");

    #[test]
    fn environ_2_two_values_of_one_type_are_two_entries() {
        let mut environ = Environ::default();
        environ.set(ONE, 1);
        environ.set(TWO, 2);
        assert_eq!((environ.get(&ONE), environ.get(&TWO)), (Some(&1), Some(&2)));
    }

    #[test]
    fn environ_3_the_later_value_wins_and_keeps_its_position() {
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
    fn environ_7_a_clone_does_not_see_later_values_of_the_other() {
        let mut first = Environ::default();
        first.set(ONE, 1);
        let mut second = first.clone();
        second.set(ONE, 11);
        second.set(TWO, 2);
        assert_eq!((first.get(&ONE), first.get(&TWO)), (Some(&1), None));
    }

    #[test]
    fn environ_1_a_parsed_key_finds_the_value_of_a_constant() {
        let mut environ = Environ::default();
        environ.set(ONE, 1);
        let secret = Key::<u32>::parse_secret("test.one").unwrap();
        assert_eq!(environ.get(&secret), Some(&1));
        environ.set(secret, 1);
        assert_eq!(format!("{environ:?}"), r#"{"test.one": <secret>}"#);
        let parsed = Key::<u32>::parse("test.one").unwrap();
        assert_eq!(environ.get(&parsed), Some(&1));
    }

    #[test]
    fn environ_6_debug_shows_values_in_order_but_no_secret() {
        let mut environ = Environ::default();
        environ.set(TWO, 2);
        environ.set(PASSWORD, Password("swordfish"));
        environ.set(ONE_AS_TEXT, "one".to_owned());
        assert_eq!(environ.get(&PASSWORD).map(|it| it.0), Some("swordfish"));
        assert_eq!(
            format!("{environ:?}"),
            r#"{"test.two": 2, "test.password": <secret>, "test.one": "one"}"#
        );
    }

    #[test]
    fn environ_5_an_error_has_the_names_or_the_type() {
        let text = |environ: &Environ| environ.try_get(&ONE).unwrap_err().to_string();
        let mut environ = Environ::default();
        assert_eq!(
            text(&environ),
            r#"the environ has no "test.one": no layer has set anything"#
        );
        environ.set(TWO, 2);
        environ.set(PASSWORD, Password("swordfish"));
        assert_eq!(
            text(&environ),
            r#"the environ has no "test.one": it has "test.two", "test.password""#
        );
        environ.set(ONE_AS_TEXT, "one".to_owned());
        assert_eq!(
            text(&environ),
            r#""test.one" in the environ is a alloc::string::String and not a u32"#
        );
        environ.set(ONE, 1);
        assert_eq!(environ.try_get(&ONE), Ok(&1));
        const PASSWORD_AS_TEXT: Key<&str> = Key::new("test.password");
        let error = environ.try_get(&PASSWORD_AS_TEXT).unwrap_err();
        let found = std::any::type_name::<Password>();
        let message = format!("\"test.password\" in the environ is a {found} and not a &str");
        assert_eq!(error.to_string(), message);
    }
}
