//! Many suffixes that begin at the same node, in one automaton.
//!
//! The search is anchored and prefers earlier regexes, as if they were joined by `|`. So it finds
//! exactly the suffix that the loop over them finds. It does not find groups. A second, smaller
//! search with the [matcher](crate::matchers) of that suffix does.
//!
//! The automaton is made lazily, one state for each new situation, and drops its states when its
//! memory is full. It never falls back to an engine whose time grows with the number of patterns at
//! every byte. There is one thing that it cannot decide, a Unicode `\b` beside a character that is
//! not ASCII. Then the suffixes are tried one by one.

use std::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
};

use regex_automata::{
    Anchored, Input, MatchError,
    hybrid::dfa::{Cache, DFA},
    nfa::thompson::{self, WhichCaptures},
    util::pool::Pool,
};
use regex_syntax::hir::{Dot, Hir, Repetition};

use crate::{TableError, alternatives::Suffix};

/// Regexes of which it finds the first that matches.
pub(crate) struct Automaton {
    dfa: DFA,
    caches: Pool<Cache, NewCache>,
}

type NewCache = Box<dyn Fn() -> Cache + Send + Sync + UnwindSafe + RefUnwindSafe>;

impl Automaton {
    /// Makes an automaton of suffixes in their order. The states that a search makes are kept in a
    /// cache of up to `cache_capacity` bytes. Searches that run at the same time have a cache each.
    pub(crate) fn new<'a>(
        suffixes: impl Iterator<Item = &'a Suffix>,
        limit: usize,
        cache_capacity: usize,
    ) -> Result<Self, TableError> {
        let hirs: Vec<Hir> = suffixes.map(anchor).collect();
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .which_captures(WhichCaptures::None)
                    .nfa_size_limit(Some(limit)),
            )
            .build_many_from_hir(&hirs)
            .map_err(|error| TableError::all(error.size_limit()))?;
        let dfa = DFA::builder()
            .configure(
                DFA::config()
                    .cache_capacity(cache_capacity)
                    .skip_cache_capacity_check(true)
                    .unicode_word_boundary(true),
            )
            .build_from_nfa(nfa)
            .map_err(|_| TableError::all(None))?;
        let new_cache = {
            let dfa = dfa.clone();
            Box::new(move || dfa.create_cache()) as NewCache
        };
        Ok(Self {
            dfa,
            caches: Pool::new(new_cache),
        })
    }

    pub(crate) fn memory(&self) -> usize {
        self.dfa.get_nfa().memory_usage()
    }

    /// Returns the index of the first regex that matches the path from an offset on, or an error if
    /// that cannot be decided.
    pub(crate) fn find(&self, path: &str, from: usize) -> Result<Option<usize>, MatchError> {
        let input = Input::new(path).range(from..).anchored(Anchored::Yes);
        let found = self.dfa.try_search_fwd(&mut self.caches.get(), &input)?;
        Ok(found.map(|found| found.pattern().as_usize()))
    }
}

/// Returns a regex that begins at the start, with anything before it if it may begin anywhere.
fn anchor(suffix: &Suffix) -> Hir {
    let regex = suffix.expr.to_hir();
    if suffix.is_anchored {
        return regex;
    }
    let as_little_as_possible = Hir::repetition(Repetition {
        min: 0,
        max: None,
        greedy: false,
        sub: Box::new(Hir::dot(Dot::AnyChar)),
    });
    Hir::concat(vec![as_little_as_possible, regex])
}

impl fmt::Debug for Automaton {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Automaton")
            .field("regexes", &self.dfa.pattern_len())
            .finish_non_exhaustive()
    }
}
