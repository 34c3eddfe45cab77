//! A radix tree of all the ways of all the patterns that can be lowered. A search goes down it as far as a smaller number can
//! be there: what it finds is the way with the smallest number, so order decides and not what is more specific.

use std::ops::Range;

use smallvec::SmallVec;

use crate::{
    TableError,
    lower::{Mark, Part, RUNS, Run, Set, Way},
    spans::{Span, Spans},
    table::Found,
};

/// In the place of a way where there is none.
const NONE: u32 = u32::MAX;

/// Ways, numbered in their order.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Box<[Node]>,
    /// For each node the byte that leads to it, if it is one.
    bytes: Box<[u8]>,
    runs: Box<[Edge]>,
    /// The texts of all nodes, one after the other.
    texts: Box<[u8]>,
    /// What the runs of all edges consist of.
    sets: Box<[[bool; 256]]>,
    leaves: Box<[Leaf]>,
    groups: Box<[Option<(Mark, Mark)>]>,
}

/// A place in the tree: a text, and then the end of the path, one of some bytes, or one of some runs.
#[derive(Clone, Copy, Debug)]
struct Node {
    text: Slice,
    /// The nodes that a byte leads to, in the order of the bytes.
    children: Slice,
    runs: Slice,
    /// The way that ends here.
    end: u32,
    /// The smallest way that ends here or below.
    least: u32,
}

/// Some of the elements of what another vector holds.
#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    start: u32,
    len: u32,
}

impl Slice {
    fn of<T>(self, all: &[T]) -> &[T] {
        &all[self.start as usize..][..self.len as usize]
    }

    fn range(self) -> Range<u32> {
        self.start..self.start + self.len
    }
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

#[derive(Clone, Copy, Debug)]
struct Leaf {
    pattern: u32,
    groups: Slice,
}

/// Where each run ends; the first is the start of the path.
type Ends = [u32; RUNS + 1];

/// An edge that is still to be followed: how many bytes of the path are left there, and how many runs were before.
#[derive(Clone, Copy)]
struct Pending {
    edge: u32,
    left: u32,
    runs: u32,
}

impl Tree {
    /// The first pattern that matches, and its groups, in a path of less than 4 GiB.
    pub(crate) fn find(&self, path: &str) -> Option<Found> {
        let path = path.as_bytes();
        let mut best = NONE;
        let mut best_ends: Ends = [0; RUNS + 1];
        let mut ends = best_ends;
        let mut pending: SmallVec<[Pending; 8]> = SmallVec::new();
        let mut node = &self.nodes[0];
        let mut rest = path;
        let mut runs = 0;
        loop {
            // A loop that is left at once where the path does not go on here.
            while let Some(after) = rest.strip_prefix(node.text.of(&self.texts)) {
                if after.is_empty() && node.end < best {
                    best = node.end;
                    best_ends = ends;
                }
                for edge in node.runs.range() {
                    pending.push(Pending {
                        edge,
                        left: after.len() as u32,
                        runs,
                    });
                }
                let Some((byte, after)) = after.split_first() else {
                    break;
                };
                let bytes = node.children.of(&self.bytes);
                let Some(place) = bytes.iter().position(|first| first == byte) else {
                    break;
                };
                let child = &self.nodes[node.children.start as usize + place];
                if child.least >= best {
                    break;
                }
                (node, rest) = (child, after);
            }
            // What is pending was met on the way here, so the ends of its runs are still there.
            loop {
                let Some(next) = pending.pop() else {
                    return self.found(best, &best_ends, path);
                };
                let edge = &self.runs[next.edge as usize];
                if edge.least >= best {
                    continue;
                }
                let set = &self.sets[edge.set as usize];
                let left = &path[path.len() - next.left as usize..];
                let len = left.iter().position(|byte| !set[*byte as usize]);
                let len = len.unwrap_or(left.len());
                if len > 0 || edge.may_be_empty {
                    (node, rest) = (&self.nodes[edge.node as usize], &left[len..]);
                    runs = next.runs + 1;
                    ends[runs as usize] = (path.len() - rest.len()) as u32;
                    break;
                }
            }
        }
    }

    fn found(&self, way: u32, ends: &Ends, path: &[u8]) -> Option<Found> {
        let leaf = self.leaves.get(way as usize)?;
        let place = |mark: Mark| ends[mark.runs as usize] + mark.bytes;
        let groups = leaf.groups.of(&self.groups).iter();
        let span = |group: &Option<(Mark, Mark)>| match *group {
            Some((start, end)) => Span::new(place(start), place(end)),
            None => Span::ABSENT,
        };
        Some(Found {
            index: leaf.pattern as usize,
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
        let mut groups = Vec::new();
        for (number, &(pattern, way)) in ways.iter().enumerate() {
            growing.add(as_u32(number), way);
            leaves.push(Leaf {
                pattern: as_u32(pattern),
                groups: append(&mut groups, &way.groups),
            });
        }

        // Level by level, so that the children of a node lie side by side.
        let mut order = vec![growing.compressed(0)];
        let mut bytes = vec![None];
        let (mut nodes, mut runs, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        let mut sets: Vec<Set> = Vec::new();
        while let Some(shoot) = order.get(nodes.len()).map(|node| &growing.nodes[*node]) {
            let led_to_by = bytes[nodes.len()];
            let text = &shoot.text[usize::from(led_to_by.is_some())..];
            let mut children: Vec<_> = (shoot.children.iter())
                .map(|child| (Some(growing.nodes[*child].text[0]), *child))
                .collect();
            children.sort_unstable();
            let start = order.len();
            order.extend(children.iter().map(|(_, child)| child));
            bytes.extend(children.iter().map(|(byte, _)| byte));
            let edges: Vec<Edge> = (shoot.runs.iter())
                .map(|&(run, beyond)| {
                    let set = sets
                        .iter()
                        .position(|set| *set == run.set)
                        .unwrap_or_else(|| {
                            sets.push(run.set);
                            sets.len() - 1
                        });
                    order.push(growing.compressed(beyond));
                    bytes.push(None);
                    Edge {
                        set: as_u32(set),
                        may_be_empty: run.may_be_empty,
                        node: as_u32(order.len() - 1),
                        least: growing.nodes[beyond].least,
                    }
                })
                .collect();
            nodes.push(Node {
                text: append(&mut texts, text),
                children: Slice {
                    start: as_u32(start),
                    len: as_u32(children.len()),
                },
                runs: append(&mut runs, &edges),
                end: shoot.end.unwrap_or(NONE),
                least: shoot.least,
            });
        }
        Ok(Self {
            nodes: nodes.into(),
            bytes: bytes.into_iter().map(Option::unwrap_or_default).collect(),
            runs: runs.into(),
            texts: texts.into(),
            sets: (sets.into_iter())
                .map(|set| std::array::from_fn(|byte| set.contains(byte as u8)))
                .collect(),
            leaves: leaves.into(),
            groups: groups.into(),
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

fn append<T: Clone>(all: &mut Vec<T>, some: &[T]) -> Slice {
    let start = as_u32(all.len());
    all.extend_from_slice(some);
    Slice {
        start,
        len: as_u32(some.len()),
    }
}

/// Of something that takes a byte or more.
fn as_u32(number: usize) -> u32 {
    u32::try_from(number).expect("the limit is less than 4 GiB")
}
