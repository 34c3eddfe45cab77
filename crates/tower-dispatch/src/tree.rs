//! A radix tree of all the ways of all the patterns that can be lowered. A search goes down it as far as a smaller number can
//! be there: what it finds is the way with the smallest number, so order decides and not what is more specific.

use std::ops::Range;

use smallvec::SmallVec;

use crate::{
    TableError,
    lower::{Mark, Part, RUNS, Run, Set, Way},
    spans::{Span, Spans},
    table::Match,
};

/// In the place of a way where there is none.
const NONE: u32 = u32::MAX;

/// Ways, numbered in their order.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Box<[Node]>,
    /// For each node the children that bytes lead to, from its first byte on to its last.
    jumps: Box<[u32]>,
    edges: Box<[Edge]>,
    /// What the runs of all edges consist of.
    sets: Box<[[bool; 256]]>,
    leaves: Box<[Leaf]>,
}

/// A place in the tree: a text, and then the end of the path, one of some bytes, or one of some runs.
#[derive(Debug)]
struct Node {
    text: Box<[u8]>,
    /// Where its jumps are, of which byte the first is, and how many there are.
    jumps: u32,
    first: u8,
    count: u16,
    edges: Range<u32>,
    /// The way that ends here.
    end: u32,
    /// The smallest way that ends here or below.
    least: u32,
}

/// The way from a node to another over a run.
#[derive(Clone, Copy, Debug)]
struct Edge {
    set: u32,
    may_be_empty: bool,
    node: u32,
    /// The smallest way beyond.
    least: u32,
}

#[derive(Debug)]
struct Leaf {
    pattern: usize,
    groups: Box<[Option<(Mark, Mark)>]>,
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
    pub(crate) fn find(&self, path: &str) -> Option<Match> {
        let path = path.as_bytes();
        let mut best = NONE;
        let mut best_ends: Ends = [0; RUNS + 1];
        let mut ends: Ends = [0; RUNS + 1];
        let mut pending: SmallVec<[Pending; 8]> = SmallVec::new();
        let mut node = &self.nodes[0];
        let mut rest = path;
        let mut runs = 0;
        loop {
            // What is left of the path after the node's text, and what to follow from there.
            let next = match strip(rest, &node.text) {
                None => None,
                Some(after) => {
                    rest = after;
                    if rest.is_empty() && node.end < best {
                        best = node.end;
                        pending.retain(|next| self.edges[next.edge as usize].least < best);
                        if pending.is_empty() && node.edges.is_empty() {
                            return self.found(best, &ends, path);
                        }
                        best_ends = ends;
                    }
                    let mut edges = node.edges.clone();
                    let child = rest.first().and_then(|byte| {
                        let place = byte.wrapping_sub(node.first);
                        if u16::from(place) >= node.count { return None; }
                        let jump = self.jumps[node.jumps as usize + place as usize];
                        self.nodes
                            .get(jump as usize)
                            .filter(|child| child.least < best)
                    });
                    let first = match child {
                        Some(_) => None,
                        None => edges.next(),
                    };
                    for edge in edges {
                        pending.push(Pending {
                            edge,
                            left: rest.len() as u32,
                            runs,
                        });
                    }
                    if let Some(child) = child {
                        (node, rest) = (child, &rest[1..]);
                        continue;
                    }
                    first
                }
            };
            let mut next = match next {
                Some(edge) => Some(edge),
                None => pending.pop().map(|next| {
                    rest = &path[path.len() - next.left as usize..];
                    runs = next.runs;
                    next.edge
                }),
            };
            // What is pending was met on the way here, so the ends of its runs are still there.
            loop {
                let Some(edge) = next else {
                    return self.found(best, &best_ends, path);
                };
                let edge = &self.edges[edge as usize];
                let set = &self.sets[edge.set as usize];
                let len = rest.iter().position(|byte| !set[*byte as usize]);
                let len = len.unwrap_or(rest.len());
                if edge.least < best && (len > 0 || edge.may_be_empty) {
                    (node, rest) = (&self.nodes[edge.node as usize], &rest[len..]);
                    runs += 1;
                    ends[runs as usize] = (path.len() - rest.len()) as u32;
                    break;
                }
                next = pending.pop().map(|next| {
                    rest = &path[path.len() - next.left as usize..];
                    runs = next.runs;
                    next.edge
                });
            }
        }
    }

    #[inline]
    fn found(&self, way: u32, ends: &Ends, path: &[u8]) -> Option<Match> {
        let leaf = self.leaves.get(way as usize)?;
        let place = |mark: Mark| ends[mark.runs as usize] + mark.bytes;
        let groups = leaf.groups.iter();
        let span = |group: &Option<(Mark, Mark)>| match *group {
            Some((start, end)) => Span::new(place(start), place(end)),
            None => Span::ABSENT,
        };
        Some(Match {
            index: leaf.pattern,
            whole: Span::new(0, path.len() as u32),
            groups: Spans::new(groups.map(span)),
        })
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
    end: Option<u32>,
    least: u32,
}

impl Growing {
    /// Ways are added in their order.
    fn add(&mut self, number: u32, way: &Way) {
        let mut node = 0;
        for part in &way.parts {
            node = match part {
                Part::Text(text) => self.text(node, text, number),
                Part::Run(run) => self.run(node, *run, number),
            };
        }
        // Of two ways that are the same, the later one never matches.
        self.nodes[node].end.get_or_insert(number);
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

    fn run(&mut self, node: usize, run: Run, number: u32) -> usize {
        let same = self.nodes[node]
            .runs
            .iter()
            .find(|(other, _)| *other == run);
        if let Some((_, beyond)) = same {
            return *beyond;
        }
        let beyond = self.new_node(b"", number);
        self.nodes[node].runs.push((run, beyond));
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
        match &self.nodes[node] {
            Shoot {
                text,
                children,
                runs,
                end: None,
                ..
            } if text.is_empty() && runs.is_empty() => match children[..] {
                [only] => only,
                _ => node,
            },
            _ => node,
        }
    }
}

impl Tree {
    /// Ways with the numbers of their patterns, in the order of these.
    ///
    /// # Errors
    ///
    /// A [`TableError`] if they take more than so many bytes, which is less than 4 GiB.
    pub(crate) fn new(ways: &[(usize, &Way)], limit: usize) -> Result<Self, TableError> {
        if ways.iter().map(|(_, way)| memory(way)).sum::<usize>() > limit {
            return Err(TableError::too_large(limit));
        }
        let mut growing = Growing {
            nodes: vec![Shoot::default()],
        };
        let mut leaves = Vec::new();
        for (number, &(pattern, way)) in ways.iter().enumerate() {
            growing.add(as_u32(number), way);
            leaves.push(Leaf {
                pattern,
                groups: way.groups.clone().into(),
            });
        }

        let mut jumps = Vec::new();
        let mut order = vec![(growing.compressed(0), 0)];
        let mut nodes = Vec::new();
        let mut edges = Vec::new();
        let mut sets: Vec<Set> = Vec::new();
        while let Some(&(node, skip)) = order.get(nodes.len()) {
            let shoot = &growing.nodes[node];
            let byte = |child: &usize| growing.nodes[*child].text[0];
            let first_byte = shoot.children.iter().map(byte).min().unwrap_or(0);
            let last_byte = shoot.children.iter().map(byte).max();
            let count = last_byte.map_or(0, |last| u16::from(last - first_byte) + 1);
            let own_jumps = jumps.len();
            jumps.resize(own_jumps + usize::from(count), NONE);
            for &child in &shoot.children {
                jumps[own_jumps + usize::from(byte(&child) - first_byte)] = as_u32(order.len());
                order.push((child, 1));
            }
            let first = as_u32(edges.len());
            edges.extend((shoot.runs.iter()).map(|&(run, beyond)| {
                let set = sets.iter().position(|set| *set == run.set);
                let set = set.unwrap_or_else(|| {
                    sets.push(run.set);
                    sets.len() - 1
                });
                order.push((growing.compressed(beyond), 0));
                Edge {
                    set: as_u32(set),
                    may_be_empty: run.may_be_empty,
                    node: as_u32(order.len() - 1),
                    least: growing.nodes[beyond].least,
                }
            }));
            nodes.push(Node {
                text: shoot.text[skip..].into(),
                jumps: as_u32(own_jumps),
                first: first_byte,
                count,
                edges: first..as_u32(edges.len()),
                end: shoot.end.unwrap_or(NONE),
                least: shoot.least,
            });
        }
        Ok(Self {
            nodes: nodes.into(),
            jumps: jumps.into(),
            edges: edges.into(),
            sets: (sets.into_iter())
                .map(|set| std::array::from_fn(|byte| set.contains(byte as u8)))
                .collect(),
            leaves: leaves.into(),
        })
    }
}

/// The most bytes that a way takes in a tree.
fn memory(way: &Way) -> usize {
    let text = way.parts.iter().map(|part| match part {
        Part::Text(text) => text.len(),
        Part::Run(_) => size_of::<Edge>() + size_of::<[bool; 256]>(),
    });
    // A text makes two nodes where it parts from another.
    text.sum::<usize>()
        + way.parts.len() * 2 * (size_of::<Node>() + 1)
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
