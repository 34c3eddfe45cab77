//! The errors of patterns that are too large together.

use std::{error::Error, fmt};

use crate::{Pattern, ids::PatternIndex};

/// An error of patterns that are each valid, but too large for a table.
///
/// ```
/// use tower_dispatch::{Pattern, Table};
///
/// let large = Pattern::regex("(?:[a-z]{1000}x?){1000}")?;
/// let error = Table::new(&[large]).unwrap_err();
/// assert_eq!((error.index(), error.limit()), (Some(0), Some(10 * 1024 * 1024)));
/// # Ok::<(), tower_dispatch::PatternError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TableError {
    /// The pattern, if one alone is too large.
    pattern: Option<(PatternIndex, Pattern)>,
    cause: Cause,
}

#[derive(Clone, Debug)]
enum Cause {
    /// They need more bytes than this.
    Limit(usize),
    /// The engine has a limit of another kind.
    // Its error is not the source: the texts of all errors of regexes would be a part of every
    // program (`just cost`).
    #[cfg(feature = "regex")]
    Other,
}

impl TableError {
    #[cfg(feature = "regex")]
    pub(crate) fn one(index: PatternIndex, pattern: &Pattern, limit: Option<usize>) -> Self {
        Self {
            pattern: Some((index, pattern.clone())),
            ..Self::all(limit)
        }
    }

    #[cfg(not(feature = "regex"))]
    pub(crate) fn one_too_large(index: PatternIndex, pattern: &Pattern, limit: usize) -> Self {
        Self {
            pattern: Some((index, pattern.clone())),
            ..Self::too_large(limit)
        }
    }

    #[cfg(feature = "regex")]
    pub(crate) fn all(limit: Option<usize>) -> Self {
        Self {
            pattern: None,
            cause: limit.map_or(Cause::Other, Cause::Limit),
        }
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self {
            pattern: None,
            cause: Cause::Limit(limit),
        }
    }

    /// Returns the index of the pattern that is too large, from 0. It is `None` if only all of them
    /// together are.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        self.pattern.as_ref().map(|(index, _)| index.index())
    }

    /// Returns the limit that is exceeded, in bytes. It is `None` if the regex engine has a limit
    /// of another kind, such as the number of states.
    #[must_use]
    pub fn limit(&self) -> Option<usize> {
        match &self.cause {
            Cause::Limit(limit) => Some(*limit),
            #[cfg(feature = "regex")]
            Cause::Other => None,
        }
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pattern {
            Some((_, pattern)) => write!(f, "pattern {:?}: ", pattern.as_str())?,
            None => f.write_str("the table of patterns: ")?,
        }
        match &self.cause {
            Cause::Limit(limit) => write!(f, "compiled, it exceeds the limit of {limit} bytes"),
            #[cfg(feature = "regex")]
            Cause::Other => f.write_str("it cannot be compiled"),
        }
    }
}

impl Error for TableError {}
