//! Growing a tree: ways are added one by one, and then it is laid out for searching.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, DefaultHasher, Hash},
};

use regex_syntax::hir::ClassUnicode;

use super::{Beyond, Edge, Leaf, NONE, Node, Slice, Tree};
use crate::{
    Pattern, TableError,
    lower::{Part, Run, Way},
    rests::{FEW, Rest, Rests},
    scan::Scan,
};

/// The memory, in bytes, for the states that all automata make, for each search that runs at the same time as
/// another.
pub(crate) const CACHE_CAPACITY: usize = 4 << 20;

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
    // The keys are not random, so that the tree has the same layout in memory each time, and
    // instructions can be counted. The lists are the program's own, not a client's.
    places: HashMap<Box<[T]>, Slice, BuildHasherDefault<DefaultHasher>>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            places: HashMap::default(),
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
