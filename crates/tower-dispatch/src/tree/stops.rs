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
//! # Invariants
//!
//! - A stop has one parent, so a search visits it once at most.
//! - The rest begins with a slash, except at the first stop.
//! - A table has a free slot, unless it has one segment. So a lookup ends.

use std::collections::BTreeMap;

use super::{AlternativeId, NodeId, grow::DraftId};
use crate::{
    alternatives::{Part, Repeated},
    class::{Class, equal_bytes, find, word},
    ids::{StopId, to_u32},
};

/// All stops of a tree. The first one is the start of a path.
#[derive(Debug)]
pub(super) struct Stops {
    stops: Box<[Stop]>,
    /// The hash tables of all stops.
    slots: Box<[Slot]>,
    /// The segments of more than eight bytes.
    long: Box<[Box<[u8]>]>,
}

#[derive(Debug)]
pub(super) struct Stop {
    /// The alternative that ends here.
    pub(super) end: AlternativeId,
    /// The smallest alternative that ends here or beyond.
    pub(super) least: AlternativeId,
    /// The stop after any segment that is not empty.
    pub(super) parameter: StopId,
    /// The node of all other alternatives.
    pub(super) rest: NodeId,
    /// The first slot of its table.
    slots: u32,
    /// The number of its slots, which is a power of two, or zero.
    slot_count: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The segment, and zeros. Of a longer one it has the last eight bytes.
    word: u64,
    /// The number of bytes, or [`Slot::LONG`] and the index among the long ones.
    len: u32,
    stop: StopId,
}

impl Slot {
    const LONG: u32 = 1 << 31;
    const FREE: Self = Self {
        word: 0,
        len: 0,
        stop: StopId::NONE,
    };
}

/// A segment of a path.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    start: usize,
    pub(super) end: usize,
    /// The word by which it is found.
    word: u64,
    /// The first word of a longer one.
    first: u64,
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
            let word = word(path, end - 8);
            return Self {
                start,
                end,
                word,
                first,
            };
        }
        let bits = ends.trailing_zeros() & !7;
        Self {
            start,
            end: start + (bits / 8) as usize,
            // Without the bytes after the segment.
            word: first & ((1 << bits) - 1),
            first: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn hash(&self) -> usize {
        let mixed = self.word ^ self.first.rotate_left(29);
        (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize
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
        let (stops, slots) = (size_of_val(&self.stops[..]), size_of_val(&self.slots[..]));
        stops + slots + size_of_val(&self.long[..])
    }

    /// Returns the stop after a literal segment.
    // `dispatch/github-templates`
    #[inline]
    pub(super) fn literal(&self, stop: &Stop, path: &[u8], segment: Segment) -> StopId {
        let slots = &self.slots[stop.slots as usize..][..stop.slot_count as usize];
        let Some(mask) = slots.len().checked_sub(1) else {
            return StopId::NONE;
        };
        let mut at = segment.hash();
        loop {
            let slot = &slots[at & mask];
            if slot.word == segment.word && self.has(slot, path, segment) {
                return slot.stop;
            }
            // An only slot may not be free.
            if slot.stop == StopId::NONE || mask == 0 {
                return StopId::NONE;
            }
            at += 1;
        }
    }

    /// Returns whether a slot whose word is equal has the whole segment.
    // `dispatch/github-templates`
    #[inline]
    fn has(&self, slot: &Slot, path: &[u8], segment: Segment) -> bool {
        let segment = &path[segment.start..segment.end];
        if slot.len & Slot::LONG == 0 {
            return slot.len as usize == segment.len();
        }
        *self.long[(slot.len & !Slot::LONG) as usize] == *segment
    }
}

/// Stops to which alternatives are added.
#[derive(Debug)]
pub(super) struct DraftStops {
    stops: Vec<DraftStop>,
    segment: Repeated,
}

#[derive(Debug)]
struct DraftStop {
    literals: BTreeMap<Box<[u8]>, usize>,
    parameter: Option<usize>,
    rest: Option<DraftId>,
    end: Option<AlternativeId>,
    least: AlternativeId,
}

/// What the segments at the start of an alternative lead to.
pub(super) struct Rest<'a> {
    stop: usize,
    /// The rest of the literal that has been begun.
    pub(super) literal: &'a [u8],
    pub(super) parts: &'a [Part],
}

impl DraftStops {
    pub(super) fn new() -> Self {
        let mut draft = Self {
            stops: Vec::new(),
            segment: Repeated {
                class: Class::not_a_slash(),
                min: 1,
                max: None,
            },
        };
        draft.add_stop(AlternativeId::new(0));
        draft
    }

    fn add_stop(&mut self, least: AlternativeId) -> usize {
        self.stops.push(DraftStop {
            literals: BTreeMap::new(),
            parameter: None,
            rest: None,
            end: None,
            least,
        });
        self.stops.len() - 1
    }

    /// Adds the whole segments at the start of an alternative. Returns the rest, or `None` if there
    /// is none.
    pub(super) fn add<'a>(
        &mut self,
        id: AlternativeId,
        parts: &'a [Part],
        has_suffix: bool,
    ) -> Option<Rest<'a>> {
        let mut rest = Rest {
            stop: 0,
            literal: b"",
            parts,
        };
        loop {
            if let (b"", [Part::Literal(literal), parts @ ..]) = (rest.literal, rest.parts) {
                (rest.literal, rest.parts) = (literal, parts);
            }
            let Some((b'/', segment)) = rest.literal.split_first() else {
                break;
            };
            let len = find(segment, 0, b'/');
            if len < segment.len() || rest.parts.is_empty() && !has_suffix {
                rest.stop = self.literal(rest.stop, &segment[..len], id);
                rest.literal = &segment[len..];
                continue;
            }
            match rest.parts {
                // The parameter is the whole segment if a slash or the end follows.
                [Part::Class(class), parts @ ..] if len == 0 && *class == self.segment => {
                    let is_whole = match parts {
                        [] => !has_suffix,
                        [Part::Literal(literal), ..] => literal.starts_with(b"/"),
                        _ => false,
                    };
                    if !is_whole {
                        break;
                    }
                    rest.stop = self.parameter(rest.stop, id);
                    (rest.literal, rest.parts) = (b"", parts);
                }
                _ => break,
            }
        }
        if rest.literal.is_empty() && rest.parts.is_empty() && !has_suffix {
            // Of two equal alternatives the later one never matches.
            self.stops[rest.stop].end.get_or_insert(id);
            return None;
        }
        Some(rest)
    }

    fn literal(&mut self, stop: usize, segment: &[u8], id: AlternativeId) -> usize {
        if let Some(next) = self.stops[stop].literals.get(segment) {
            return *next;
        }
        let next = self.add_stop(id);
        self.stops[stop].literals.insert(segment.into(), next);
        next
    }

    fn parameter(&mut self, stop: usize, id: AlternativeId) -> usize {
        if let Some(next) = self.stops[stop].parameter {
            return next;
        }
        let next = self.add_stop(id);
        self.stops[stop].parameter = Some(next);
        next
    }

    /// Returns the node for the rests at a stop.
    pub(super) fn rest(&mut self, rest: &Rest<'_>, new: impl FnOnce() -> DraftId) -> DraftId {
        *self.stops[rest.stop].rest.get_or_insert_with(new)
    }

    /// Returns the nodes for all rests, in the order in which `finish` takes them.
    pub(super) fn rests(&self) -> impl Iterator<Item = DraftId> {
        self.stops.iter().filter_map(|stop| stop.rest)
    }

    /// Lays out the stops. `rests` are the nodes of the tree for [`Self::rests`].
    pub(super) fn finish(&self, mut rests: impl Iterator<Item = NodeId>) -> Stops {
        let (mut slots, mut long) = (Vec::new(), Vec::new());
        let id = |stop: Option<usize>| stop.map_or(StopId::NONE, StopId::new);
        let stop = |draft: &DraftStop| {
            let start = slots.len();
            let count = match draft.literals.len() {
                few @ 0..2 => few,
                several => (several + several / 4 + 1).next_power_of_two(),
            };
            slots.resize(start + count, Slot::FREE);
            for (segment, next) in &draft.literals {
                let key = Segment::new(segment, 0);
                let mut at = key.hash();
                while slots[start + (at & (count - 1))].stop != StopId::NONE {
                    at += 1;
                }
                let len = match segment.len() {
                    len @ 0..=8 => to_u32(len),
                    _ => {
                        long.push(segment.clone());
                        Slot::LONG | to_u32(long.len() - 1)
                    }
                };
                let stop = StopId::new(*next);
                slots[start + (at & (count - 1))] = Slot {
                    word: key.word,
                    len,
                    stop,
                };
            }
            Stop {
                end: draft.end.unwrap_or(AlternativeId::NONE),
                least: draft.least,
                parameter: id(draft.parameter),
                rest: match draft.rest {
                    Some(_) => rests.next().unwrap_or(NodeId::NONE),
                    None => NodeId::NONE,
                },
                slots: to_u32(start),
                slot_count: to_u32(count),
            }
        };
        let stops = self.stops.iter().map(stop).collect();
        Stops {
            stops,
            slots: slots.into(),
            long: long.into(),
        }
    }
}
