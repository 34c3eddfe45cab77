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
//! that a search visits lie together. Equal long literals, classes and lists of groups are stored
//! once.
//!
//! The first pass descends from the root for each alternative, and compares each part with the
//! children or the classes of a node. The second visits each node once. The memory is counted as it
//! grows, so that patterns which are too large are an error before they take it. The exception is
//! an automaton: it is counted after it is made. Then the limit can be exceeded by the size of one
//! automaton, which has the same limit.

use std::marker::PhantomData;

use super::{
    Edge, Leaf, Node, Repeat, Slice, Tree,
    keys::{self, Keys},
    stops::DraftStops,
};
use crate::{
    TableError,
    alternatives::{Alternative, Compiled, Part, Repeated},
    class::{ClassScan, word},
    ids::{AlternativeId, NodeId, PatternIndex, RepeatId, to_u32},
    suffixes::{Suffix, Suffixes},
};

/// The memory, in bytes, for the states that all automata make, for each search that runs at the
/// same time as another.
pub(crate) const CACHE_CAPACITY: usize = 4 << 20;

/// A node of the draft.
#[derive(Clone, Copy, Debug)]
pub(super) struct DraftId(usize);

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
    fn node(&self, id: DraftId) -> &DraftNode {
        &self.nodes[id.0]
    }

    fn node_mut(&mut self, id: DraftId) -> &mut DraftNode {
        &mut self.nodes[id.0]
    }

    /// Adds an alternative. They are added in their order.
    fn add(
        &mut self,
        stops: &mut DraftStops,
        id: AlternativeId,
        alternative: &Alternative,
        suffix: Option<Suffix>,
    ) {
        let rest = stops.add(id, &alternative.parts, suffix.is_some());
        let Some(rest) = rest else {
            return;
        };
        let mut node = stops.rest(&rest, || self.new_node(b"", id));
        node = self.literal(node, rest.literal, id);
        for part in rest.parts {
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

    /// Returns the number of automata: of nodes with more than a few suffixes.
    #[cfg(feature = "regex")]
    fn automata(&self) -> usize {
        let nodes = self.nodes.iter();
        nodes
            .filter(|node| node.suffixes.len() > crate::suffixes::FEW)
            .count()
    }

    #[cfg(not(feature = "regex"))]
    fn automata(&self) -> usize {
        0
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
        let mut draft = Draft { nodes: Vec::new() };
        let mut stops = DraftStops::new();
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
                draft.add(&mut stops, id, alternative, suffix);
                leaves.push(Leaf {
                    pattern,
                    groups: groups.intern(
                        &keys::of_groups(&alternative.groups),
                        alternative.groups.iter().copied(),
                    ),
                });
            }
        }

        let cache_capacity = CACHE_CAPACITY / draft.automata().max(1);
        let mut grown = Grown::default();
        let rests = stops.rests().enumerate();
        let mut left: Vec<_> = rests
            .map(|(index, rest)| (draft.skip_empty(rest), Entry::Rest(index)))
            .collect();
        let mut rests = vec![NodeId::NONE; left.len()];
        while let Some((id, entry)) = left.pop() {
            let node = draft.node(id);
            let here = grown.enter(entry, node);
            if let Entry::Rest(index) = entry {
                rests[index] = here;
            }
            // The last of those that are left is the next node in memory.
            let edges = node.classes.len() + usize::from(!node.suffixes.is_empty());
            let places = grown.edges(here, edges);
            for ((repeated, beyond), place) in node.classes.iter().zip(places.clone()) {
                let repeat = grown.repeat(repeated);
                left.push((draft.skip_empty(*beyond), Entry::Edge(place, repeat)));
            }
            if let Some(last) = places.last().filter(|_| !node.suffixes.is_empty()) {
                let own = Suffixes::new(all, node.suffixes.clone(), limit, cache_capacity)?;
                memory += own.memory();
                grown.set(last, Edge::SUFFIXES | to_u32(grown.suffixes.len()));
                grown.suffixes.push(own);
            }
            let byte = |child: &DraftId| draft.node(*child).literal[0];
            let before = grown.jumps.len();
            let jumps = grown.children(here, node.children.iter().map(byte));
            left.extend(node.children.iter().copied().zip(jumps));
            memory += size_of_val(&grown.jumps[before..]);
            if memory > limit {
                return Err(TableError::too_large(limit));
            }
        }
        let stops = stops.finish(rests.into_iter());
        if memory + stops.memory() > limit {
            return Err(TableError::too_large(limit));
        }
        Ok(Self {
            stops,
            nodes: grown.nodes.into(),
            words: grown.words.all.into(),
            jumps: grown.jumps.into(),
            edges: grown.edges.into(),
            repeats: grown.repeats.into(),
            suffixes: grown.suffixes.into(),
            leaves: leaves.into(),
            groups: groups.all.into(),
        })
    }
}

/// The way in which a node is entered.
#[derive(Clone, Copy)]
enum Entry {
    /// It is the first one of the rests at a stop, by their index.
    Rest(usize),
    /// It is the only child of a node.
    Child(NodeId),
    /// It is one of several children: the index of an entry of the jump tables.
    Jump(usize),
    /// It is beyond an edge, after a class.
    Edge(Place, RepeatId),
}

/// Where an edge is stored.
#[derive(Clone, Copy)]
enum Place {
    /// In its node, as the only one.
    Node(NodeId),
    /// In the list of edges.
    List(usize),
}

/// The lists of a tree.
#[derive(Default)]
struct Grown {
    nodes: Vec<Node>,
    words: Interned<u64>,
    jumps: Vec<NodeId>,
    edges: Vec<Edge>,
    repeats: Vec<Repeat>,
    repeat_ids: Keys,
    suffixes: Vec<Suffixes>,
}

impl Grown {
    /// Adds a node, and leads to it from where it is entered.
    fn enter(&mut self, entry: Entry, node: &DraftNode) -> NodeId {
        let here = NodeId::new(self.nodes.len());
        let mut repeat = RepeatId::NONE;
        match entry {
            Entry::Rest(_) => {}
            Entry::Child(parent) => self.nodes[parent.index()].children = to_u32(here.index()),
            Entry::Jump(jump) => self.jumps[jump] = here,
            Entry::Edge(place, own) => {
                repeat = own;
                self.set(place, to_u32(here.index()));
            }
        }
        let literal = &node.literal[..];
        let words = (0..literal.len()).step_by(8).map(|at| word(literal, at));
        self.nodes.push(Node {
            literal: match literal.len() {
                ..=8 => word(literal, 0),
                _ => u64::from(self.words.intern(literal, words).start),
            },
            len: literal.len() as u16,
            first_byte: 0,
            byte_count: 0,
            children: 0,
            edges: Edge::NONE,
            repeat,
            end: node.end.unwrap_or(AlternativeId::NONE),
            least: node.least,
        });
        here
    }

    /// Makes room for the edges of a node.
    fn edges(&mut self, node: NodeId, count: usize) -> impl Iterator<Item = Place> + Clone + use<> {
        let start = self.edges.len();
        if count > 1 {
            self.nodes[node.index()].edges = Edge(Edge::SEVERAL | to_u32(start));
            self.edges.resize(start + count - 1, Edge(0));
            self.edges.push(Edge(Edge::LAST));
        }
        (0..count).map(move |position| match count {
            1 => Place::Node(node),
            _ => Place::List(start + position),
        })
    }

    fn set(&mut self, place: Place, edge: u32) {
        match place {
            Place::Node(node) => self.nodes[node.index()].edges = Edge(edge),
            Place::List(index) => self.edges[index].0 |= edge,
        }
    }

    fn repeat(&mut self, repeated: &Repeated) -> RepeatId {
        let key = keys::of_repeated(repeated);
        if let Some(index) = self.repeat_ids.get(&key) {
            return RepeatId::new(index);
        }
        let index = self.repeats.len();
        self.repeats.push(Repeat {
            class: ClassScan::new(&repeated.class),
            min: repeated.min,
            max: repeated.max,
        });
        self.repeat_ids.insert(&key, index);
        RepeatId::new(index)
    }

    /// Makes room for the children of a node, which begin with these bytes.
    fn children(&mut self, node: NodeId, bytes: impl Iterator<Item = u8> + Clone) -> Vec<Entry> {
        let Some((first, last)) = bytes.clone().min().zip(bytes.clone().max()) else {
            return Vec::new();
        };
        let own = &mut self.nodes[node.index()];
        // UTF-8 has fewer than 255 different bytes.
        (own.first_byte, own.byte_count) = (first, last - first + 1);
        if first == last {
            return vec![Entry::Child(node)];
        }
        let start = self.jumps.len();
        own.children = Node::SEVERAL | to_u32(start);
        self.jumps
            .resize(start + usize::from(last - first) + 1, NodeId::NONE);
        let entry = |byte| Entry::Jump(start + usize::from(byte - first));
        bytes.map(entry).collect()
    }
}

/// Lists one after the other, each once.
struct Interned<T> {
    all: Vec<T>,
    starts: Keys,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            starts: Keys::default(),
        }
    }
}

impl<T> Interned<T> {
    /// Returns the list. Equal lists have equal keys.
    fn intern(&mut self, key: &[u8], list: impl ExactSizeIterator<Item = T>) -> Slice<T> {
        let len = to_u32(list.len());
        let start = self.starts.get(key).unwrap_or_else(|| {
            let start = self.all.len();
            self.starts.insert(key, start);
            self.all.extend(list);
            start
        });
        Slice {
            start: to_u32(start),
            len,
            entries: PhantomData,
        }
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
