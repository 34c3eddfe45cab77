use std::{error::Error, fmt};

/// An error of [`EnvironExt::try_environ`](crate::EnvironExt::try_environ): the key is missing, or
/// its value has another type.
///
/// It is for the log. The names of keys and types are not for the client.
///
/// # Examples
///
/// ```
/// use tower_environ::{Environ, Key};
///
/// let mut environ = Environ::default();
/// environ.set(Key::new("app.limit"), 10_u8);
///
/// let error = environ.try_get(&Key::<u32>::new("app.limit")).unwrap_err();
/// assert_eq!(error.to_string(), r#""app.limit" in the environ is a u8 and not a u32"#);
/// assert!(!error.is_missing());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironError {
    key: Box<str>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// The names that are set.
    Missing(Box<[Box<str>]>),
    WrongType {
        expected: &'static str,
        found: &'static str,
    },
}

impl EnvironError {
    pub(crate) fn missing<'a>(key: &str, names: impl Iterator<Item = &'a str>) -> Self {
        Self {
            key: key.into(),
            kind: Kind::Missing(names.map(Into::into).collect()),
        }
    }

    pub(crate) fn wrong_type(key: &str, expected: &'static str, found: &'static str) -> Self {
        Self {
            key: key.into(),
            kind: Kind::WrongType { expected, found },
        }
    }

    /// Returns `true` if no layer has set the key. Otherwise a layer has set it with another type.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self.kind, Kind::Missing(_))
    }
}

impl fmt::Display for EnvironError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.kind {
            Kind::Missing(names) => {
                write!(f, "the environ has no {key:?}: ")?;
                match names.split_first() {
                    None => f.write_str("no layer has set anything"),
                    Some((first, others)) => {
                        write!(f, "it has {first:?}")?;
                        others.iter().try_for_each(|name| write!(f, ", {name:?}"))
                    }
                }
            }
            Kind::WrongType { expected, found } => {
                write!(
                    f,
                    "{key:?} in the environ is a {found} and not a {expected}"
                )
            }
        }
    }
}

impl Error for EnvironError {}
