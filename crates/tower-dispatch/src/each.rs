//! Each pattern that is not in the tree, by itself.

use regex_automata::{Anchored, Input, meta, util::primitives::NonMaxUsize};
use smallvec::{SmallVec, smallvec};

use crate::{
    Pattern, TableError,
    spans::{Span, Spans},
    table::Match,
};

/// The most memory, in bytes, that one compiled pattern may take: what the `regex` crate allows one.
const PATTERN_LIMIT: usize = 10 << 20;

/// One regex for each pattern that needs it.
#[derive(Debug)]
pub(crate) struct Each {
    regexes: Vec<Option<(meta::Regex, Anchored)>>,
}

impl Each {
    pub(crate) fn new(patterns: &[Pattern], limit: usize) -> Result<Self, TableError> {
        // The engines that are left are small, and which pattern it is is known already.
        let config = meta::Config::new()
            .nfa_size_limit(Some(PATTERN_LIMIT))
            .hybrid(false)
            .dfa(false)
            .auto_prefilter(false);
        let mut memory = 0;
        let regexes = patterns.iter().enumerate().map(|(index, pattern)| {
            if pattern.ways().is_some() {
                return Ok(None);
            }
            let (hir, anchored) = pattern.hir();
            let regex = meta::Regex::builder()
                .configure(config.clone())
                .build_from_hir(hir)
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

    pub(crate) fn matches(&self, index: usize, path: &str) -> bool {
        let Some((regex, anchored)) = &self.regexes[index] else {
            return false;
        };
        regex.is_match(Input::new(path).anchored(*anchored))
    }

    /// What the pattern with this index and its groups match.
    pub(crate) fn find(&self, index: usize, path: &str) -> Option<Match> {
        let (regex, anchored) = self.regexes[index].as_ref()?;
        let mut slots: SmallVec<[Option<NonMaxUsize>; 10]> =
            smallvec![None; regex.group_info().slot_len()];
        regex.search_slots(&Input::new(path).anchored(*anchored), &mut slots)?;
        let span = |slots: &[Option<NonMaxUsize>]| match slots {
            &[Some(start), Some(end)] => Span::new(offset(start), offset(end)),
            _ => Span::ABSENT,
        };
        let (whole, groups) = slots.split_at(2);
        Some(Match {
            index,
            whole: span(whole),
            groups: Spans::new(groups.chunks_exact(2).map(span)),
        })
    }
}

/// In a path of less than 4 GiB.
fn offset(at: NonMaxUsize) -> u32 {
    at.get() as u32
}
