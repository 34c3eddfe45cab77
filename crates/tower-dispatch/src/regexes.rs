//! The suffix of each pattern that has one, as a regex of its own.

use regex_automata::{Anchored, Input, meta, util::primitives::NonMaxUsize};
use smallvec::{SmallVec, smallvec};

use crate::{
    TableError,
    alternatives::Compiled,
    ids::PatternIndex,
    spans::{Span, Spans},
};

/// The most memory, in bytes, that one compiled pattern may take. The `regex` crate allows the
/// same.
pub(crate) const PATTERN_LIMIT: usize = 10 << 20;

/// The memory, in bytes, for the states that a search of one pattern makes.
pub(crate) const CACHE_CAPACITY: usize = 256 << 10;

/// The regex of each pattern's suffix, if the pattern has one.
#[derive(Debug)]
pub(crate) struct SuffixRegexes {
    regexes: Vec<Option<(meta::Regex, Anchored)>>,
}

impl SuffixRegexes {
    /// Compiles the suffixes of all patterns.
    ///
    /// # Errors
    ///
    /// Returns a [`TableError`] if one of them takes more than [`PATTERN_LIMIT`], or all of them
    /// more than the limit.
    pub(crate) fn new(all: &[Compiled], limit: usize) -> Result<Self, TableError> {
        let config = meta::Config::new()
            .nfa_size_limit(Some(PATTERN_LIMIT))
            .hybrid_cache_capacity(CACHE_CAPACITY)
            .dfa(false);
        let mut memory = 0;
        let regexes = all.iter().enumerate().map(|(index, compiled)| {
            let Some((suffix, anchored)) = &compiled.suffix else {
                return Ok(None);
            };
            let regex = meta::Regex::builder()
                .configure(config.clone())
                .build_from_hir(suffix)
                .map_err(|source| {
                    TableError::one(PatternIndex::new(index), &compiled.pattern, source)
                })?;
            memory += regex.memory_usage();
            match memory > limit {
                true => Err(TableError::too_large(limit)),
                false => Ok(Some((regex, *anchored))),
            }
        });
        Ok(Self {
            regexes: regexes.collect::<Result<_, _>>()?,
        })
    }

    /// Returns the match of a pattern's suffix and its groups, from an offset on. Groups before the
    /// suffix are absent. `\b` and `^` take account of the path before the offset.
    pub(crate) fn find(
        &self,
        pattern: PatternIndex,
        path: &str,
        from: usize,
    ) -> Option<(Span, Spans)> {
        let (regex, anchored) = self.regexes[pattern.index()].as_ref()?;
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

/// Returns an offset in a path, which has less than 4 GiB.
fn offset(at: NonMaxUsize) -> u32 {
    at.get() as u32
}
