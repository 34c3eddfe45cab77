//! A radix tree of the alternatives of all patterns, in which a smaller number wins.
//!
//! # Idea
//!
//! Most routers compile their routes into a tree and let the most specific one win. Here order has
//! to win, as in the loop "for each pattern: does it match?". So alternatives are numbered in their
//! order (the number is an [`AlternativeId`]), and every node knows the smallest number at or below
//! it. A search visits all nodes that the path leads to, except those that cannot improve on the
//! best number found so far, which is the smallest.
//!
//! In front of the tree are [stops](stops): whole segments, which a search goes through first,
//! since most patterns begin with them. The tree has the rest of each pattern.
//!
//! A node has a literal. After it the path can continue in two ways:
//!
//! - to a *child*, whose literal begins with the next byte
//! - over an *edge*, which is a class with a node after it, or all the suffixes that begin there
//!
//! A search takes one of them at once. The others are *pending*: they are on a stack, and are
//! followed when the search can get no further.
//!
//! # Example
//!
//! Three patterns have four [alternatives](crate::alternatives):
//!
//! ```text
//! pattern                  number  alternative
//! 0: /users/{id}           0       "/users/" [^/]+
//! 1: /users/me[/keys]      1       "/users/me/keys"
//!                          2       "/users/me"
//! 2: /{a:path}/edit        3       "/" and the suffix (.+)/edit
//! ```
//!
//! Without stops, the tree is this, with the number that ends at a node in parentheses. Literals
//! below another are children, the class and the suffixes are edges:
//!
//! ```text
//! "/" ─┬─ "users/" ─┬─ "me" (2) ── "/keys" (1)
//!      │            └─ [^/]+ (0)
//!      └─ suffixes: 3
//! ```
//!
//! A search for `/users/me`:
//!
//! 1. `/` matches the first literal. The next byte, `u`, leads to the child `users/`. Its least
//!    number is 0, so the search goes there. The edge to the suffixes becomes pending.
//! 2. `users/` matches. The byte `m` leads to `me`, and the edge of `[^/]+` becomes pending.
//! 3. `me` matches, and the path ends. The best number is 2. The edge to the suffixes can only give
//!    3, so it is dropped.
//! 4. The last pending edge can give 0. `[^/]+` takes `me`, the path ends, and the best number is
//!    0. Nothing is pending. The result is pattern 0, with the group from byte 7 to 9.
//!
//! # Invariants
//!
//! - The children of a node begin with different bytes, so a byte leads to one child at most.
//! - A class is never followed by a character that is in it (see
//!   [alternatives](crate::alternatives)). So a class takes all characters that it can, and a
//!   search never has to try fewer.
//! - A node has one parent. So a search visits it once at most, and always with the same part of
//!   the path left.
//! - `least` of a node or an edge is the smallest number at or beyond it. So it can be skipped if
//!   that is not less than the best number.
//! - The order in which children and edges are followed does not change the result, since only a
//!   smaller number replaces the best one.
//! - Pending edges belong to nodes between the first and the current one, and the last one belongs
//!   to the deepest of them. So the ends of the classes before a pending edge are still in `ends`
//!   when its turn comes: only entries of deeper classes have been overwritten.
//!
//! # Why it ends, and its cost
//!
//! A search visits each node at most once. At a node it compares a literal, looks up one byte and
//! scans a class for each edge. So it takes time in proportion to the length of the path, times the
//! number of edges that the path leads to. That number is one or two in ordinary tables, however
//! many patterns there are. The suffixes at a node are one search in an automaton if there are many
//! ([suffixes](crate::suffixes)), and that is linear too.
//!
//! A tree takes memory in proportion to the text of its patterns, except for the jump tables. These
//! have an entry of 4 bytes for each byte between the first and the last that a child begins with.
//!
//! A node has 32 bytes, and most nodes have everything that a search needs there: up to eight bytes
//! of the literal, which are compared with those of the path as one number, the only child, the
//! only edge. The first child or edge is the next node in memory. So a search of ten nodes in a
//! table of ten thousand routes reads about as many lines of the cache (`dispatch/10000-routes`).

pub(crate) mod grow;
mod keys;
mod stops;

use std::marker::PhantomData;

use smallvec::SmallVec;

use crate::{
    alternatives::{MAX_CLASSES, Offset},
    class::{ClassScan, word},
    ids::{AlternativeId, NodeId, PatternIndex, RepeatId, StopId, SuffixesId},
    matchers::SuffixMatchers,
    spans::{Span, Spans},
    suffixes::{FoundSuffix, Suffixes},
    table::Match,
};
use stops::{Segment, Stop, Stops};

#[derive(Debug)]
pub(crate) struct Tree {
    stops: Stops,
    nodes: Box<[Node]>,
    /// The words of all literals that have more than one.
    words: Box<[u64]>,
    /// The jump tables of all nodes with several children. The one of a node has an entry for each
    /// byte from the smallest to the largest that a child begins with. It is [`NodeId::NONE`] if
    /// there is no such child.
    jumps: Box<[NodeId]>,
    /// The edges of all nodes that have several.
    edges: Box<[Edge]>,
    repeats: Box<[Repeat]>,
    suffixes: Box<[Suffixes]>,
    /// For each alternative, by its [`AlternativeId`].
    leaves: Box<[Leaf]>,
    /// The lists of groups of all leaves. Equal lists are the same entries.
    groups: Box<[Group]>,
}

/// The offsets of a group; `None` for one that takes no part, or that is in the suffix.
type Group = Option<(Offset, Offset)>;

/// Some consecutive entries of a list.
#[derive(Debug)]
struct Slice<T> {
    start: u32,
    len: u32,
    entries: PhantomData<fn() -> T>,
}

impl<T> Clone for Slice<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slice<T> {}

impl<T> Slice<T> {
    // `dispatch/github-templates`
    #[inline]
    fn of(self, all: &[T]) -> &[T] {
        &all[self.start as usize..][..self.len as usize]
    }
}

/// A literal, and then the end of the path, a child, or an edge.
#[derive(Debug)]
struct Node {
    /// The literal of up to eight bytes, the first one lowest, and zeros. A longer one is in
    /// `words`, and this is the index of its first word there.
    literal: u64,
    /// The number of bytes of the literal. Those of a pattern have 4,096 at most.
    len: u16,
    /// The smallest byte that a child begins with.
    first_byte: u8,
    /// The number of bytes from that one to the largest, which is the length of a jump table.
    byte_count: u8,
    /// The only child, or the first entry of the jump table.
    children: u32,
    /// The only edge, or the first one of several.
    edges: Edge,
    /// The class before the literal, if an edge leads here.
    repeat: RepeatId,
    /// The alternative that ends here, without a suffix; `NONE` if there is none. Alternatives
    /// with a suffix are beyond an edge.
    end: AlternativeId,
    /// The smallest alternative that ends here or below.
    least: AlternativeId,
}

impl Node {
    /// For `children`: they are several.
    const SEVERAL: u32 = 1 << 31;
}

/// A continuation of a node, besides its children: a node with a class before its literal, or all
/// suffixes that begin there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edge(u32);

enum Target {
    Class(NodeId),
    Suffixes(SuffixesId),
}

impl Edge {
    const NONE: Self = Self(u32::MAX);
    /// It is the index of the first of several edges.
    const SEVERAL: u32 = 1 << 31;
    /// It is the index of suffixes, and not of a node.
    const SUFFIXES: u32 = 1 << 30;
    /// It is the last of several edges.
    const LAST: u32 = 1 << 29;
    const INDEX: u32 = Self::LAST - 1;

    fn index(self) -> usize {
        (self.0 & Self::INDEX) as usize
    }

    fn target(self) -> Target {
        match self.0 & Self::SUFFIXES {
            0 => Target::Class(NodeId::new(self.index())),
            _ => Target::Suffixes(SuffixesId::new(self.index())),
        }
    }
}

/// A class, repeated.
#[derive(Debug)]
struct Repeat {
    class: ClassScan,
    min: u32,
    max: Option<u32>,
}

/// The end of an alternative.
#[derive(Debug)]
struct Leaf {
    pattern: PatternIndex,
    groups: Slice<Group>,
}

/// The end of each class, in bytes of the path. The first entry is the start of the path.
type Ends = [u32; MAX_CLASSES + 1];

/// A continuation that is still to be followed.
#[derive(Clone, Copy)]
struct Pending {
    next: Next,
    /// The offset in the path.
    at: u32,
    /// The number of classes before it.
    classes: u32,
}

#[derive(Clone, Copy)]
enum Next {
    /// A parameter that is the segment which ends at the offset, and this stop after it.
    Stop(StopId),
    Node(NodeId),
    Edge(Edge),
}

/// A search in a path.
struct Search<'a> {
    path: &'a [u8],
    /// The smallest alternative that was found.
    best: AlternativeId,
    ends: Ends,
    /// The ends of the best one's classes, if others have been written over them.
    best_ends: Option<Ends>,
    /// The last suffix that was found. It is not the best if its alternative is not.
    suffix: Option<FoundSuffix>,
    pending: SmallVec<[Pending; 8]>,
}

impl Search<'_> {
    // These three: `dispatch/github-templates`
    #[inline]
    fn found(&mut self, alternative: AlternativeId) {
        self.best = alternative;
        self.best_ends = None;
    }

    #[inline]
    fn pend(&mut self, next: Next, at: usize, classes: u32) {
        let at = at as u32;
        self.pending.push(Pending { next, at, classes });
    }

    /// Notes the end of a class, which is the last one before a stop or a node.
    #[inline]
    fn end(&mut self, classes: u32, end: usize) {
        if self.best != AlternativeId::NONE && self.best_ends.is_none() {
            self.best_ends = Some(self.ends);
        }
        self.ends[classes as usize] = end as u32;
    }
}

impl Tree {
    /// Returns the first pattern that matches, and its groups, in a path of less than 4 GiB.
    pub(crate) fn find(&self, matchers: &SuffixMatchers, path: &str) -> Option<Match> {
        let mut search = Search {
            path: path.as_bytes(),
            best: AlternativeId::NONE,
            ends: [0; MAX_CLASSES + 1],
            best_ends: None,
            suffix: None,
            pending: SmallVec::new(),
        };
        self.stop(&mut search, self.stops.first(), 0, 0);
        while let Some(Pending { next, at, classes }) = search.pending.pop() {
            let at = at as usize;
            match next {
                Next::Stop(id) => {
                    if let Some(stop) = self.stops.before(id, search.best) {
                        search.end(classes, at);
                        self.stop(&mut search, stop, at, classes);
                    }
                }
                Next::Node(id) => {
                    let node = &self.nodes[id.index()];
                    if node.least < search.best {
                        self.node(&mut search, node, at, classes);
                    }
                }
                Next::Edge(edge) => self.edge(&mut search, matchers, path, edge, at, classes),
            }
        }
        let ends = search.best_ends.as_ref().unwrap_or(&search.ends);
        match search.suffix {
            Some(suffix) if suffix.alternative == search.best => {
                self.found_with_suffix(ends, suffix)
            }
            _ => self.found(search.best, ends, path),
        }
    }

    /// Goes from stop to stop, as far as a literal segment or a parameter leads.
    // `dispatch/github-templates`
    #[inline]
    fn stop<'a>(
        &'a self,
        search: &mut Search<'_>,
        mut stop: &'a Stop,
        mut at: usize,
        mut classes: u32,
    ) {
        let path = search.path;
        loop {
            if stop.rest != NodeId::NONE {
                search.pend(Next::Node(stop.rest), at, classes);
            }
            if path.get(at) != Some(&b'/') {
                break;
            }
            let segment = Segment::new(path, at + 1);
            at = segment.end;
            let literal = self.stops.literal(stop, path, segment);
            let parameter = match segment.is_empty() {
                true => None,
                false => self.stops.parameter(stop),
            };
            if let Some(next) = literal.filter(|next| next.least < search.best) {
                if let Some(parameter) = parameter {
                    search.pend(Next::Stop(parameter), at, classes + 1);
                }
                stop = next;
            } else if let Some(next) =
                parameter.and_then(|next| self.stops.before(next, search.best))
            {
                stop = next;
                classes += 1;
                search.end(classes, at);
            } else {
                return;
            }
        }
        if at == path.len() && stop.end < search.best {
            search.found(stop.end);
        }
    }

    /// Goes from node to node, as far as literals lead.
    fn node<'a>(
        &'a self,
        search: &mut Search<'_>,
        mut node: &'a Node,
        mut at: usize,
        classes: u32,
    ) {
        let path = search.path;
        while self.has_literal(node, path, at) {
            at += usize::from(node.len);
            if at == path.len() && node.end < search.best {
                search.found(node.end);
            }
            if node.edges != Edge::NONE {
                // In reverse, so that they are followed in their order: suffixes last.
                for &edge in self.edges(node).iter().rev() {
                    search.pend(Next::Edge(edge), at, classes);
                }
            }
            match self.child(node, path, at) {
                Some(child) if child.least < search.best => node = child,
                _ => return,
            }
        }
    }

    fn edge(
        &self,
        search: &mut Search<'_>,
        matchers: &SuffixMatchers,
        path: &str,
        edge: Edge,
        at: usize,
        classes: u32,
    ) {
        match edge.target() {
            Target::Class(next) => {
                let next = &self.nodes[next.index()];
                let repeat = &self.repeats[next.repeat.index()];
                if next.least >= search.best {
                    return;
                }
                let end = repeat.class.scan(search.path, at);
                if is_within(&search.path[at..end], repeat.min, repeat.max) {
                    search.end(classes + 1, end);
                    self.node(search, next, end, classes + 1);
                }
            }
            Target::Suffixes(suffixes) => {
                let suffixes = &self.suffixes[suffixes.index()];
                if suffixes.least() < search.best
                    && let Some(found) = suffixes.find(matchers, path, at, search.best)
                {
                    search.found(found.alternative);
                    search.suffix = Some(found);
                }
            }
        }
    }

    /// Returns whether the path has a node's literal at an offset.
    // By words, since literals are short (`dispatch/github-templates`).
    #[inline]
    fn has_literal(&self, node: &Node, path: &[u8], at: usize) -> bool {
        let len = usize::from(node.len);
        if len > 8 {
            return self.has_long_literal(node, path, at);
        }
        let differs = word(path, at) ^ node.literal;
        len == 0 || len <= path.len() - at && is_zero(differs, len)
    }

    fn has_long_literal(&self, node: &Node, path: &[u8], at: usize) -> bool {
        let len = usize::from(node.len);
        let words = &self.words[node.literal as usize..][..len.div_ceil(8)];
        let mut words = words.iter().enumerate();
        len <= path.len() - at
            && words.all(|(index, own)| {
                let start = 8 * index;
                is_zero(word(path, at + start) ^ own, (len - start).min(8))
            })
    }

    /// Returns the node that the next byte leads to.
    // `dispatch/github-templates`
    #[inline]
    fn child(&self, node: &Node, path: &[u8], at: usize) -> Option<&Node> {
        let position = path.get(at)?.wrapping_sub(node.first_byte);
        if position >= node.byte_count {
            return None;
        }
        let children = (node.children & !Node::SEVERAL) as usize;
        let child = match node.children & Node::SEVERAL {
            0 => children,
            _ => self.jumps[children + usize::from(position)].index(),
        };
        self.nodes.get(child)
    }

    /// Returns the edges of a node that has some.
    fn edges<'a>(&'a self, node: &'a Node) -> &'a [Edge] {
        if node.edges.0 & Edge::SEVERAL == 0 {
            return std::slice::from_ref(&node.edges);
        }
        let edges = &self.edges[node.edges.index()..];
        let last = edges.iter().position(|edge| edge.0 & Edge::LAST != 0);
        &edges[..last.map_or(0, |last| last + 1)]
    }

    // `dispatch/github-templates`
    #[inline]
    fn found(&self, alternative: AlternativeId, ends: &Ends, path: &str) -> Option<Match> {
        let leaf = self.leaves.get(alternative.index())?;
        let groups = leaf.groups.of(&self.groups).iter();
        let groups = groups.map(|group| span(*group, ends));
        Some(Match {
            pattern: leaf.pattern,
            whole: Span::new(0, path.len() as u32),
            groups: Spans::new(groups),
        })
    }

    /// The same for a pattern with a suffix. Each group is before the suffix or in it.
    fn found_with_suffix(&self, ends: &Ends, suffix: FoundSuffix) -> Option<Match> {
        let leaf = self.leaves.get(suffix.alternative.index())?;
        let groups = leaf.groups.of(&self.groups).iter().enumerate();
        let groups = groups.map(|(position, group)| match group {
            Some(_) => span(*group, ends),
            None => suffix.groups.span(position),
        });
        Some(Match {
            pattern: leaf.pattern,
            whole: suffix.whole,
            groups: Spans::new(groups),
        })
    }
}

/// Returns whether the number of characters is within these bounds.
fn is_within(text: &[u8], min: u32, max: Option<u32>) -> bool {
    if min <= 1 && max.is_none() {
        return text.len() >= min as usize;
    }
    let is_first = |byte: &&u8| **byte & 0xC0 != 0x80;
    let count = text.iter().filter(is_first).count();
    count >= min as usize && max.is_none_or(|max| count <= max as usize)
}

fn span(group: Group, ends: &Ends) -> Span {
    let position = |offset: Offset| ends[offset.classes as usize] + offset.bytes;
    match group {
        Some((start, end)) => Span::new(position(start), position(end)),
        None => Span::ABSENT,
    }
}

/// Returns whether the lowest bytes of a word, from one to eight of them, are zero.
// A shift by 64 bits less eight for each byte (`dispatch/github-templates`).
#[inline]
fn is_zero(word: u64, bytes: usize) -> bool {
    word.wrapping_shl((bytes as u32 * 8).wrapping_neg()) == 0
}
