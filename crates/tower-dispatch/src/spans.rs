//! The parts of a path that the groups of a pattern matched.

use std::ops::Range;

/// The number of groups that need no allocation.
const INLINE: usize = 4;

/// A range of bytes. It has 8 bytes, so that four of them move with a request at little cost
/// (`overhead/dispatch-matched`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The span of a group that took no part.
    pub(crate) const ABSENT: Self = Self {
        start: u32::MAX,
        end: u32::MAX,
    };

    pub(crate) fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    pub(crate) fn with_start(self, start: u32) -> Self {
        Self::new(start, self.end)
    }

    pub(crate) fn range(self) -> Option<Range<usize>> {
        (self != Self::ABSENT).then_some(self.start as usize..self.end as usize)
    }
}

/// The span of each group, in the order of the groups. The whole match, which is group 0 of a
/// regex, is not in it. So group 1 has position 0.
#[derive(Clone, Debug)]
pub(crate) enum Spans {
    Few { len: usize, spans: [Span; INLINE] },
    Many(Box<[Span]>),
}

impl Spans {
    // `dispatch/github-templates`
    #[inline]
    pub(crate) fn new(spans: impl ExactSizeIterator<Item = Span>) -> Self {
        let len = spans.len();
        if len > INLINE {
            return Self::Many(spans.collect());
        }
        let mut few = [Span::ABSENT; INLINE];
        for (entry, span) in few.iter_mut().zip(spans) {
            *entry = span;
        }
        Self::Few { len, spans: few }
    }

    fn as_slice(&self) -> &[Span] {
        match self {
            Self::Few { len, spans } => &spans[..*len],
            Self::Many(spans) => spans,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Returns the span of a group. It is absent if the group took no part or does not exist.
    pub(crate) fn span(&self, position: usize) -> Span {
        let span = self.as_slice().get(position);
        span.copied().unwrap_or(Span::ABSENT)
    }

    /// Returns the range of a group; `None` if the group took no part or does not exist.
    pub(crate) fn get(&self, position: usize) -> Option<Range<usize>> {
        self.span(position).range()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<Range<usize>>> {
        self.as_slice().iter().map(|span| span.range())
    }

    /// Moves all spans by a number of bytes.
    pub(crate) fn shift(&mut self, by: usize) {
        let spans = match self {
            Self::Few { len, spans } => &mut spans[..*len],
            Self::Many(spans) => &mut spans[..],
        };
        for span in spans.iter_mut().filter(|span| **span != Span::ABSENT) {
            *span = Span::new(span.start + by as u32, span.end + by as u32);
        }
    }

    /// Removes the last group and returns its range.
    pub(crate) fn pop(&mut self) -> Option<Range<usize>> {
        let (last, others) = self.as_slice().split_last()?;
        let last = last.range();
        *self = Self::new(others.iter().copied());
        last
    }
}

impl PartialEq for Spans {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Spans {}
