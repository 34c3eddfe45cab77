//! The numbers of what a tree stores once, by its bytes.
//!
//! There is one type of key, so that a program has the code of one hash table (`just cost`).

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, DefaultHasher},
};

use smallvec::SmallVec;

use crate::{alternatives::Repeated, ids::to_u32, tree::Group};

/// The hashes are not random, so that the tree has the same layout in memory each time, and
/// instructions can be counted. What is hashed is the program's own, not a client's.
type Hashes = BuildHasherDefault<DefaultHasher>;

/// A number for each key.
#[derive(Debug, Default)]
pub(super) struct Keys {
    numbers: HashMap<Box<[u8]>, u32, Hashes>,
}

impl Keys {
    pub(super) fn get(&self, key: &[u8]) -> Option<usize> {
        self.numbers.get(key).map(|number| *number as usize)
    }

    pub(super) fn insert(&mut self, key: &[u8], number: usize) {
        self.numbers.insert(key.into(), to_u32(number));
    }
}

/// Returns the key of a list of groups.
pub(super) fn of_groups(groups: &[Group]) -> SmallVec<[u8; 64]> {
    let mut key = SmallVec::new();
    for group in groups {
        match group {
            None => key.push(0),
            Some((start, end)) => {
                key.push(1);
                for number in [start.classes, start.bytes, end.classes, end.bytes] {
                    key.extend(number.to_le_bytes());
                }
            }
        }
    }
    key
}

/// Returns the key of a repeated class.
pub(super) fn of_repeated(repeated: &Repeated) -> Vec<u8> {
    let mut key = Vec::new();
    let most = repeated.max.map_or(u64::MAX, u64::from);
    key.extend(repeated.min.to_le_bytes());
    key.extend(most.to_le_bytes());
    for (first, last) in repeated.class.ranges() {
        key.extend(u32::from(*first).to_le_bytes());
        key.extend(u32::from(*last).to_le_bytes());
    }
    key
}
