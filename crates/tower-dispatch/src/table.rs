//! The compiled table. It always finds what the loop "for each pattern: does it match? if not, the
//! next" finds, but does not try one pattern after the other.
//!
//! # Idea
//!
//! ```text
//! patterns ── alternatives ──▶ one radix tree
//!    │                           │ where a suffix begins
//!    └────── suffixes ─────────▶ one automaton for each node with more than four
//!                                │ the first that matches
//!                                ▼
//!                              one matcher for each suffix: its groups
//! ```
//!
//! [Alternatives](crate::alternatives) are sequences of literals and classes that a path matches in
//! one way at most. They are numbered in the order of their patterns. All of them are in one
//! [tree](crate::tree), which finds the smallest number that matches, and its groups.
//!
//! A pattern that is only compiled into the tree up to some part has a [suffix](crate::suffixes),
//! an expression for the rest of the path. If more than four suffixes begin at the same node, an
//! [automaton](crate::automaton) finds the first that matches. The groups of that one are found by
//! its own [matcher](crate::matchers): a [backtracker](crate::backtracker), or a
//! [regex](crate::regex) if the suffix is more than literals, classes and choices.
//!
//! # Example
//!
//! ```text
//! 0: /users/{id}            all in the tree
//! 1: /posts[/{page:int}]    all in the tree, as two alternatives
//! 2: /{name}.{format}       the tree up to "/", then the suffix ([^/]+)\.([^/]+)
//! ```
//!
//! For `/logo.png` the tree finds the literal `/`, no child for `l`, and the suffix of pattern 2.
//! The matcher of that suffix matches from byte 1 on, with the groups `logo` and `png`. It is the
//! only suffix there, so it needs no automaton. The examples do not show the `\z` with which a
//! template ends. The [tree](crate::tree) has an example in which a match that is found later wins.
//!
//! # Invariants
//!
//! - A smaller [`PatternIndex`] wins, whatever is more specific. Alternatives are numbered in the
//!   order of their patterns, so a smaller [`AlternativeId`](crate::ids::AlternativeId) wins, too.
//! - A [`Search`] is for some of the patterns, such as those of the routes for one HTTP method. It
//!   has a tree and automata of its own, but the matchers are shared by all searches of a
//!   dispatcher.
//! - A suffix is searched for in the whole path, from an offset on. So `\b` and `^` in a suffix
//!   take account of the text before it.
//! - Each part of it runs in time that is linear in the length of the path. So does the whole. The
//!   factor grows with the number of edges that the path leads to (see [tree](crate::tree)).
//!
//! # Cost
//!
//! A path whose pattern is all in the tree costs one search of the tree. That allocates nothing for
//! up to four groups and up to eight pending edges. The suffixes at a node cost at most one
//! search of a matcher each if there are four or fewer. More than four cost one automaton search,
//! and one of a matcher if a suffix matches. The exception is a path for which the
//! [automaton](crate::automaton) cannot decide: then all of them are tried one by one.
//!
//! The memory for each search, and for all matchers, is limited when the table is made
//! ([`TABLE_LIMIT`]). So all lists have less than 4 Gi entries, and ids and offsets have 32 bits.
//! The tests compare it with the plain loop, on random patterns and paths.

use std::ops::Range;

use crate::{
    Pattern, TableError,
    alternatives::Compiled,
    ids::PatternIndex,
    matchers::SuffixMatchers,
    spans::{Span, Spans},
    tree::Tree,
};

/// The most memory, in bytes, that the tree and the automata of a search may take, and the most
/// that the matchers of all suffixes may. The caches for the states that are made during a search
/// are not counted. They have limits of their own.
pub(crate) const TABLE_LIMIT: usize = 64 << 20;

/// A compiled list of patterns that finds the first one that matches a path.
///
/// ```
/// use tower_dispatch::{Pattern, Table};
///
/// let patterns = [Pattern::template("/users/{id:int}")?, Pattern::regex("/users/(.+)")?];
/// let table = Table::new(&patterns)?;
/// for (path, index) in [("/users/7", 0), ("/users/a/b", 1)] {
///     assert_eq!(table.find(path).map(|found| found.index()), Some(index));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Table {
    names: Vec<Box<[Option<Box<str>>]>>,
    matchers: SuffixMatchers,
    search: Search,
}

impl Table {
    /// Compiles patterns whose order is their precedence.
    ///
    /// # Errors
    ///
    /// Returns a [`TableError`] if they are too large.
    pub fn new(patterns: &[Pattern]) -> Result<Self, TableError> {
        let all = Compiled::all(patterns);
        Ok(Self {
            names: patterns.iter().map(Pattern::group_names).collect(),
            // One pattern at a time first: those errors name the pattern.
            matchers: SuffixMatchers::new(&all, TABLE_LIMIT)?,
            search: Search::new(
                &all,
                (0..all.len()).map(PatternIndex::new).collect(),
                TABLE_LIMIT,
            )?,
        })
    }

    /// Returns the first pattern that matches the path. The path is not decoded. A path of 4 GiB or
    /// more matches no pattern.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Match> {
        self.search.find(&self.matchers, path)
    }

    /// Returns the names of the groups of the pattern with this index, in the order of the groups.
    /// They are `None` for groups without a name, and there are none if there is no such pattern.
    pub fn group_names(&self, index: usize) -> impl Iterator<Item = Option<&str>> {
        self.names
            .get(index)
            .into_iter()
            .flatten()
            .map(Option::as_deref)
    }
}

/// The pattern that matched, and the parts of the path that its groups matched.
///
/// ```
/// use tower_dispatch::{Pattern, Table};
///
/// let path = "/users/7";
/// let table = Table::new(&[Pattern::template("/users/{id:int}")?])?;
/// let found = table.find(path).ok_or("no match")?;
/// let values: Vec<_> = found.spans().flatten().map(|span| &path[span]).collect();
/// assert_eq!(values, ["7"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    pub(crate) pattern: PatternIndex,
    pub(crate) whole: Span,
    pub(crate) groups: Spans,
}

impl Match {
    /// Returns the index of the pattern in the table, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.pattern.index()
    }

    /// Returns the range of the match, in bytes of the path.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.whole.range().unwrap_or_default()
    }

    /// Returns the ranges of the pattern's groups, in bytes of the path and in the order of the
    /// groups. They are `None` for groups that took no part in the match.
    pub fn spans(&self) -> impl Iterator<Item = Option<Range<usize>>> {
        self.groups.iter()
    }
}

/// A search for the first of some of the patterns that matches.
#[derive(Debug)]
pub(crate) struct Search {
    patterns: Vec<PatternIndex>,
    tree: Tree,
}

impl Search {
    /// Makes a search of some of the patterns. Their indexes are in ascending order, so that the
    /// smallest has precedence.
    pub(crate) fn new(
        all: &[Compiled],
        patterns: Vec<PatternIndex>,
        limit: usize,
    ) -> Result<Self, TableError> {
        Ok(Self {
            tree: Tree::new(all, &patterns, limit)?,
            patterns,
        })
    }

    pub(crate) fn patterns(&self) -> &[PatternIndex] {
        &self.patterns
    }

    /// Returns the first pattern that matches. A path of 4 GiB or more matches none.
    // `dispatch/github-templates`
    #[inline]
    pub(crate) fn find(&self, matchers: &SuffixMatchers, path: &str) -> Option<Match> {
        u32::try_from(path.len()).ok()?;
        self.tree.find(matchers, path)
    }
}

#[cfg(all(test, feature = "unicode"))]
#[allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]
mod tests;
