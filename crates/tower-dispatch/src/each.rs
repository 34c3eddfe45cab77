//! The rest of each pattern that is not lowered as a whole, by itself.

use regex_automata::{Anchored, Input, meta, util::primitives::NonMaxUsize};
use smallvec::{SmallVec, smallvec};

use crate::{
    Pattern, TableError,
    spans::{Span, Spans},
};

/// The most memory, in bytes, that one compiled pattern may take: what the `regex` crate allows one.
pub(crate) const PATTERN_LIMIT: usize = 10 << 20;

/// The memory, in bytes, for the states that a search of one pattern makes.
pub(crate) const CACHE_CAPACITY: usize = 256 << 10;

/// One regex for each pattern that needs it.
#[derive(Debug)]
pub(crate) struct Each {
    regexes: Vec<Option<(meta::Regex, Anchored)>>,
}

impl Each {
    pub(crate) fn new(patterns: &[Pattern], limit: usize) -> Result<Self, TableError> {
        let config = meta::Config::new()
            .nfa_size_limit(Some(PATTERN_LIMIT))
            .hybrid_cache_capacity(CACHE_CAPACITY)
            .dfa(false);
        let mut memory = 0;
        let regexes = patterns.iter().enumerate().map(|(index, pattern)| {
            let Some((rest, anchored)) = pattern.rest() else {
                return Ok(None);
            };
            let regex = meta::Regex::builder()
                .configure(config.clone())
                .build_from_hir(rest)
                .map_err(|source| TableError::one(index, pattern.as_str(), &source))?;
            memory += regex.memory_usage();
            match memory > limit {
                true => Err(TableError::too_large(limit)),
                false => Ok(Some((regex, anchored))),
            }
        });
        Ok(Self {
            regexes: regexes.collect::<Result<_, _>>()?,
        })
    }

    /// What the rest matches and where its groups do; those that are not in it are absent.
    pub(crate) fn find(&self, index: usize, path: &str, from: usize) -> Option<(Span, Spans)> {
        let (regex, anchored) = self.regexes[index].as_ref()?;
        let mut slots: SmallVec<[Option<NonMaxUsize>; 10]> =
            smallvec![None; regex.group_info().slot_len()];
        let input = Input::new(path).range(from..).anchored(*anchored);
        regex.search_slots(&input, &mut slots)?;
        let span = |slots: &[Option<NonMaxUsize>]| match slots {
            &[Some(start), Some(end)] => Span::new(offset(start), offset(end)),
            _ => Span::ABSENT,
        };
        let (whole, groups) = slots.split_at(2);
        Some((span(whole), Spans::new(groups.chunks_exact(2).map(span))))
    }
}

/// In a path of less than 4 GiB.
fn offset(at: NonMaxUsize) -> u32 {
    at.get() as u32
}
