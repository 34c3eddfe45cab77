//! The grammar of a key's name: two or more non-empty segments of `[A-Za-z0-9_-]`, separated by
//! dots.
//!
//! A dot is required, so that no key has the name of a CGI variable: `SCRIPT_NAME` has no dot.
//!
//! DIFFERENCE: in WSGI (PEP 3333, "environ Variables") a dotted name is a convention.

use std::{fmt, sync::Arc};

use crate::environ::{Entry, hidden, shown};

/// The longest key, in bytes.
const MAX_LEN: usize = 255;

/// The name and the type of a value in the [`Environ`](crate::Environ).
///
/// Keys with the same name stand for one entry, also if their types differ. Keys of one type with
/// different names stand for different entries.
///
/// # Examples
///
/// ```
/// use tower_environ::Key;
///
/// const HELLO: Key<&'static str> = Key::new("test.hello");
/// assert_eq!(HELLO.name(), "test.hello");
/// ```
///
/// A name without a dot does not compile:
///
/// ```compile_fail,E0080
/// # use tower_environ::Key;
/// const HELLO: Key<&'static str> = Key::new("hello");
/// # println!("{}", HELLO.name());
/// ```
pub struct Key<T> {
    name: Name,
    /// Makes the entry. The constructor chooses it, because it knows whether `Debug` shows the
    /// value.
    entry: fn(Name, T) -> Entry,
}

impl<T: fmt::Debug + Send + Sync + 'static> Key<T> {
    /// Creates a key with a fixed name, for a `const` or a `static`. A malformed name in a `const`
    /// is a compile error.
    ///
    /// A name has two or more segments of ASCII letters, digits, `_` and `-`, separated by dots. It
    /// has at most 255 bytes. It does not begin with `wsgi.` or `tower.`, in lower or upper case.
    ///
    /// `Debug` of an [`Environ`](crate::Environ), or of a layer that sets the value, shows the
    /// value. Use [`Key::secret`] for a value that must not be shown, or that has no `Debug`.
    ///
    /// Functions that set a value take the key by value. A `static` is cloned for that, which does
    /// not allocate.
    ///
    /// # Panics
    ///
    /// Panics if the name is malformed and the call is not in a constant. Use [`Key::parse`] for
    /// names that come from configuration.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name: Name::new(name),
            entry: shown,
        }
    }

    /// Creates a key whose name is known only at run time, for example from a configuration file.
    ///
    /// # Errors
    ///
    /// Returns a [`KeyError`] if the name is malformed. It has the fault and its position.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_environ::Key;
    ///
    /// let key = Key::<u32>::parse("app.limit")?;
    /// assert_eq!(key.name(), "app.limit");
    ///
    /// let error = Key::<u32>::parse("app..limit").unwrap_err();
    /// assert_eq!(error.position(), 4);
    /// # Ok::<(), tower_environ::KeyError>(())
    /// ```
    pub fn parse(name: &str) -> Result<Self, KeyError> {
        let name = Name::parse(name)?;
        Ok(Self { name, entry: shown })
    }
}

impl<T: Send + Sync + 'static> Key<T> {
    /// Creates a key whose value `Debug` never shows. The rules for its name are those of
    /// [`Key::new`].
    ///
    /// It is for passwords, for values that are too large to read, and for types without
    /// [`Debug`](fmt::Debug).
    ///
    /// # Panics
    ///
    /// Panics in the cases in which [`Key::new`] panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_environ::{Environ, Key};
    ///
    /// const PASSWORD: Key<&'static str> = Key::secret("app.password");
    ///
    /// let mut environ = Environ::default();
    /// environ.set(PASSWORD, "swordfish");
    /// assert_eq!(format!("{environ:?}"), r#"{"app.password": <secret>}"#);
    /// ```
    #[must_use]
    pub const fn secret(name: &'static str) -> Self {
        Self {
            name: Name::new(name),
            entry: hidden,
        }
    }

    /// Creates a [`Key::secret`] whose name is known only at run time.
    ///
    /// # Errors
    ///
    /// Returns a [`KeyError`] if the name is malformed.
    pub fn parse_secret(name: &str) -> Result<Self, KeyError> {
        let name = Name::parse(name)?;
        Ok(Self {
            name,
            entry: hidden,
        })
    }
}

impl<T> Key<T> {
    /// Returns the name, such as `test.hello`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    pub(crate) fn entry(self, value: T) -> Entry {
        (self.entry)(self.name, value)
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            entry: self.entry,
        }
    }
}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Key<{}>({:?})",
            std::any::type_name::<T>(),
            self.name.as_str()
        )
    }
}

/// A well-formed name. Cloning one never allocates.
#[derive(Clone)]
pub(crate) enum Name {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Name {
    const fn new(name: &'static str) -> Self {
        if let Some((kind, _)) = error_in(name.as_bytes()) {
            panic!("{}", kind.message());
        }
        Self::Static(name)
    }

    fn parse(name: &str) -> Result<Self, KeyError> {
        match error_in(name.as_bytes()) {
            None => Ok(Self::Shared(name.into())),
            Some((kind, position)) => Err(KeyError {
                kind,
                position,
                name: name.into(),
            }),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Static(name) => name,
            Self::Shared(name) => name,
        }
    }
}

/// An error of [`Key::parse`]: the name is malformed.
///
/// # Examples
///
/// ```
/// use tower_environ::Key;
///
/// let error = Key::<u32>::parse("limit").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "a key must have a dot in its name, such as \"app.hello\" (found \"limit\", at byte 5)"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError {
    kind: Kind,
    position: usize,
    name: String,
}

impl KeyError {
    /// Returns the position of the fault, in bytes from the start of the name.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.name.chars().take(64).collect();
        let cut = if shown.len() < self.name.len() {
            "…"
        } else {
            ""
        };
        write!(
            f,
            "{} (found {shown:?}{cut}, at byte {})",
            self.kind.message(),
            self.position
        )
    }
}

impl std::error::Error for KeyError {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Empty,
    NoDot,
    EmptySegment,
    Character,
    Reserved,
    TooLong,
}

impl Kind {
    const fn message(self) -> &'static str {
        match self {
            Self::Empty => "a key must have a name, such as \"app.hello\"",
            Self::NoDot => "a key must have a dot in its name, such as \"app.hello\"",
            Self::EmptySegment => "a key must not have an empty segment",
            Self::Character => "a key may only hold ASCII letters, digits, `_`, `-` and dots",
            Self::Reserved => "keys under \"wsgi.\" and \"tower.\" are reserved",
            Self::TooLong => "a key may have at most 255 bytes",
        }
    }
}

/// Returns the first fault of a name and its position in bytes. It is a `const fn`, because the
/// compiler checks constants with it and [`Key::parse`] checks other names.
const fn error_in(name: &[u8]) -> Option<(Kind, usize)> {
    if name.is_empty() {
        return Some((Kind::Empty, 0));
    }
    if name.len() > MAX_LEN {
        return Some((Kind::TooLong, MAX_LEN));
    }
    let mut dotted = false;
    let mut in_segment = false;
    let mut at = 0;
    while at < name.len() {
        match name[at] {
            b'.' if !in_segment => return Some((Kind::EmptySegment, at)),
            b'.' => {
                dotted = true;
                in_segment = false;
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => in_segment = true,
            _ => return Some((Kind::Character, at)),
        }
        at += 1;
    }
    if !dotted {
        return Some((Kind::NoDot, at));
    }
    if !in_segment {
        return Some((Kind::EmptySegment, at));
    }
    if starts_with(name, b"wsgi.") || starts_with(name, b"tower.") {
        return Some((Kind::Reserved, 0));
    }
    None
}

const fn starts_with(name: &[u8], prefix: &[u8]) -> bool {
    matches!(name.split_at_checked(prefix.len()), Some((head, _)) if equal(head, prefix))
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() {
        if !a[at].eq_ignore_ascii_case(&b[at]) {
            return false;
        }
        at += 1;
    }
    a.len() == b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environ_1_a_key_is_two_or_more_segments_joined_by_dots() {
        for name in [
            "a.b",
            "test.hello",
            "app.user.id",
            "X-1._",
            "wsgix.y",
            "a.wsgi.b",
        ] {
            assert_eq!(Key::<()>::parse(name).unwrap().name(), name);
        }
    }

    #[test]
    fn environ_1_an_error_has_the_fault_and_its_position() {
        let long = format!("a.{}", "b".repeat(10_000));
        let table = [
            (
                "",
                "a key must have a name, such as \"app.hello\" (found \"\", at byte 0)",
            ),
            (
                "hello",
                "a key must have a dot in its name, such as \"app.hello\" (found \"hello\", at byte 5)",
            ),
            (
                "SCRIPT_NAME",
                "a key must have a dot in its name, such as \"app.hello\" (found \"SCRIPT_NAME\", at byte 11)",
            ),
            (
                "WSGI.input",
                "keys under \"wsgi.\" and \"tower.\" are reserved (found \"WSGI.input\", at byte 0)",
            ),
            (
                ".a",
                "a key must not have an empty segment (found \".a\", at byte 0)",
            ),
            (
                "a.",
                "a key must not have an empty segment (found \"a.\", at byte 2)",
            ),
            (
                "a..b",
                "a key must not have an empty segment (found \"a..b\", at byte 2)",
            ),
            (
                "a. b",
                "a key may only hold ASCII letters, digits, `_`, `-` and dots (found \"a. b\", at byte 2)",
            ),
            (
                "a.\0",
                "a key may only hold ASCII letters, digits, `_`, `-` and dots (found \"a.\\0\", at byte 2)",
            ),
            (
                "a.é",
                "a key may only hold ASCII letters, digits, `_`, `-` and dots (found \"a.é\", at byte 2)",
            ),
            (
                "wsgi.input",
                "keys under \"wsgi.\" and \"tower.\" are reserved (found \"wsgi.input\", at byte 0)",
            ),
            (
                "tower.x",
                "keys under \"wsgi.\" and \"tower.\" are reserved (found \"tower.x\", at byte 0)",
            ),
        ];
        for (name, text) in table {
            assert_eq!(Key::<()>::parse(name).unwrap_err().to_string(), text);
        }
        assert!(Key::<()>::parse(&long[..255]).is_ok());
        assert!(Key::<()>::parse(&long[..256]).is_err());
        let error = Key::<()>::parse(&long).unwrap_err();
        assert_eq!(error.position(), 255);
        assert_eq!(
            error.to_string(),
            format!(
                "a key may have at most 255 bytes (found {:?}…, at byte 255)",
                &long[..64]
            )
        );
    }

    #[test]
    fn debug_shows_type_and_name() {
        let key = Key::<u32>::new("test.one");
        assert_eq!(format!("{key:?}"), "Key<u32>(\"test.one\")");
        let layer = crate::EnvironLayer::new(key, 1);
        assert_eq!(
            format!("{layer:?}"),
            "EnvironLayer { source: \"test.one\": 1, default: false }"
        );
    }

    #[test]
    #[should_panic(expected = "a key must have a dot in its name, such as \"app.hello\"")]
    fn environ_1_a_key_made_at_run_time_panics_if_malformed() {
        let _ = Key::<()>::new(std::hint::black_box("hello"));
    }
}
