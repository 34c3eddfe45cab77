//! The grammar of a key: two or more non-empty segments of `[A-Za-z0-9_-]`, joined by dots.
//!
//! WSGI (PEP 3333, "environ Variables") asks that whatever a server or a middleware adds to the
//! environ be named in a way unique to it, and the habit since Paste is a dotted name. Here the
//! habit is the rule, so that no key can stand for a CGI variable (`SCRIPT_NAME` has no dot).

use std::{fmt, sync::Arc};

use crate::environ::{Entry, hidden, shown};

/// The longest key, in bytes.
const MAX_LEN: usize = 255;

/// The name and the type of a value in the [`Environ`](crate::Environ).
///
/// Two keys with one name stand for the same entry, whatever their types; two keys with one type and
/// different names stand for two entries.
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
    /// Makes the entry. It is chosen where it is known whether the value may be shown.
    entry: fn(Name, T) -> Entry,
}

impl<T: fmt::Debug + Send + Sync + 'static> Key<T> {
    /// A key for a `const` or `static`, where a malformed name is a compile error. (Setting a value takes the
    /// key: a `static` is cloned for that, at no cost.)
    ///
    /// A name is two segments or more of letters, digits, `_` and `-` (ASCII) with dots between, at most 255 bytes, and not below `wsgi.` or `tower.`, in any case.
    ///
    /// The value is shown wherever an [`Environ`](crate::Environ), or a layer that sets it, is printed; [`Key::secret`] is for those that
    /// must not be, or cannot.
    ///
    /// # Panics
    ///
    /// Outside of a constant, where a malformed name can only be found at run time. For names that
    /// come from configuration use [`Key::parse`].
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name: Name::new(name),
            entry: shown,
        }
    }

    /// A key whose name is only known at run time, from a configuration file for instance.
    ///
    /// # Errors
    ///
    /// A [`KeyError`] that says what is wrong with the name, and where.
    pub fn parse(name: &str) -> Result<Self, KeyError> {
        let name = Name::parse(name)?;
        Ok(Self { name, entry: shown })
    }
}

impl<T: Send + Sync + 'static> Key<T> {
    /// Like [`Key::new`], for a value that is never printed: a password, or something too large to read, or of
    /// a type without [`Debug`](fmt::Debug).
    ///
    /// # Panics
    ///
    /// As [`Key::new`] does.
    #[must_use]
    pub const fn secret(name: &'static str) -> Self {
        Self {
            name: Name::new(name),
            entry: hidden,
        }
    }

    /// [`Key::secret`] for a name that is only known at run time.
    ///
    /// # Errors
    ///
    /// As [`Key::parse`].
    pub fn parse_secret(name: &str) -> Result<Self, KeyError> {
        let name = Name::parse(name)?;
        Ok(Self {
            name,
            entry: hidden,
        })
    }
}

impl<T> Key<T> {
    /// The name, such as `test.hello`.
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
        if let Some((offence, _)) = offence(name.as_bytes()) {
            panic!("{}", offence.message());
        }
        Self::Static(name)
    }

    fn parse(name: &str) -> Result<Self, KeyError> {
        match offence(name.as_bytes()) {
            None => Ok(Self::Shared(name.into())),
            Some((offence, position)) => Err(KeyError {
                offence,
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

/// Why a name is not a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError {
    offence: Offence,
    position: usize,
    name: String,
}

impl KeyError {
    /// Where in the name the offence is, in bytes from its start.
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
            self.offence.message(),
            self.position
        )
    }
}

impl std::error::Error for KeyError {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offence {
    Empty,
    NoDot,
    EmptySegment,
    Character,
    Reserved,
    TooLong,
}

impl Offence {
    const fn message(self) -> &'static str {
        match self {
            Self::Empty => "a key must have a name, such as \"app.hello\"",
            Self::NoDot => "a key must have a dot in its name, such as \"app.hello\"",
            Self::EmptySegment => "a key must have something before, between and after its dots",
            Self::Character => "a key may only hold ASCII letters, digits, `_`, `-` and dots",
            Self::Reserved => "keys under \"wsgi.\" and \"tower.\" are reserved",
            Self::TooLong => "a key may have at most 255 bytes",
        }
    }
}

/// The first offence against the grammar and the byte at which it stands. One function serves the
/// compiler and the run time, so it is written with what a `const fn` can do.
const fn offence(name: &[u8]) -> Option<(Offence, usize)> {
    if name.is_empty() {
        return Some((Offence::Empty, 0));
    }
    if name.len() > MAX_LEN {
        return Some((Offence::TooLong, MAX_LEN));
    }
    let mut dotted = false;
    let mut in_segment = false;
    let mut at = 0;
    while at < name.len() {
        match name[at] {
            b'.' if !in_segment => return Some((Offence::EmptySegment, at)),
            b'.' => {
                dotted = true;
                in_segment = false;
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => in_segment = true,
            _ => return Some((Offence::Character, at)),
        }
        at += 1;
    }
    if !dotted {
        return Some((Offence::NoDot, at));
    }
    if !in_segment {
        return Some((Offence::EmptySegment, at));
    }
    if starts_with(name, b"wsgi.") || starts_with(name, b"tower.") {
        return Some((Offence::Reserved, 0));
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
    fn a_key_is_two_or_more_segments_joined_by_dots() {
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
    fn a_malformed_key_says_what_is_wrong_and_where() {
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
                "a key must have something before, between and after its dots (found \".a\", at byte 0)",
            ),
            (
                "a.",
                "a key must have something before, between and after its dots (found \"a.\", at byte 2)",
            ),
            (
                "a..b",
                "a key must have something before, between and after its dots (found \"a..b\", at byte 2)",
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
    fn a_key_made_at_run_time_panics_with_the_same_words() {
        let _ = Key::<()>::new(std::hint::black_box("hello"));
    }
}
