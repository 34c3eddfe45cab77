//! A radix tree of all the ways of all the patterns. A search goes down it as far as a smaller number can
//! be there: what it finds is the way with the smallest number, so order decides and not what is more specific. Where a pattern
//! that is not lowered as a whole leaves the tree, the regex of its rest goes on.

pub(crate) mod grow;

use smallvec::SmallVec;

use crate::{
    each::Each,
    lower::{Mark, RUNS},
    rests::{FoundRest, Rests},
    scan::Scan,
    spans::{Span, Spans},
    table::Match,
};

/// In the place of a way or a node where there is none.
const NONE: u32 = u32::MAX;

/// Ways, numbered in their order.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Box<[Node]>,
    /// What all nodes have for texts, each text once.
    texts: Box<[u8]>,
    /// For each node the children that bytes lead to, from its first byte on to its last.
    jumps: Box<[u32]>,
    edges: Box<[Edge]>,
    /// What the runs consist of.
    scans: Box<[Scan]>,
    rests: Box<[Rests]>,
    leaves: Box<[Leaf]>,
    /// What all leaves have for groups, each list once.
    groups: Box<[Group]>,
}

/// Where a group is; `None` for one that takes no part.
type Group = Option<(Mark, Mark)>;

/// Some of the elements of a list.
#[derive(Clone, Copy, Debug)]
struct Slice {
    start: u32,
    len: u32,
}

impl Slice {
    fn of<T>(self, all: &[T]) -> &[T] {
        &all[self.start as usize..][..self.len as usize]
    }
}

/// A place in the tree: a text, and then the end of the path, one of some bytes, or an edge.
#[derive(Debug)]
struct Node {
    text: Slice,
    /// Where its jumps are, of which byte the first is, and how many there are.
    jumps: u32,
    first: u8,
    count: u16,
    edges: u32,
    /// The first that are not its own.
    edges_end: u32,
    /// The way that ends here.
    end: u32,
    /// The smallest way that ends here or below.
    least: u32,
}

/// What may follow a node besides a byte.
#[derive(Debug)]
struct Edge {
    /// The smallest way beyond.
    least: u32,
    beyond: Beyond,
}

#[derive(Debug)]
enum Beyond {
    /// A node, after a run.
    Run {
        scan: u32,
        min: u32,
        max: Option<u32>,
        node: u32,
    },
    /// Nothing more of the tree.
    Rests { rests: u32 },
}

/// Where a way ends.
#[derive(Debug)]
struct Leaf {
    pattern: usize,
    groups: Slice,
}

/// Where each run ends; the first is the start of the path.
type Ends = [u32; RUNS + 1];

/// An edge that is still to be followed: how much of the path is left there, and how many runs were before.
#[derive(Clone, Copy)]
struct Pending {
    edge: u32,
    left: u32,
    runs: u32,
}

impl Tree {
    /// The first pattern that matches, and its groups, in a path of less than 4 GiB.
    pub(crate) fn find(&self, each: &Each, path: &str) -> Option<Match> {
        let bytes = path.as_bytes();
        let mut best = NONE;
        let mut best_ends: Ends = [0; RUNS + 1];
        let mut best_rest: Option<FoundRest> = None;
        let mut ends = best_ends;
        let mut pending: SmallVec<[Pending; 8]> = SmallVec::new();
        let mut node = &self.nodes[0];
        let mut left = bytes;
        let mut runs = 0;
        loop {
            let mut edge = None;
            if let Some(after) = strip(left, node.text.of(&self.texts)) {
                left = after;
                if left.is_empty() && node.end < best {
                    best = node.end;
                    pending.retain(|next| self.edges[next.edge as usize].least < best);
                    if pending.is_empty() && node.edges == node.edges_end {
                        return self.found(best, &ends, path);
                    }
                    best_ends = ends;
                }
                let pend = |edge| Pending {
                    edge,
                    left: left.len() as u32,
                    runs,
                };
                let mut edges = node.edges..node.edges_end;
                if let Some(child) = self.child(node, left)
                    && child.least < best
                {
                    for edge in edges.rev() {
                        pending.push(pend(edge));
                    }
                    (node, left) = (child, &left[1..]);
                    continue;
                }
                edge = edges.next();
                for edge in edges.rev() {
                    pending.push(pend(edge));
                }
            }
            // What is pending was met on the way here, so the ends of its runs are still there.
            loop {
                let next = edge.take().or_else(|| {
                    let next = pending.pop()?;
                    left = &bytes[bytes.len() - next.left as usize..];
                    runs = next.runs;
                    Some(next.edge)
                });
                let Some(next) = next else {
                    return match best_rest {
                        Some(rest) if rest.way == best => self.found_beyond(&best_ends, rest),
                        _ => self.found(best, &best_ends, path),
                    };
                };
                let edge = &self.edges[next as usize];
                if edge.least >= best {
                    continue;
                }
                match &edge.beyond {
                    Beyond::Run {
                        scan,
                        min,
                        max,
                        node: next,
                    } => {
                        let len = self.scans[*scan as usize].run(left);
                        if is_enough(&left[..len], *min, *max) {
                            (node, left) = (&self.nodes[*next as usize], &left[len..]);
                            runs += 1;
                            ends[runs as usize] = (bytes.len() - left.len()) as u32;
                            break;
                        }
                    }
                    Beyond::Rests { rests } => {
                        let rests = &self.rests[*rests as usize];
                        let from = bytes.len() - left.len();
                        if let Some(found) = rests.find(each, path, from, best) {
                            (best, best_ends) = (found.way, ends);
                            best_rest = Some(found);
                        }
                    }
                }
            }
        }
    }

    /// The node that the next byte leads to.
    fn child(&self, node: &Node, left: &[u8]) -> Option<&Node> {
        let place = left.first()?.wrapping_sub(node.first);
        if u16::from(place) >= node.count {
            return None;
        }
        let jump = self.jumps[node.jumps as usize + usize::from(place)];
        self.nodes.get(jump as usize)
    }

    #[inline]
    fn found(&self, way: u32, ends: &Ends, path: &str) -> Option<Match> {
        let leaf = self.leaves.get(way as usize)?;
        let groups = leaf
            .groups
            .of(&self.groups)
            .iter()
            .map(|group| span(*group, ends));
        Some(Match {
            index: leaf.pattern,
            whole: Span::new(0, path.len() as u32),
            groups: Spans::new(groups),
        })
    }

    /// Each group is in the tree or in the rest.
    fn found_beyond(&self, ends: &Ends, rest: FoundRest) -> Option<Match> {
        let leaf = self.leaves.get(rest.way as usize)?;
        let groups = leaf.groups.of(&self.groups).iter().enumerate();
        let groups = groups.map(|(position, group)| match group {
            Some(_) => span(*group, ends),
            None => rest.groups.span(position),
        });
        Some(Match {
            index: leaf.pattern,
            whole: rest.whole,
            groups: Spans::new(groups),
        })
    }
}

/// Whether a run has so many characters.
fn is_enough(run: &[u8], min: u32, max: Option<u32>) -> bool {
    if min <= 1 && max.is_none() {
        return run.len() >= min as usize;
    }
    let is_first = |byte: &&u8| **byte & 0xC0 != 0x80;
    let count = run.iter().filter(is_first).count();
    count >= min as usize && max.is_none_or(|max| count <= max as usize)
}

fn span(group: Group, ends: &Ends) -> Span {
    let place = |mark: Mark| ends[mark.runs as usize] + mark.bytes;
    match group {
        Some((start, end)) => Span::new(place(start), place(end)),
        None => Span::ABSENT,
    }
}

/// Texts are short: comparing them here is faster than a call.
fn strip<'a>(rest: &'a [u8], text: &[u8]) -> Option<&'a [u8]> {
    let (start, after) = rest.split_at_checked(text.len())?;
    (text.is_empty() || start == text).then_some(after)
}
