//! Ids: indexes into the lists of a compiled table, a type for each list.
//!
//! They have 32 bits, so that a node of the tree fits into half a cache line. Since they are types,
//! a node cannot be looked up with the id of an edge.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(u32);

        impl $name {
            /// Returns the id of the entry at an index.
            pub(crate) fn new(index: usize) -> Self {
                Self(to_u32(index))
            }

            // `dispatch/github-templates`
            #[inline]
            pub(crate) fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// A pattern, by its index in the list that a table is made of. The smallest has precedence.
    PatternIndex
    /// An alternative of a pattern, numbered through all patterns of a tree. The smallest has
    /// precedence.
    AlternativeId
    /// A stop of a tree.
    StopId
    /// A node of a tree.
    NodeId
    /// One of the repeated classes of a tree's edges.
    RepeatId
    /// The suffixes that begin at one node of a tree.
    SuffixesId
}

impl AlternativeId {
    /// Means that there is no alternative. It is larger than all others.
    pub(crate) const NONE: Self = Self(u32::MAX);
}

impl NodeId {
    /// Means that there is no node.
    pub(crate) const NONE: Self = Self(u32::MAX);
}

impl StopId {
    /// The start of a path.
    pub(crate) const FIRST: Self = Self(0);

    /// Returns the id of the stop in front of this one, which is not the first.
    pub(crate) fn in_front(self) -> Self {
        Self(self.0 - 1)
    }
}

impl RepeatId {
    /// Means that there is none.
    pub(crate) const NONE: Self = Self(u32::MAX);
}

/// Converts a number of entries or bytes. The limit for the memory of a tree is less than 4 GiB,
/// and every entry takes at least a byte.
pub(crate) fn to_u32(number: usize) -> u32 {
    u32::try_from(number).expect("a list of a table has less than 4 Gi entries")
}
