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
//! The tree, with the number that ends at a node in parentheses. Literals below another are
//! children, the class and the suffixes are edges:
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
//! - Pending edges belong to nodes between the root and the current node, and the last one belongs
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

pub(crate) mod grow;

use std::marker::PhantomData;

use smallvec::SmallVec;

use crate::{
    alternatives::{MAX_CLASSES, Offset},
    class::ClassScan,
    ids::{AlternativeId, ClassId, EdgeId, JumpId, NodeId, PatternIndex, SuffixesId},
    regexes::SuffixRegexes,
    spans::{Span, Spans},
    suffixes::{FoundSuffix, Suffixes},
    table::Match,
};

#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Box<[Node]>,
    /// The bytes of all literals. Equal literals are the same bytes.
    literals: Box<[u8]>,
    /// The jump tables of all nodes. The one of a node has an entry for each byte from the
    /// smallest to the largest that a child begins with. It is [`NodeId::NONE`] if there is no
    /// such child.
    jumps: Box<[NodeId]>,
    edges: Box<[Edge]>,
    classes: Box<[ClassScan]>,
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
    #[inline]
    fn of(self, all: &[T]) -> &[T] {
        &all[self.start as usize..][..self.len as usize]
    }
}

/// A literal, and then the end of the path, a child, or an edge.
#[derive(Debug)]
struct Node {
    /// The literal, without its first byte if a jump table leads here, since that has compared it.
    literal: Slice<u8>,
    /// The first entry of its jump table.
    jumps: JumpId,
    /// The byte that the first entry is for.
    first_byte: u8,
    /// The number of entries of its jump table.
    jump_count: u16,
    /// Its first edge.
    edges: EdgeId,
    /// The first edge that is not its own.
    edges_end: EdgeId,
    /// The alternative that ends here, without a suffix; `NONE` if there is none. Alternatives
    /// with a suffix are beyond an edge.
    end: AlternativeId,
    /// The smallest alternative that ends here or below.
    least: AlternativeId,
}

/// A continuation of a node, besides its children.
#[derive(Debug)]
struct Edge {
    /// The smallest alternative beyond.
    least: AlternativeId,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// A node, after as many characters of a class as there are.
    Class {
        class: ClassId,
        min: u32,
        max: Option<u32>,
        node: NodeId,
    },
    /// Regexes, for patterns that are not alternatives as a whole.
    Suffixes(SuffixesId),
}

/// The end of an alternative.
#[derive(Debug)]
struct Leaf {
    pattern: PatternIndex,
    groups: Slice<Group>,
}

/// The end of each class, in bytes of the path. The first entry is the start of the path.
type Ends = [u32; MAX_CLASSES + 1];

/// An edge that is still to be followed.
#[derive(Clone, Copy)]
struct Pending {
    edge: EdgeId,
    /// The number of bytes of the path that are left there.
    left: u32,
    /// The number of classes before it.
    classes: u32,
}

impl Tree {
    /// Returns the first pattern that matches, and its groups, in a path of less than 4 GiB.
    pub(crate) fn find(&self, regexes: &SuffixRegexes, path: &str) -> Option<Match> {
        let bytes = path.as_bytes();
        let mut best = AlternativeId::NONE;
        let mut best_ends: Ends = [0; MAX_CLASSES + 1];
        // The last suffix that was found. It is not the best if its alternative is not.
        let mut best_suffix: Option<FoundSuffix> = None;
        let mut ends = best_ends;
        let mut pending: SmallVec<[Pending; 8]> = SmallVec::new();
        let mut node = &self.nodes[0];
        let mut left = bytes;
        let mut classes = 0;
        loop {
            let mut edge = None;
            if let Some(after) = strip(left, node.literal.of(&self.literals)) {
                left = after;
                if left.is_empty() && node.end < best {
                    best = node.end;
                    pending.retain(|next| self.edges[next.edge.index()].least < best);
                    if pending.is_empty() && node.edges == node.edges_end {
                        return self.found(best, &ends, path);
                    }
                    best_ends = ends;
                }
                let pend = |edge| Pending {
                    edge,
                    left: left.len() as u32,
                    classes,
                };
                // Pushed in reverse, so that they are followed in their order: suffixes last.
                let mut edges = node.edges.until(node.edges_end);
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
            // The next node: the first edge of this one, or the last that is pending.
            loop {
                let next = edge.take().or_else(|| {
                    let next = pending.pop()?;
                    left = &bytes[bytes.len() - next.left as usize..];
                    classes = next.classes;
                    Some(next.edge)
                });
                let Some(next) = next else {
                    return match best_suffix {
                        Some(suffix) if suffix.alternative == best => {
                            self.found_with_suffix(&best_ends, suffix)
                        }
                        _ => self.found(best, &best_ends, path),
                    };
                };
                let edge = &self.edges[next.index()];
                if edge.least >= best {
                    continue;
                }
                match &edge.target {
                    Target::Class {
                        class,
                        min,
                        max,
                        node: next,
                    } => {
                        let len = self.classes[class.index()].scan(left);
                        if is_within(&left[..len], *min, *max) {
                            (node, left) = (&self.nodes[next.index()], &left[len..]);
                            classes += 1;
                            ends[classes as usize] = (bytes.len() - left.len()) as u32;
                            break;
                        }
                    }
                    Target::Suffixes(suffixes) => {
                        let suffixes = &self.suffixes[suffixes.index()];
                        let from = bytes.len() - left.len();
                        if let Some(found) = suffixes.find(regexes, path, from, best) {
                            (best, best_ends) = (found.alternative, ends);
                            best_suffix = Some(found);
                        }
                    }
                }
            }
        }
    }

    /// Returns the node that the next byte leads to.
    fn child(&self, node: &Node, left: &[u8]) -> Option<&Node> {
        let position = left.first()?.wrapping_sub(node.first_byte);
        if u16::from(position) >= node.jump_count {
            return None;
        }
        let jump = self.jumps[node.jumps.index() + usize::from(position)];
        self.nodes.get(jump.index())
    }

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

/// Strips a literal. Literals are short, so the comparison here is faster than a call
/// (`dispatch/github`).
fn strip<'a>(left: &'a [u8], literal: &[u8]) -> Option<&'a [u8]> {
    let (start, after) = left.split_at_checked(literal.len())?;
    (literal.is_empty() || start == literal).then_some(after)
}
