//! The errors of patterns that are too large together.

use std::{error::Error, fmt, sync::Arc};

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
    #[cfg_attr(
        not(feature = "regex"),
        expect(dead_code, reason = "only an engine has others")
    )]
    Other(Arc<dyn Error + Send + Sync>),
}

impl TableError {
    #[cfg(feature = "regex")]
    pub(crate) fn one(
        index: PatternIndex,
        pattern: &Pattern,
        source: regex_automata::nfa::thompson::BuildError,
    ) -> Self {
        Self {
            pattern: Some((index, pattern.clone())),
            ..Self::all(source.size_limit(), source)
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
    pub(crate) fn all(limit: Option<usize>, source: impl Error + Send + Sync + 'static) -> Self {
        let cause = match limit {
            Some(limit) => Cause::Limit(limit),
            None => Cause::Other(Arc::new(source)),
        };
        Self {
            pattern: None,
            cause,
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
    /// of another kind, such as the number of states. Then that is the source of the error.
    #[must_use]
    pub fn limit(&self) -> Option<usize> {
        match &self.cause {
            Cause::Limit(limit) => Some(*limit),
            Cause::Other(_) => None,
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
            Cause::Other(_) => f.write_str("it cannot be compiled"),
        }
    }
}

impl Error for TableError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            Cause::Limit(_) => None,
            Cause::Other(source) => Some(&**source),
        }
    }
}
