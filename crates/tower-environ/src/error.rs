use std::{error::Error, fmt};

/// Why a key has no value to give.
///
/// It is for the log: names of keys and types are not for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironError {
    key: Box<str>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// These are there.
    Missing(Box<[Box<str>]>),
    WrongType {
        asked: &'static str,
        found: &'static str,
    },
}

impl EnvironError {
    pub(crate) fn missing<'a>(key: &str, there: impl Iterator<Item = &'a str>) -> Self {
        Self {
            key: key.into(),
            kind: Kind::Missing(there.map(Into::into).collect()),
        }
    }

    pub(crate) fn wrong_type(key: &str, asked: &'static str, found: &'static str) -> Self {
        Self {
            key: key.into(),
            kind: Kind::WrongType { asked, found },
        }
    }

    /// Whether no layer has set the key; otherwise one has, with another type.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self.kind, Kind::Missing(_))
    }
}

impl fmt::Display for EnvironError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.kind {
            Kind::Missing(there) => {
                write!(f, "the environ has no {key:?}: ")?;
                match there.split_first() {
                    None => f.write_str("no layer has set anything"),
                    Some((first, others)) => {
                        write!(f, "it has {first:?}")?;
                        others.iter().try_for_each(|name| write!(f, ", {name:?}"))
                    }
                }
            }
            Kind::WrongType { asked, found } => {
                write!(f, "{key:?} in the environ is a {found} and not a {asked}")
            }
        }
    }
}

impl Error for EnvironError {}
