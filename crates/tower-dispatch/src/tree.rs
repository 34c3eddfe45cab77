//! A radix tree of all the ways of all the patterns. A search goes down it as far as a smaller number can
//! be there: what it finds is the way with the smallest number, so order decides and not what is more specific. Where a pattern
//! that is not lowered as a whole leaves the tree, the regex of its rest goes on.

use std::{collections::HashMap, hash::Hash};

use regex_syntax::hir::ClassUnicode;
use smallvec::SmallVec;

use crate::{
    Pattern, TableError,
    each::Each,
    lower::{Mark, Part, RUNS, Run, Way},
    rests::{FEW, FoundRest, Rest, Rests},
    scan::Scan,
    spans::{Span, Spans},
    table::Match,
};

/// The memory, in bytes, for the states that all automata make, for each search that runs at the same time as
/// another.
const CACHE_CAPACITY: usize = 4 << 20;

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

/// A tree that still grows.
#[derive(Debug)]
struct Growing {
    nodes: Vec<Shoot>,
}

#[derive(Debug, Default)]
struct Shoot {
    text: Vec<u8>,
    /// No two of them begin with the same byte.
    children: Vec<usize>,
    runs: Vec<(Run, usize)>,
    rests: Vec<Rest>,
    end: Option<u32>,
    least: u32,
}

impl Growing {
    /// Ways are added in their order.
    fn add(&mut self, number: u32, way: &Way, rest: Option<Rest>) {
        let mut node = 0;
        for part in &way.parts {
            node = match part {
                Part::Text(text) => self.text(node, text, number),
                Part::Run(run) => self.run(node, run, number),
            };
        }
        match rest {
            Some(rest) => self.nodes[node].rests.push(rest),
            // Of two ways that are the same, the later one never matches.
            None => {
                self.nodes[node].end.get_or_insert(number);
            }
        }
    }

    fn text(&mut self, mut node: usize, mut text: &[u8], number: u32) -> usize {
        while let Some(first) = text.first() {
            let children = &self.nodes[node].children;
            let child = children
                .iter()
                .position(|child| self.nodes[*child].text[0] == *first);
            let Some(place) = child else {
                let child = self.new_node(text, number);
                self.nodes[node].children.push(child);
                return child;
            };
            let mut child = children[place];
            let both = self.nodes[child].text.iter().zip(text);
            let common = both.take_while(|(one, other)| one == other).count();
            if common < self.nodes[child].text.len() {
                let below = child;
                child = self.new_node(&text[..common], self.nodes[below].least);
                self.nodes[child].children.push(below);
                self.nodes[below].text.drain(..common);
                self.nodes[node].children[place] = child;
            }
            (node, text) = (child, &text[common..]);
        }
        node
    }

    fn run(&mut self, node: usize, run: &Run, number: u32) -> usize {
        let same = (self.nodes[node].runs.iter()).find(|(other, _)| other == run);
        if let Some((_, beyond)) = same {
            return *beyond;
        }
        let beyond = self.new_node(b"", number);
        self.nodes[node].runs.push((run.clone(), beyond));
        beyond
    }

    fn new_node(&mut self, text: &[u8], least: u32) -> usize {
        self.nodes.push(Shoot {
            text: text.to_vec(),
            least,
            ..Shoot::default()
        });
        self.nodes.len() - 1
    }

    /// The node itself, or the one that it only leads to.
    fn compressed(&self, node: usize) -> usize {
        let shoot = &self.nodes[node];
        let leads_on = shoot.text.is_empty() && shoot.end.is_none();
        match shoot.children[..] {
            [only] if leads_on && shoot.runs.is_empty() && shoot.rests.is_empty() => only,
            _ => node,
        }
    }
}

impl Tree {
    /// Those of the patterns that are named, in that order.
    ///
    /// # Errors
    ///
    /// A [`TableError`] if they take more than so many bytes, which is less than 4 GiB.
    pub(crate) fn new(
        all: &[Pattern],
        patterns: &[usize],
        limit: usize,
    ) -> Result<Self, TableError> {
        let mut growing = Growing {
            nodes: vec![Shoot::default()],
        };
        let (mut leaves, mut groups) = (Vec::new(), Interned::default());
        let mut memory = 0;
        for &pattern in patterns {
            for way in all[pattern].ways() {
                memory += memory_of(way);
                if memory > limit {
                    return Err(TableError::too_large(limit));
                }
                let number = as_u32(leaves.len());
                let rest = all[pattern].rest().map(|_| Rest {
                    way: number,
                    pattern,
                });
                growing.add(number, way, rest);
                leaves.push(Leaf {
                    pattern,
                    groups: groups.intern(&way.groups),
                });
            }
        }

        let is_automaton = |shoot: &&Shoot| shoot.rests.len() > FEW;
        let automata = growing.nodes.iter().filter(is_automaton).count();
        let cache_capacity = CACHE_CAPACITY / automata.max(1);

        // A node, and then all that is below it, so that what is needed together lies together.
        let mut left = vec![(growing.compressed(0), From::Start)];
        let (mut nodes, mut jumps, mut edges) = (Vec::new(), Vec::new(), Vec::<Edge>::new());
        let (mut sets, mut rests): (Vec<ClassUnicode>, Vec<Rests>) = Default::default();
        let mut texts = Interned::default();
        while let Some((node, from)) = left.pop() {
            let here = as_u32(nodes.len());
            match from {
                From::Start => {}
                From::Jump(jump) => jumps[jump] = here,
                From::Run(edge) => {
                    if let Beyond::Run { node, .. } = &mut edges[edge].beyond {
                        *node = here;
                    }
                }
            }
            let shoot = &growing.nodes[node];
            let byte = |child: &usize| growing.nodes[*child].text[0];
            let first = shoot.children.iter().map(byte).min().unwrap_or(0);
            let last = shoot.children.iter().map(byte).max();
            let count = last.map_or(0, |last| u16::from(last - first) + 1);
            memory += usize::from(count) * size_of::<u32>();
            let (own_jumps, own_edges) = (jumps.len(), edges.len());
            jumps.resize(own_jumps + usize::from(count), NONE);
            for &child in &shoot.children {
                let place = usize::from(byte(&child) - first);
                left.push((child, From::Jump(own_jumps + place)));
            }
            for &(ref run, beyond) in &shoot.runs {
                let scan = sets.iter().position(|set| *set == run.set);
                let scan = scan.unwrap_or_else(|| {
                    sets.push(run.set.clone());
                    sets.len() - 1
                });
                left.push((growing.compressed(beyond), From::Run(edges.len())));
                edges.push(Edge {
                    least: growing.nodes[beyond].least,
                    beyond: Beyond::Run {
                        scan: as_u32(scan),
                        min: run.min,
                        max: run.max,
                        node: NONE,
                    },
                });
            }
            if let Some(rest) = shoot.rests.first() {
                let some = Rests::new(all, shoot.rests.clone(), limit, cache_capacity)?;
                memory += some.memory();
                edges.push(Edge {
                    least: rest.way,
                    beyond: Beyond::Rests {
                        rests: as_u32(rests.len()),
                    },
                });
                rests.push(some);
            }
            if memory > limit {
                return Err(TableError::too_large(limit));
            }
            // A jump has taken the first byte already.
            let known = usize::from(matches!(from, From::Jump(_)));
            nodes.push(Node {
                text: texts.intern(&shoot.text[known..]),
                jumps: as_u32(own_jumps),
                first,
                count,
                edges: as_u32(own_edges),
                edges_end: as_u32(edges.len()),
                end: shoot.end.unwrap_or(NONE),
                least: shoot.least,
            });
        }
        Ok(Self {
            nodes: nodes.into(),
            texts: texts.all.into(),
            jumps: jumps.into(),
            edges: edges.into(),
            scans: sets.iter().map(Scan::new).collect(),
            rests: rests.into(),
            leaves: leaves.into(),
            groups: groups.all.into(),
        })
    }
}

/// Where a node is entered from.
#[derive(Clone, Copy)]
enum From {
    Start,
    Jump(usize),
    Run(usize),
}

/// Lists one after the other, each once.
struct Interned<T> {
    all: Vec<T>,
    places: HashMap<Box<[T]>, Slice>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            places: HashMap::new(),
        }
    }
}

impl<T: Copy + Eq + Hash> Interned<T> {
    fn intern(&mut self, list: &[T]) -> Slice {
        if let Some(slice) = self.places.get(list) {
            return *slice;
        }
        let slice = Slice {
            start: as_u32(self.all.len()),
            len: as_u32(list.len()),
        };
        self.all.extend_from_slice(list);
        self.places.insert(list.into(), slice);
        slice
    }
}

/// The most bytes that a way takes in a tree, without the jumps.
fn memory_of(way: &Way) -> usize {
    let text = way.parts.iter().map(|part| match part {
        Part::Text(text) => text.len(),
        Part::Run(_) => size_of::<Edge>(),
    });
    // A text makes two nodes where it parts from another.
    text.sum::<usize>()
        + way.parts.len() * 2 * size_of::<Node>()
        + size_of::<Leaf>()
        + size_of_val(&way.groups[..])
}

/// Of something that takes a byte or more.
fn as_u32(number: usize) -> u32 {
    u32::try_from(number).expect("the limit is less than 4 GiB")
}

/// Texts are short: comparing them here is faster than a call.
fn strip<'a>(rest: &'a [u8], text: &[u8]) -> Option<&'a [u8]> {
    let (start, after) = rest.split_at_checked(text.len())?;
    (text.is_empty() || start == text).then_some(after)
}
