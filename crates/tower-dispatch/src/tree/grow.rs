//! The construction of a tree, in two passes.
//!
//! First the alternatives are added one by one to a draft, in their order. So the first alternative
//! that is added at or below a node is the smallest there. A literal that shares its beginning with
//! another one splits that one's node:
//!
//! ```text
//! "/users/"              "/users" ─┬─ "/" …
//!                                  └─ "-online"
//! before                 after "/users-online" was added
//! ```
//!
//! Then the draft is laid out in a few flat lists, parents before their children, so that the nodes
//! that a search visits lie together. A literal loses its first byte there, because the jump table
//! has compared it already. Equal literals, classes and lists of groups are stored once.
//!
//! The first pass descends from the root for each alternative, and compares each part with the
//! children or the classes of a node. The second visits each node once. The memory is counted as it
//! grows, so that patterns which are too large are an error before they take it. The exception is
//! an automaton: it is counted after it is made. Then the limit can be exceeded by the size of one
//! automaton, which has the same limit.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, DefaultHasher, Hash},
    marker::PhantomData,
};

use regex_syntax::hir::ClassUnicode;

use super::{Edge, Leaf, Node, Slice, Target, Tree};
use crate::{
    TableError,
    alternatives::{Alternative, Compiled, Part, Repeated},
    class::ClassScan,
    ids::{AlternativeId, ClassId, EdgeId, JumpId, NodeId, PatternIndex, SuffixesId, to_u32},
    suffixes::{FEW, Suffix, Suffixes},
};

/// The memory, in bytes, for the states that all automata make, for each search that runs at the
/// same time as another.
pub(crate) const CACHE_CAPACITY: usize = 4 << 20;

/// A node of the draft.
#[derive(Clone, Copy, Debug)]
struct DraftId(usize);

/// A tree to which alternatives are added.
#[derive(Debug)]
struct Draft {
    nodes: Vec<DraftNode>,
}

#[derive(Debug)]
struct DraftNode {
    literal: Vec<u8>,
    /// No two of them begin with the same byte.
    children: Vec<DraftId>,
    classes: Vec<(Repeated, DraftId)>,
    suffixes: Vec<Suffix>,
    end: Option<AlternativeId>,
    /// The first alternative that was added here or below, so the smallest.
    least: AlternativeId,
}

impl Draft {
    const ROOT: DraftId = DraftId(0);

    fn new() -> Self {
        let mut draft = Self { nodes: Vec::new() };
        draft.new_node(b"", AlternativeId::new(0));
        draft
    }

    fn node(&self, id: DraftId) -> &DraftNode {
        &self.nodes[id.0]
    }

    fn node_mut(&mut self, id: DraftId) -> &mut DraftNode {
        &mut self.nodes[id.0]
    }

    /// Adds an alternative. They are added in their order.
    fn add(&mut self, id: AlternativeId, alternative: &Alternative, suffix: Option<Suffix>) {
        let mut node = Self::ROOT;
        for part in &alternative.parts {
            node = match part {
                Part::Literal(literal) => self.literal(node, literal, id),
                Part::Class(repeated) => self.class(node, repeated, id),
            };
        }
        let node = self.node_mut(node);
        match suffix {
            Some(suffix) => node.suffixes.push(suffix),
            // Of two equal alternatives the later one never matches.
            None => {
                node.end.get_or_insert(id);
            }
        }
    }

    /// Returns the node that a literal leads to. Splits the node of a literal that begins with the
    /// same bytes.
    fn literal(&mut self, mut node: DraftId, mut literal: &[u8], id: AlternativeId) -> DraftId {
        while let Some(first) = literal.first() {
            let children = &self.node(node).children;
            let child = children
                .iter()
                .position(|child| self.node(*child).literal[0] == *first);
            let Some(position) = child else {
                let child = self.new_node(literal, id);
                self.node_mut(node).children.push(child);
                return child;
            };
            let mut child = children[position];
            let both = self.node(child).literal.iter().zip(literal);
            let common = both.take_while(|(one, other)| one == other).count();
            if common < self.node(child).literal.len() {
                let below = child;
                child = self.new_node(&literal[..common], self.node(below).least);
                self.node_mut(child).children.push(below);
                self.node_mut(below).literal.drain(..common);
                self.node_mut(node).children[position] = child;
            }
            (node, literal) = (child, &literal[common..]);
        }
        node
    }

    /// Returns the node that a class leads to.
    fn class(&mut self, node: DraftId, repeated: &Repeated, id: AlternativeId) -> DraftId {
        let mut classes = self.node(node).classes.iter();
        if let Some((_, beyond)) = classes.find(|(other, _)| other == repeated) {
            return *beyond;
        }
        let beyond = self.new_node(b"", id);
        let classes = &mut self.node_mut(node).classes;
        classes.push((repeated.clone(), beyond));
        beyond
    }

    fn new_node(&mut self, literal: &[u8], least: AlternativeId) -> DraftId {
        self.nodes.push(DraftNode {
            literal: literal.to_vec(),
            children: Vec::new(),
            classes: Vec::new(),
            suffixes: Vec::new(),
            end: None,
            least,
        });
        DraftId(self.nodes.len() - 1)
    }

    /// Returns the node itself, or its child if the node only leads there.
    fn skip_empty(&self, id: DraftId) -> DraftId {
        let node = self.node(id);
        let does_nothing = node.literal.is_empty()
            && node.end.is_none()
            && node.classes.is_empty()
            && node.suffixes.is_empty();
        match node.children[..] {
            [only] if does_nothing => only,
            _ => id,
        }
    }
}

impl Tree {
    /// Makes a tree of some of the patterns. Their alternatives are numbered in the order of these
    /// indexes.
    ///
    /// # Errors
    ///
    /// A [`TableError`] if they take more bytes than the limit, which is less than 4 GiB.
    pub(crate) fn new(
        all: &[Compiled],
        patterns: &[PatternIndex],
        limit: usize,
    ) -> Result<Self, TableError> {
        let mut draft = Draft::new();
        let (mut leaves, mut groups) = (Vec::new(), Interned::default());
        let mut memory = 0;
        for &pattern in patterns {
            let compiled = &all[pattern.index()];
            for alternative in &compiled.alternatives {
                memory += memory_of(alternative);
                if memory > limit {
                    return Err(TableError::too_large(limit));
                }
                let id = AlternativeId::new(leaves.len());
                let suffix = compiled.suffix.as_ref().map(|_| Suffix {
                    alternative: id,
                    pattern,
                });
                draft.add(id, alternative, suffix);
                leaves.push(Leaf {
                    pattern,
                    groups: groups.intern(&alternative.groups),
                });
            }
        }

        let is_automaton = |node: &&DraftNode| node.suffixes.len() > FEW;
        let automata = draft.nodes.iter().filter(is_automaton).count();
        let cache_capacity = CACHE_CAPACITY / automata.max(1);

        let mut left = vec![(draft.skip_empty(Draft::ROOT), Entry::Root)];
        let (mut nodes, mut jumps, mut edges) = (Vec::new(), Vec::new(), Vec::<Edge>::new());
        let (mut classes, mut suffixes): (Vec<ClassUnicode>, Vec<Suffixes>) = Default::default();
        let mut literals = Interned::default();
        while let Some((id, entry)) = left.pop() {
            let here = NodeId::new(nodes.len());
            match entry {
                Entry::Root => {}
                Entry::Jump(jump) => jumps[jump.index()] = here,
                Entry::Edge(edge) => {
                    if let Target::Class { node, .. } = &mut edges[edge.index()].target {
                        *node = here;
                    }
                }
            }
            let node = draft.node(id);
            let byte = |child: &DraftId| draft.node(*child).literal[0];
            let first_byte = node.children.iter().map(byte).min().unwrap_or(0);
            let last_byte = node.children.iter().map(byte).max();
            let jump_count = last_byte.map_or(0, |last| u16::from(last - first_byte) + 1);
            memory += usize::from(jump_count) * size_of::<NodeId>();
            let (own_jumps, own_edges) = (jumps.len(), EdgeId::new(edges.len()));
            jumps.resize(own_jumps + usize::from(jump_count), NodeId::NONE);
            for &child in &node.children {
                let position = usize::from(byte(&child) - first_byte);
                left.push((child, Entry::Jump(JumpId::new(own_jumps + position))));
            }
            for &(ref repeated, beyond) in &node.classes {
                let class = classes.iter().position(|class| *class == repeated.class);
                let class = class.unwrap_or_else(|| {
                    classes.push(repeated.class.clone());
                    classes.len() - 1
                });
                let edge = EdgeId::new(edges.len());
                left.push((draft.skip_empty(beyond), Entry::Edge(edge)));
                edges.push(Edge {
                    least: draft.node(beyond).least,
                    target: Target::Class {
                        class: ClassId::new(class),
                        min: repeated.min,
                        max: repeated.max,
                        node: NodeId::NONE,
                    },
                });
            }
            if let Some(first) = node.suffixes.first() {
                let own = Suffixes::new(all, node.suffixes.clone(), limit, cache_capacity)?;
                memory += own.memory();
                edges.push(Edge {
                    least: first.alternative,
                    target: Target::Suffixes(SuffixesId::new(suffixes.len())),
                });
                suffixes.push(own);
            }
            if memory > limit {
                return Err(TableError::too_large(limit));
            }
            // A jump has compared the first byte already.
            let compared = usize::from(matches!(entry, Entry::Jump(_)));
            nodes.push(Node {
                literal: literals.intern(&node.literal[compared..]),
                jumps: JumpId::new(own_jumps),
                first_byte,
                jump_count,
                edges: own_edges,
                edges_end: EdgeId::new(edges.len()),
                end: node.end.unwrap_or(AlternativeId::NONE),
                least: node.least,
            });
        }
        Ok(Self {
            nodes: nodes.into(),
            literals: literals.all.into(),
            jumps: jumps.into(),
            edges: edges.into(),
            classes: classes.iter().map(ClassScan::new).collect(),
            suffixes: suffixes.into(),
            leaves: leaves.into(),
            groups: groups.all.into(),
        })
    }
}

/// The way in which a node is entered.
#[derive(Clone, Copy)]
enum Entry {
    Root,
    Jump(JumpId),
    Edge(EdgeId),
}

/// Lists one after the other, each once.
struct Interned<T> {
    all: Vec<T>,
    // The keys are not random, so that the tree has the same layout in memory each time, and
    // instructions can be counted. The lists are the program's own, not a client's.
    slices: HashMap<Box<[T]>, Slice<T>, BuildHasherDefault<DefaultHasher>>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            slices: HashMap::default(),
        }
    }
}

impl<T: Copy + Eq + Hash> Interned<T> {
    fn intern(&mut self, list: &[T]) -> Slice<T> {
        if let Some(slice) = self.slices.get(list) {
            return *slice;
        }
        let slice = Slice {
            start: to_u32(self.all.len()),
            len: to_u32(list.len()),
            entries: PhantomData,
        };
        self.all.extend_from_slice(list);
        self.slices.insert(list.into(), slice);
        slice
    }
}

/// Returns the most bytes that an alternative takes in a tree, without jump tables.
fn memory_of(alternative: &Alternative) -> usize {
    let parts = alternative.parts.iter().map(|part| match part {
        Part::Literal(literal) => literal.len(),
        Part::Class(_) => size_of::<Edge>(),
    });
    // A literal makes two nodes if it splits another one.
    parts.sum::<usize>()
        + alternative.parts.len() * 2 * size_of::<Node>()
        + size_of::<Leaf>()
        + size_of_val(&alternative.groups[..])
}
