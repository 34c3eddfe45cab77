//! Where patterns leave the tree: what remains of them, from there on.

use crate::{
    Pattern, TableError,
    automaton::Automaton,
    each::Each,
    spans::{Span, Spans},
};

/// So many are tried one by one faster than all at once.
pub(crate) const FEW: usize = 4;

/// The rests of patterns that begin with the same.
#[derive(Debug)]
pub(crate) struct Rests {
    rests: Vec<Rest>,
    /// All of them at once, if they are many.
    automaton: Option<Automaton>,
}

/// Which way goes on here, and of which pattern it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest {
    pub(crate) way: u32,
    pub(crate) pattern: usize,
}

/// A way that goes on here to match.
pub(crate) struct FoundRest {
    pub(crate) way: u32,
    /// What the whole pattern matches.
    pub(crate) whole: Span,
    /// Those of the groups that are in the rest.
    pub(crate) groups: Spans,
}

impl Rests {
    /// In the order of their ways.
    pub(crate) fn new(
        all: &[Pattern],
        rests: Vec<Rest>,
        limit: usize,
        cache_capacity: usize,
    ) -> Result<Self, TableError> {
        let regexes = rests.iter().filter_map(|rest| all[rest.pattern].rest());
        let automaton = match rests.len() {
            ..=FEW => None,
            _ => Some(Automaton::new(regexes, limit, cache_capacity)?),
        };
        Ok(Self { rests, automaton })
    }

    /// In bytes, besides the rests themselves.
    pub(crate) fn memory(&self) -> usize {
        self.automaton.as_ref().map_or(0, Automaton::memory)
    }

    /// The first way, and before another one, that goes on to match the path.
    pub(crate) fn find(
        &self,
        each: &Each,
        path: &str,
        from: usize,
        before: u32,
    ) -> Option<FoundRest> {
        let find = |rest: &Rest| {
            let (whole, groups) = each.find(rest.pattern, path, from)?;
            // What may begin anywhere has nothing before its rest.
            let whole = if from == 0 {
                whole
            } else {
                whole.with_start(0)
            };
            Some(FoundRest {
                way: rest.way,
                whole,
                groups,
            })
        };
        let decided =
            (self.automaton.as_ref()).and_then(|automaton| automaton.find(path, from).ok());
        match decided {
            Some(first) => self
                .rests
                .get(first?)
                .filter(|rest| rest.way < before)
                .and_then(find),
            None => (self.rests.iter())
                .take_while(|rest| rest.way < before)
                .find_map(find),
        }
    }
}
