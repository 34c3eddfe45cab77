//! The automaton of all patterns that are not in the tree, in one.
//!
//! An anchored search that prefers the leftmost alternative among all patterns finds exactly the pattern that the loop over them
//! finds. What the groups of that one pattern match is a second, smaller search.
//!
//! The automaton is made lazily, one state for each new situation, and forgets when its memory is full: it
//! never falls back to an engine whose time grows with the number of patterns at every byte. Only what it
//! cannot decide at all (a Unicode `\b` beside a character that is not ASCII) is left to the loop itself.

use std::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
};

use regex_automata::{
    Anchored, Input,
    hybrid::dfa::{Cache, DFA},
    nfa::thompson::{self, WhichCaptures},
    util::pool::Pool,
};

use crate::{Pattern, TableError, each::Each};

/// The memory, in bytes, for the states that a search makes. There is one of it for each search that runs at
/// the same time as another.
const CACHE_CAPACITY: usize = 4 << 20;

/// Which of these patterns is the first to match.
pub(crate) struct Automaton {
    dfa: DFA,
    caches: Pool<Cache, NewCache>,
    /// The patterns that are searched, by their place among all.
    patterns: Vec<usize>,
}

type NewCache = Box<dyn Fn() -> Cache + Send + Sync + UnwindSafe + RefUnwindSafe>;

impl Automaton {
    /// Searches those of the patterns that are named, in that order.
    pub(crate) fn new(
        all: &[Pattern],
        patterns: Vec<usize>,
        limit: usize,
    ) -> Result<Self, TableError> {
        let hirs: Vec<_> = patterns
            .iter()
            .map(|&index| all[index].anchored_hir())
            .collect();
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .which_captures(WhichCaptures::None)
                    .nfa_size_limit(Some(limit)),
            )
            .build_many_from_hir(&hirs)
            .map_err(|source| TableError::all(source.size_limit(), &source))?;
        let dfa = DFA::builder()
            .configure(
                DFA::config()
                    .cache_capacity(CACHE_CAPACITY)
                    .skip_cache_capacity_check(true)
                    .unicode_word_boundary(true),
            )
            .build_from_nfa(nfa)
            .map_err(|source| TableError::all(None, &source))?;
        let new_cache = {
            let dfa = dfa.clone();
            Box::new(move || dfa.create_cache()) as NewCache
        };
        Ok(Self {
            dfa,
            caches: Pool::new(new_cache),
            patterns,
        })
    }

    /// The first pattern that matches, by its place among all, if it comes before another.
    pub(crate) fn find(&self, each: &Each, path: &str, before: Option<usize>) -> Option<usize> {
        let is_before = |index: &usize| before.is_none_or(|before| *index < before);
        self.patterns.first().filter(|index| is_before(index))?;
        let mut cache = self.caches.get();
        let input = Input::new(path).anchored(Anchored::Yes);
        let found = match self.dfa.try_search_fwd(&mut cache, &input) {
            Ok(found) => found.map(|found| self.patterns[found.pattern().as_usize()]),
            Err(_) => (self.patterns.iter().copied()).find(|&index| each.matches(index, path)),
        };
        found.filter(is_before)
    }
}

impl fmt::Debug for Automaton {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Automaton")
            .field("patterns", &self.patterns)
            .finish_non_exhaustive()
    }
}
