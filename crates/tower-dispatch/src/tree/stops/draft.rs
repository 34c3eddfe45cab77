//! Stops to which alternatives are added, and how they are laid out for a search.

use smallvec::{SmallVec, smallvec};

use super::{Segment, Stop, Stops, Table};
use crate::{
    alternatives::{Part, Repeated},
    class::{Class, find},
    ids::{AlternativeId, NodeId, StopId, to_u32},
    tree::{grow::DraftId, keys::Keys},
};

/// Stops to which alternatives are added.
#[derive(Debug)]
pub(in crate::tree) struct DraftStops {
    stops: Vec<DraftStop>,
    /// The stop after each literal segment, by the stop before it and the segment.
    literals: Keys,
    /// The memory of a key.
    key: Vec<u8>,
    segment: Repeated,
}

#[derive(Debug)]
struct DraftStop {
    literals: Vec<(Box<[u8]>, usize)>,
    parameter: Option<usize>,
    rest: Option<DraftId>,
    end: Option<AlternativeId>,
    least: AlternativeId,
}

/// What the segments at the start of an alternative lead to.
pub(in crate::tree) struct Rest<'a> {
    stop: usize,
    /// The rest of the literal that has been begun.
    pub(in crate::tree) literal: &'a [u8],
    pub(in crate::tree) parts: &'a [Part],
}

impl DraftStops {
    pub(in crate::tree) fn new() -> Self {
        let mut draft = Self {
            stops: Vec::new(),
            literals: Keys::default(),
            key: Vec::new(),
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
            literals: Vec::new(),
            parameter: None,
            rest: None,
            end: None,
            least,
        });
        self.stops.len() - 1
    }

    /// Adds the whole segments at the start of an alternative. Returns the rest, or `None` if there
    /// is none.
    pub(in crate::tree) fn add<'a>(
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
        self.key.clear();
        self.key.extend(to_u32(stop).to_le_bytes());
        self.key.extend(segment);
        if let Some(next) = self.literals.get(&self.key) {
            return next;
        }
        let next = self.add_stop(id);
        self.literals.insert(&self.key, next);
        self.stops[stop].literals.push((segment.into(), next));
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
    pub(in crate::tree) fn rest(
        &mut self,
        rest: &Rest<'_>,
        new: impl FnOnce() -> DraftId,
    ) -> DraftId {
        *self.stops[rest.stop].rest.get_or_insert_with(new)
    }

    /// Returns the nodes for all rests, in the order in which `finish` takes them.
    pub(in crate::tree) fn rests(&self) -> impl Iterator<Item = DraftId> {
        self.stops.iter().filter_map(|stop| stop.rest)
    }

    /// Lays out the stops. `rests` are the nodes of the tree for [`Self::rests`].
    pub(in crate::tree) fn finish(&self, mut rests: impl Iterator<Item = NodeId>) -> Stops {
        let rests = self.stops.iter().map(|stop| match stop.rest {
            Some(_) => rests.next().unwrap_or(NodeId::NONE),
            None => NodeId::NONE,
        });
        let rests: Vec<NodeId> = rests.collect();
        let (mut stops, mut long) = (vec![Stop::FREE], Vec::new());
        // The last of those that are left is the next in memory.
        let mut left = vec![(0, 0)];
        while let Some((index, here)) = left.pop() {
            let draft = &self.stops[index];
            let has_parameter = draft.parameter.is_some();
            let first = stops.len() + usize::from(has_parameter);
            let hashes = draft.literals.iter();
            let hashes: SmallVec<[u64; 16]> = hashes
                .map(|(segment, _)| Segment::new(segment, 0).hash())
                .collect();
            let table = Table::new(&hashes);
            let own = &mut stops[here];
            own.end = draft.end.unwrap_or(AlternativeId::NONE);
            own.least = draft.least;
            own.rest = rests[index];
            own.next = StopId::new(first);
            own.has_parameter = has_parameter;
            own.table = table;
            stops.resize(first, Stop::FREE);
            if table.probes > 0 {
                stops.resize(first + (1 << table.bits), Stop::FREE);
                table.fill(&hashes, |index, entry| {
                    let (segment, beyond) = &draft.literals[index];
                    let place = first + entry;
                    stops[place].word = Segment::new(segment, 0).word;
                    stops[place].len = match segment.len() {
                        len @ 0..=8 => to_u32(len),
                        _ => {
                            long.push(segment.clone());
                            Stop::LONG | to_u32(long.len() - 1)
                        }
                    };
                    left.push((*beyond, place));
                });
            }
            if let Some(parameter) = draft.parameter {
                left.push((parameter, first - 1));
            }
        }
        Stops {
            stops: stops.into(),
            long: long.into(),
        }
    }
}

impl Table {
    /// Returns the shape of a table of segments with these hashes. Of several it is the one in
    /// which lookups are the shortest.
    fn new(hashes: &[u64]) -> Self {
        let log = |entries: usize| entries.next_power_of_two().ilog2();
        let (least, most) = match hashes.len() {
            0 => return Self::NONE,
            1 => (0, 0),
            few @ 2..=8 => (log(few + few / 4 + 1), log(2 * few) + 1),
            many => (log(2 * many), log(2 * many)),
        };
        let shifts = |bits: u32| {
            let highest = 63 - bits;
            let shifts = (highest.saturating_sub(24)..=highest).rev();
            shifts.map(move |shift| Self {
                bits: bits as u8,
                shift: shift as u8,
                probes: Self::ALL,
            })
        };
        let tables = (least..=most).flat_map(shifts);
        let mut best = (usize::MAX, Self::NONE);
        for table in tables {
            let probes = table.fill(hashes, |_, _| {});
            if probes < best.0 {
                best = (probes, table);
            }
            if probes == 1 {
                break;
            }
        }
        let (probes, table) = best;
        Self {
            probes: u8::try_from(probes).unwrap_or(Self::ALL),
            ..table
        }
    }

    /// Calls a function with the index of each hash and that of its entry. Returns the most entries
    /// that a lookup reads.
    fn fill(self, hashes: &[u64], mut enter: impl FnMut(usize, usize)) -> usize {
        let mut taken: SmallVec<[bool; 64]> = smallvec![false; 1 << self.bits];
        let mut most = 0;
        for (index, hash) in hashes.iter().enumerate() {
            let mut probes = 1;
            let mut at = self.start(*hash);
            while taken[at & self.mask()] {
                at += 1;
                probes += 1;
            }
            taken[at & self.mask()] = true;
            enter(index, at & self.mask());
            most = most.max(probes);
        }
        most
    }
}
