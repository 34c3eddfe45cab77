//! The segments of a tree: a trie of whole segments, in front of the tree of bytes.
//!
//! # Idea
//!
//! Most patterns begin with whole segments: a literal between two slashes, or a parameter that is
//! one segment. A *stop* is a position between two segments. From there a path continues with a
//! slash and a literal segment, which a hash table finds, or with the segment as a parameter, or
//! with the *rest*: a node of the tree, for all patterns whose next part is something else. So a
//! search reads a segment once, finds its end, and looks it up, however many other segments are
//! possible there.
//!
//! # Example
//!
//! ```text
//! 0: /users/{id}          stop ── "users" ── stop ─┬─ parameter ── stop (0)
//! 1: /users/me/{n:int}                             └─ "me" ── stop ── rest: "/" [0-9]+ (1)
//! ```
//!
//! # Memory
//!
//! The hash table of a stop has the next stops themselves, with the segments before them, and half
//! a line of the cache each. The stop after a parameter is in front of the table. What follows a
//! stop is laid out before its neighbours. So a search reads a line for each segment, and the
//! last ones are near each other (`dispatch/10000-routes`).
//!
//! # Invariants
//!
//! - A stop has one parent, so a search visits it once at most.
//! - The rest begins with a slash, except at the first stop.
//! - A table has each of its segments within a number of entries that it knows, from the one that
//!   the segment's hash leads to. So a lookup ends. A table of few segments is made so that the
//!   number is one, which is a branch that processors foresee.

mod draft;

use super::{AlternativeId, NodeId};
use crate::{
    class::{equal_bytes, find, word},
    ids::StopId,
};

pub(super) use draft::DraftStops;

/// All stops of a tree. The first one is the start of a path.
#[derive(Debug)]
pub(super) struct Stops {
    stops: Box<[Stop]>,
    /// The segments of more than eight bytes.
    long: Box<[Box<[u8]>]>,
}

/// A stop, or a free entry of a table.
#[derive(Clone, Copy, Debug)]
// It never lies across two lines of the cache.
#[repr(align(32))]
pub(super) struct Stop {
    /// The segment before it, and zeros. Of a longer one it has the last eight bytes.
    word: u64,
    /// The number of the segment's bytes, or [`Stop::LONG`] and the index among the long ones.
    len: u32,
    /// The alternative that ends here.
    pub(super) end: AlternativeId,
    /// The smallest alternative that ends here or beyond.
    pub(super) least: AlternativeId,
    /// The node of all other alternatives.
    pub(super) rest: NodeId,
    /// The first entry of the table. The stop after a parameter is in front of it.
    next: StopId,
    has_parameter: bool,
    table: Table,
}

/// The shape of a hash table.
#[derive(Clone, Copy, Debug)]
struct Table {
    /// The binary logarithm of its length.
    bits: u8,
    /// The bits of a hash above this one are the index.
    shift: u8,
    /// The most entries that a lookup reads; none if there is no table, and [`Table::ALL`].
    probes: u8,
}

impl Stop {
    const LONG: u32 = 1 << 31;
    /// No segment is equal to this one, which has more bytes than its word.
    const FREE: Self = Self {
        word: 0,
        len: Self::LONG - 1,
        end: AlternativeId::NONE,
        least: AlternativeId::NONE,
        rest: NodeId::NONE,
        next: StopId::FIRST,
        has_parameter: false,
        table: Table::NONE,
    };
}

/// A segment of a path.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    start: usize,
    pub(super) end: usize,
    /// The word by which it is found.
    word: u64,
    /// Of a longer one, what is before the last eight bytes, mixed.
    before: u64,
}

impl Segment {
    /// Returns the segment that begins at an offset.
    // `dispatch/github-templates`
    #[inline]
    pub(super) fn new(path: &[u8], start: usize) -> Self {
        let first = word(path, start);
        let mut ends = equal_bytes(first, b'/');
        let left = path.len() - start;
        if left < 8 {
            ends |= 0x80 << (8 * left);
        }
        if ends == 0 {
            let end = find(path, start + 8, b'/');
            return Self {
                start,
                end,
                word: word(path, end - 8),
                before: match end - start {
                    ..=16 => first,
                    _ => mixed_before(path, start, end),
                },
            };
        }
        let bits = ends.trailing_zeros() & !7;
        Self {
            start,
            end: start + (bits / 8) as usize,
            // Without the bytes after the segment.
            word: first & ((1 << bits) - 1),
            before: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    // `dispatch/github-templates`
    #[inline]
    fn hash(&self) -> u64 {
        mixed(self.word ^ self.before.rotate_left(29))
    }
}

/// Returns a number for the bytes of a segment before the last eight, or seven of these more. Names
/// are often equal at both ends, and numbered in the middle.
// Apart, since few segments are so long (`dispatch/github-templates`).
#[inline(never)]
fn mixed_before(path: &[u8], start: usize, end: usize) -> u64 {
    let words = (start..end - 8).step_by(8).map(|at| word(path, at));
    words.fold(0, |before, word| mixed(before) ^ word)
}

// `dispatch/github-templates`
#[inline]
fn mixed(word: u64) -> u64 {
    word.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Table {
    const NONE: Self = Self {
        bits: 0,
        shift: 0,
        probes: 0,
    };
    /// A lookup may read the whole table.
    const ALL: u8 = u8::MAX;

    // These two: `dispatch/github-templates`
    #[inline]
    fn start(self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }

    #[inline]
    fn mask(self) -> usize {
        (1 << self.bits) - 1
    }
}

impl Stops {
    /// Returns the first stop.
    pub(super) fn first(&self) -> &Stop {
        &self.stops[0]
    }

    /// Returns a stop, if there is one beyond which an alternative is less than another.
    // `dispatch/github-templates`
    #[inline]
    pub(super) fn before(&self, id: StopId, other: AlternativeId) -> Option<&Stop> {
        self.stops.get(id.index()).filter(|stop| stop.least < other)
    }

    /// Returns the memory that they take besides the text of segments, in bytes.
    pub(super) fn memory(&self) -> usize {
        size_of_val(&self.stops[..]) + size_of_val(&self.long[..])
    }

    /// Returns the stop after a parameter.
    // `dispatch/github-templates`
    #[inline]
    pub(super) fn parameter(&self, stop: &Stop) -> Option<StopId> {
        stop.has_parameter.then(|| stop.next.in_front())
    }

    /// Returns the stop after a literal segment.
    // `dispatch/github-templates`
    #[inline]
    pub(super) fn literal(&self, stop: &Stop, path: &[u8], segment: Segment) -> Option<&Stop> {
        let table = stop.table;
        if table.probes == 0 {
            return None;
        }
        let start = table.start(segment.hash());
        for at in start..start + usize::from(table.probes) {
            let next = &self.stops[stop.next.index() + (at & table.mask())];
            if next.word == segment.word && self.is_after(segment, next, path) {
                return Some(next);
            }
        }
        match table.probes {
            Table::ALL => self.in_all(stop, path, segment),
            _ => None,
        }
    }

    /// The same in a table that has many segments with nearly the same hash, which real ones have
    /// not.
    #[cold]
    #[inline(never)]
    fn in_all(&self, stop: &Stop, path: &[u8], segment: Segment) -> Option<&Stop> {
        let all = self.stops[stop.next.index()..].iter();
        let mut all = all.take(1 << stop.table.bits);
        all.find(|next| next.word == segment.word && self.is_after(segment, next, path))
    }

    /// Returns whether a stop whose word is equal is after this segment.
    // `dispatch/github-templates`
    #[inline]
    fn is_after(&self, segment: Segment, next: &Stop, path: &[u8]) -> bool {
        match next.len & Stop::LONG {
            0 => next.len as usize == segment.end - segment.start,
            _ => self.is_after_long(segment, next, path),
        }
    }

    // Apart, since few segments are so long (`dispatch/github-templates`).
    #[inline(never)]
    fn is_after_long(&self, segment: Segment, next: &Stop, path: &[u8]) -> bool {
        *self.long[(next.len & !Stop::LONG) as usize] == path[segment.start..segment.end]
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]
mod tests {
    use super::*;
    use crate::{
        alternatives::{Part, Repeated},
        class::Class,
    };

    fn stops(segments: &[Vec<u8>]) -> Stops {
        let mut draft = DraftStops::new();
        for (index, segment) in segments.iter().enumerate() {
            let parts = [Part::Literal([b"/", &segment[..]].concat())];
            assert!(
                draft
                    .add(AlternativeId::new(index), &parts, false)
                    .is_none()
            );
        }
        draft.finish(std::iter::empty())
    }

    /// Returns the alternative that ends after a segment.
    fn find(stops: &Stops, segment: &[u8]) -> Option<AlternativeId> {
        let path = [b"/", segment].concat();
        let found = stops.literal(stops.first(), &path, Segment::new(&path, 1));
        found.map(|stop| stop.end)
    }

    // A loss would show in `dispatch/10000-routes`.
    #[test]
    fn dispatch_1_a_stop_is_half_a_line_of_the_cache() {
        assert_eq!((size_of::<Stop>(), align_of::<Stop>()), (32, 32));
        // What follows a parameter is next to the table.
        let mut draft = DraftStops::new();
        let class = Class::not_a_slash();
        let parameter = Part::Class(Repeated {
            class,
            min: 1,
            max: None,
        });
        let literal = |text: &str| Part::Literal(text.into());
        for (index, parts) in [
            vec![literal("/a")],
            vec![literal("/"), parameter.clone()],
            vec![literal("/"), parameter, literal("/b")],
        ]
        .iter()
        .enumerate()
        {
            draft.add(AlternativeId::new(index), parts, false);
        }
        let stops = draft.finish(std::iter::empty());
        // The first, the parameter, "/a" in a table of one, and "/b" in another.
        assert_eq!(stops.stops.len(), 4);
        assert_eq!(stops.parameter(stops.first()), Some(StopId::new(1)));
        assert_eq!(find(&stops, b"a"), Some(AlternativeId::new(0)));
    }

    #[test]
    fn dispatch_1_segments_with_equal_hashes_are_found() {
        // Eight bytes, and eight that undo their effect.
        let segments = (0_u64..).map(|number| {
            let before = mixed(number);
            let word = before.rotate_left(29);
            [before.to_le_bytes(), word.to_le_bytes()].concat()
        });
        let segments = segments.filter(|segment| !segment.contains(&b'/'));
        let all: Vec<_> = segments.take(400).collect();
        let (own, others) = all.split_at(300);
        let stops = stops(own);
        assert_eq!(stops.first().table.probes, Table::ALL);
        for (index, segment) in own.iter().enumerate() {
            assert_eq!(find(&stops, segment), Some(AlternativeId::new(index)));
        }
        for segment in others {
            assert_eq!(find(&stops, segment), None);
        }
    }

    #[test]
    fn dispatch_1_few_segments_are_found_at_once() {
        let names = "accounts bookings carriers documents events invoices orders parcels reports";
        let names: Vec<Vec<u8>> = names.split(' ').map(Into::into).collect();
        for count in 1..=names.len() {
            assert_eq!(stops(&names[..count]).first().table.probes, 1, "{count}");
        }
        let numbered = (0..1000).map(|number| format!("project-{number:04}-settings"));
        let numbered: Vec<Vec<u8>> = numbered.map(Into::into).collect();
        let stops = stops(&numbered);
        assert!(stops.first().table.probes < 30);
        assert_eq!(
            find(&stops, b"project-0999-settings"),
            Some(AlternativeId::new(999))
        );
        assert_eq!(find(&stops, b"project-1000-settings"), None);
    }
}
