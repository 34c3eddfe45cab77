//! The suffix of each pattern that has one, as a matcher of its own: a
//! [backtracker](crate::backtracker) or, if that cannot match it, a [regex](crate::regex).

#[cfg(feature = "regex")]
use crate::regex::SuffixRegex;
use crate::{
    TableError,
    alternatives::Compiled,
    backtracker::{Backtracker, Classes},
    ids::PatternIndex,
    spans::{Span, Spans},
};

/// The most memory, in bytes, that one compiled pattern may take. The `regex` crate allows the
/// same.
pub(crate) const PATTERN_LIMIT: usize = 10 << 20;

/// The most steps of a backtracker. Without regexes there is no other way to match a suffix.
const MOST_STEPS: usize = if cfg!(feature = "regex") {
    256
} else {
    64 << 10
};

/// The matcher of each pattern's suffix, if the pattern has one.
#[derive(Debug)]
pub(crate) struct SuffixMatchers {
    matchers: Vec<Option<Matcher>>,
    classes: Classes,
}

#[derive(Debug)]
enum Matcher {
    Backtracker(Backtracker),
    #[cfg(feature = "regex")]
    Regex(SuffixRegex),
}

impl SuffixMatchers {
    /// Compiles the suffixes of all patterns.
    ///
    /// # Errors
    ///
    /// Returns a [`TableError`] if one of them takes more than [`PATTERN_LIMIT`], or all of them
    /// more than the limit.
    pub(crate) fn new(all: &[Compiled], limit: usize) -> Result<Self, TableError> {
        let mut memory = 0;
        let mut classes = Classes::default();
        let mut matchers = Vec::new();
        for (index, compiled) in all.iter().enumerate() {
            let Some(suffix) = &compiled.suffix else {
                continue;
            };
            let backtracker = match suffix.is_anchored {
                true => Backtracker::new(&suffix.expr, MOST_STEPS, &mut classes),
                false => None,
            };
            let (matcher, size) = match backtracker {
                Some(backtracker) => {
                    let size = backtracker.memory();
                    (Matcher::Backtracker(backtracker), size)
                }
                #[cfg(feature = "regex")]
                None => {
                    let regex = SuffixRegex::new(suffix, PATTERN_LIMIT).map_err(|error| {
                        let index = PatternIndex::new(index);
                        TableError::one(index, &compiled.pattern, error.size_limit())
                    })?;
                    let size = regex.memory();
                    (Matcher::Regex(regex), size)
                }
                #[cfg(not(feature = "regex"))]
                None => {
                    let index = PatternIndex::new(index);
                    return Err(TableError::one_too_large(
                        index,
                        &compiled.pattern,
                        PATTERN_LIMIT,
                    ));
                }
            };
            memory += size;
            if memory > limit {
                return Err(TableError::too_large(limit));
            }
            matchers.resize_with(index, || None);
            matchers.push(Some(matcher));
        }
        Ok(Self { matchers, classes })
    }

    /// Returns the match of a pattern's suffix and its groups, from an offset on. Groups before the
    /// suffix are absent. `\b` and `^` take account of the path before the offset.
    pub(crate) fn find(
        &self,
        pattern: PatternIndex,
        path: &str,
        from: usize,
    ) -> Option<(Span, Spans)> {
        match self.matchers.get(pattern.index())?.as_ref()? {
            Matcher::Backtracker(steps) => steps.find(&self.classes, path, from),
            #[cfg(feature = "regex")]
            Matcher::Regex(regex) => regex.find(path, from),
        }
    }
}
