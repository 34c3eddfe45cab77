//! Where in a path the groups of a pattern matched.

use std::ops::Range;

use smallvec::SmallVec;

/// Groups that need no allocation.
const INLINE: usize = 4;

/// The bytes of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Of a group that took no part.
    pub(crate) const ABSENT: Self = Self {
        start: u32::MAX,
        end: u32::MAX,
    };

    pub(crate) fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    pub(crate) fn range(self) -> Option<Range<usize>> {
        (self != Self::ABSENT).then_some(self.start as usize..self.end as usize)
    }
}

/// One for each group, in the order of the groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spans(SmallVec<[Span; INLINE]>);

impl Spans {
    pub(crate) fn new(spans: impl ExactSizeIterator<Item = Span>) -> Self {
        let len = spans.len();
        if len > INLINE {
            return Self(spans.collect());
        }
        let mut few = [Span::ABSENT; INLINE];
        for (place, span) in few.iter_mut().zip(spans) {
            *place = span;
        }
        Self(SmallVec::from_buf_and_len(few, len))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// `None` for a group that took no part, and beyond the last one.
    pub(crate) fn get(&self, position: usize) -> Option<Range<usize>> {
        self.0.get(position)?.range()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<Range<usize>>> {
        self.0.iter().map(|span| span.range())
    }

    /// Takes the last one off.
    pub(crate) fn pop(&mut self) -> Option<Range<usize>> {
        self.0.pop()?.range()
    }
}
