//! The suffixes of patterns that begin at the same node of a tree.
//!
//! A few are tried one by one, in their order. More than that are searched at once by an
//! [automaton](crate::automaton), which returns the first of them that matches. Either way the
//! groups are found by the [matcher](crate::matchers) of the one suffix that has won. Without the
//! feature `regex` there is no automaton, and all of them are tried one by one.
//!
//! # Example
//!
//! Six templates whose suffixes begin at the node of the literal `/`:
//!
//! ```text
//! 0: /{a}.html    ([^/]+)\.html        3: /{a}.png    ([^/]+)\.png
//! 1: /{a}.css     ([^/]+)\.css         4: /{a}.svg    ([^/]+)\.svg
//! 2: /{a}.js      ([^/]+)\.js          5: /{a}.{b}    ([^/]+)\.([^/]+)
//! ```
//!
//! They are more than [`FEW`], so they are one automaton. For `/logo.png` it reads `logo.png` once,
//! from byte 1 on. Suffixes 3 and 5 match, and it returns 3, the first. The matcher of suffix 3
//! then finds the group `logo`. With `/logo.gif` it returns 5. With `/logo` no suffix matches, and
//! no matcher is tried. Without the last two templates there would be four suffixes, and each would
//! be tried until one matches.

#[cfg(feature = "regex")]
use crate::automaton::Automaton;
use crate::{
    TableError,
    alternatives::Compiled,
    ids::{AlternativeId, PatternIndex},
    matchers::SuffixMatchers,
    spans::{Span, Spans},
};

/// The most suffixes that are tried one by one, which is faster than an automaton for so few.
#[cfg(feature = "regex")]
pub(crate) const FEW: usize = 4;

#[derive(Debug)]
pub(crate) struct Suffixes {
    list: Vec<Suffix>,
    /// The automaton of all of them, if they are more than a few.
    #[cfg(feature = "regex")]
    automaton: Option<Automaton>,
}

/// An alternative whose suffix begins here. The suffix is found by its pattern.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suffix {
    pub(crate) alternative: AlternativeId,
    pub(crate) pattern: PatternIndex,
}

/// An alternative whose suffix matches.
pub(crate) struct FoundSuffix {
    pub(crate) alternative: AlternativeId,
    /// The match of the whole pattern.
    pub(crate) whole: Span,
    /// The groups of the suffix. All others are absent.
    pub(crate) groups: Spans,
}

impl Suffixes {
    /// Makes suffixes of a list that is in the order of the alternatives. Each of its patterns has
    /// a suffix, so the automaton's index of a regex is its index in the list.
    #[cfg(feature = "regex")]
    pub(crate) fn new(
        all: &[Compiled],
        list: Vec<Suffix>,
        limit: usize,
        cache_capacity: usize,
    ) -> Result<Self, TableError> {
        let suffix = |suffix: &Suffix| all[suffix.pattern.index()].suffix.as_ref();
        let automaton = match list.len() {
            ..=FEW => None,
            _ => Some(Automaton::new(
                list.iter().filter_map(suffix),
                limit,
                cache_capacity,
            )?),
        };
        Ok(Self { list, automaton })
    }

    /// The same without automata.
    #[cfg(not(feature = "regex"))]
    pub(crate) fn new(
        _: &[Compiled],
        list: Vec<Suffix>,
        _: usize,
        _: usize,
    ) -> Result<Self, TableError> {
        Ok(Self { list })
    }

    /// Returns the first of the alternatives.
    pub(crate) fn least(&self) -> AlternativeId {
        let first = self.list.first();
        first.map_or(AlternativeId::NONE, |suffix| suffix.alternative)
    }

    /// Returns the memory that they take besides the list, in bytes.
    pub(crate) fn memory(&self) -> usize {
        #[cfg(feature = "regex")]
        let automaton = self.automaton.as_ref().map_or(0, Automaton::memory);
        #[cfg(not(feature = "regex"))]
        let automaton = 0;
        automaton
    }

    /// Returns the index in the list of the first suffix that the automaton finds. `None` if there
    /// is no automaton, or if it cannot decide.
    #[cfg(feature = "regex")]
    fn first(&self, path: &str, from: usize) -> Option<Option<usize>> {
        self.automaton.as_ref()?.find(path, from).ok()
    }

    #[cfg(not(feature = "regex"))]
    fn first(&self, _: &str, _: usize) -> Option<Option<usize>> {
        None
    }

    /// Returns the first alternative whose suffix matches the path from an offset on, if it is
    /// before another alternative.
    pub(crate) fn find(
        &self,
        matchers: &SuffixMatchers,
        path: &str,
        from: usize,
        before: AlternativeId,
    ) -> Option<FoundSuffix> {
        let find = |suffix: &Suffix| {
            let (whole, groups) = matchers.find(suffix.pattern, path, from)?;
            // A pattern that may begin anywhere is all suffix, so it is at offset 0.
            let whole = if from == 0 {
                whole
            } else {
                whole.with_start(0)
            };
            Some(FoundSuffix {
                alternative: suffix.alternative,
                whole,
                groups,
            })
        };
        let is_before = |suffix: &&Suffix| suffix.alternative < before;
        match self.first(path, from) {
            // The smallest that matches. If it is not before the other, none is.
            Some(first) => self.list.get(first?).filter(is_before).and_then(find),
            // There are only a few, or the automaton cannot decide.
            None => self.list.iter().take_while(is_before).find_map(find),
        }
    }
}
