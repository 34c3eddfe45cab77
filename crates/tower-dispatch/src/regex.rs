//! A suffix as a regex of its own, with a search for its groups.
//!
//! The search keeps track of what it has tried: a bit for each state and byte of the path. If that
//! would take too much memory, another engine follows all states at once, byte by byte, which is
//! slower. Both take linear time and find the same.

use std::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
};

use regex_automata::{
    Anchored, Input,
    nfa::thompson::{
        self, NFA,
        backtrack::{self, BoundedBacktracker, Cache},
        pikevm::PikeVM,
    },
    util::{pool::Pool, primitives::NonMaxUsize},
};
use smallvec::{SmallVec, smallvec};

use crate::{
    alternatives::Suffix,
    spans::{Span, Spans},
};

/// The memory, in bytes, in which a search of one pattern keeps track of what it has tried.
pub(crate) const CACHE_CAPACITY: usize = 256 << 10;

/// A suffix, compiled.
pub(crate) struct SuffixRegex {
    backtracker: BoundedBacktracker,
    pike: PikeVM,
    caches: Pool<Cache, NewCache>,
    is_anchored: bool,
}

type NewCache = Box<dyn Fn() -> Cache + Send + Sync + UnwindSafe + RefUnwindSafe>;

impl SuffixRegex {
    /// Compiles a suffix into at most `limit` bytes.
    pub(crate) fn new(suffix: &Suffix, limit: usize) -> Result<Self, Box<thompson::BuildError>> {
        let nfa: NFA = thompson::Compiler::new()
            .configure(thompson::Config::new().nfa_size_limit(Some(limit)))
            .build_from_hir(&suffix.expr.to_hir())?;
        let config = backtrack::Config::new().visited_capacity(CACHE_CAPACITY);
        let backtracker = BoundedBacktracker::builder()
            .configure(config)
            .build_from_nfa(nfa.clone())?;
        let new_cache = {
            let backtracker = backtracker.clone();
            Box::new(move || backtracker.create_cache()) as NewCache
        };
        Ok(Self {
            backtracker,
            pike: PikeVM::new_from_nfa(nfa)?,
            caches: Pool::new(new_cache),
            is_anchored: suffix.is_anchored,
        })
    }

    /// Returns the memory that it takes, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.backtracker.get_nfa().memory_usage()
    }

    /// Returns the match and its groups, from an offset on.
    pub(crate) fn find(&self, path: &str, from: usize) -> Option<(Span, Spans)> {
        let anchored = match self.is_anchored {
            true => Anchored::Yes,
            false => Anchored::No,
        };
        let input = Input::new(path).range(from..).anchored(anchored);
        let slots = self.backtracker.get_nfa().group_info().slot_len();
        let mut slots: SmallVec<[Option<NonMaxUsize>; 10]> = smallvec![None; slots];
        let mut cache = self.caches.get();
        let found = (self.backtracker).try_search_slots(&mut cache, &input, &mut slots);
        found.unwrap_or_else(|_| {
            // Not kept, since few paths are so long.
            let mut cache = self.pike.create_cache();
            self.pike.search_slots(&mut cache, &input, &mut slots)
        })?;
        let span = |slots: &[Option<NonMaxUsize>]| match slots {
            &[Some(start), Some(end)] => Span::new(offset(start), offset(end)),
            _ => Span::ABSENT,
        };
        let (whole, groups) = slots.split_at(2);
        Some((span(whole), Spans::new(groups.chunks_exact(2).map(span))))
    }
}

/// Returns an offset in a path, which has less than 4 GiB.
fn offset(at: NonMaxUsize) -> u32 {
    at.get() as u32
}

impl fmt::Debug for SuffixRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SuffixRegex").finish_non_exhaustive()
    }
}
