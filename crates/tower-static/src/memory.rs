//! The cache: which files are in memory, and until when.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::HeaderValue;

use crate::{coding::Coding, conditions::Validators, facts::Facts};

/// The size in bytes of the largest file whose content is kept.
const LARGEST: u64 = 1 << 20;

/// How many bytes all that is kept beside the contents may take: paths, tags and types.
const MOST_BESIDE: u64 = 2 << 20;

/// How many bytes one file takes beside its path and its content.
const BESIDE: u64 = 512;

/// A version of a file, and the form in which it is served.
///
/// What is kept of a file counts as long as its version is the same: each request looks it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) facts: Facts,
    /// The coding of its content, if it is the compressed variant of another file.
    pub(crate) coding: Option<Coding>,
}

/// What is known of one version of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) validators: Option<Validators>,
    pub(crate) content_type: Option<HeaderValue>,
    /// All of it.
    pub(crate) content: Option<Bytes>,
}

/// What is known of the files that were served lately.
pub(crate) struct Memory {
    /// How many bytes of contents are kept.
    most: u64,
    files: Mutex<Files>,
}

#[derive(Default)]
struct Files {
    by_path: HashMap<Arc<Path>, Slot>,
    /// The paths in the order in which they are looked at for what to drop: the second chance.
    order: VecDeque<Arc<Path>>,
    contents: u64,
    beside: u64,
}

struct Slot {
    version: Version,
    known: Known,
    /// Whether it was served since it was looked at.
    is_used: bool,
}

impl Memory {
    pub(crate) fn new(most: u64) -> Self {
        Self {
            most,
            files: Mutex::default(),
        }
    }

    /// Returns whether it may have the content of any file.
    pub(crate) fn has_contents(&self) -> bool {
        self.most > 0
    }

    /// Returns whether it has room for the content of a file.
    pub(crate) fn takes(&self, size: u64) -> bool {
        size <= LARGEST.min(self.most)
    }

    /// Returns what is known of this version.
    pub(crate) fn get(&self, path: &Path, version: &Version) -> Option<Known> {
        let mut files = self.lock();
        let slot = files.by_path.get_mut(path)?;
        if slot.version != *version {
            return None;
        }
        slot.is_used = true;
        Some(slot.known.clone())
    }

    /// Keeps what is known of a version, which has to be settled. It replaces other versions.
    pub(crate) fn keep(&self, path: &Path, version: Version, known: Known) {
        let mut files = self.lock();
        let shared = match files.by_path.get_key_value(path) {
            Some((shared, _)) => Arc::clone(shared),
            None => Arc::from(path),
        };
        let slot = Slot {
            version,
            known,
            is_used: false,
        };
        files.insert(shared, slot);
        while (files.contents > self.most || files.beside > MOST_BESIDE) && files.drop_one(path) {}
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    fn insert(&mut self, path: Arc<Path>, slot: Slot) {
        self.contents += slot.size();
        self.beside += beside(&path);
        match self.by_path.insert(Arc::clone(&path), slot) {
            Some(old) => {
                self.contents -= old.size();
                self.beside -= beside(&path);
            }
            None => self.order.push_back(path),
        }
    }

    /// Drops the file that has waited for the longest time, and was not served meanwhile. The file
    /// that needs the room stays. Returns `false` if there is no other one.
    fn drop_one(&mut self, for_path: &Path) -> bool {
        while self.order.len() > 1
            && let Some(path) = self.order.pop_front()
        {
            match self.by_path.get_mut(&path) {
                Some(slot) if slot.is_used || *path == *for_path => {
                    slot.is_used = false;
                    self.order.push_back(path);
                }
                _ => {
                    let slot = self.by_path.remove(&path);
                    self.contents -= slot.map_or(0, |slot| slot.size());
                    self.beside -= beside(&path);
                    return true;
                }
            }
        }
        false
    }
}

impl Slot {
    fn size(&self) -> u64 {
        let content = self.known.content.as_ref();
        content.map_or(0, |content| content.len() as u64)
    }
}

fn beside(path: &Path) -> u64 {
    BESIDE + path.as_os_str().len() as u64
}

impl Clone for Memory {
    /// Returns an empty one: services with other options may know other things of a file.
    fn clone(&self) -> Self {
        Self::new(self.most)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Memory").field(&self.most).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::facts::Kind;

    fn version(size: usize) -> Version {
        Version {
            facts: Facts {
                kind: Kind::File,
                size: size as u64,
                modified: Some(SystemTime::UNIX_EPOCH),
                changed: Some(SystemTime::UNIX_EPOCH),
                id: Some((1, 1)),
            },
            coding: None,
        }
    }

    fn keep(memory: &Memory, path: &str, size: usize) {
        let known = Known {
            content: Some(vec![b'x'; size].into()),
            ..Known::default()
        };
        memory.keep(Path::new(path), version(size), known);
    }

    fn has(memory: &Memory, path: &str, size: usize) -> bool {
        let known = memory.get(Path::new(path), &version(size));
        known.is_some_and(|known| known.content.is_some_and(|content| content.len() == size))
    }

    /// Counts what is kept, file by file.
    fn counted(memory: &Memory) -> (u64, u64) {
        let files = memory.lock();
        assert_eq!(files.order.len(), files.by_path.len());
        let sizes = files.by_path.values().map(Slot::size);
        let counted = (
            sizes.sum(),
            files.by_path.keys().map(|path| beside(path)).sum(),
        );
        assert_eq!(counted, (files.contents, files.beside));
        counted
    }

    #[test]
    fn static_15_only_the_same_version_is_known() {
        let memory = Memory::new(100);
        keep(&memory, "a", 10);
        assert!(has(&memory, "a", 10));
        assert!(!has(&memory, "b", 10));
        let same = version(10);
        let later = Some(SystemTime::UNIX_EPOCH + std::time::Duration::from_nanos(1));
        let with = |change: fn(&mut Facts, Option<SystemTime>)| {
            let mut other = same;
            change(&mut other.facts, later);
            other
        };
        for other in [
            with(|facts, _| facts.size = 9),
            with(|facts, later| facts.modified = later),
            with(|facts, later| facts.changed = later),
            with(|facts, _| facts.id = Some((1, 2))),
            with(|facts, _| facts.id = Some((2, 1))),
            with(|facts, _| facts.kind = Kind::Other),
            Version {
                coding: Some(Coding::Gzip),
                ..same
            },
        ] {
            assert!(memory.get(Path::new("a"), &other).is_none(), "{other:?}");
        }
        assert!(memory.get(Path::new("a"), &same).is_some());
        assert!(!has(&memory.clone(), "a", 10), "a clone is empty");
    }

    #[test]
    fn static_15_contents_are_bounded_in_bytes() {
        let memory = Memory::new(100);
        for (size, expected) in [(0, true), (100, true), (101, false)] {
            assert_eq!(memory.takes(size), expected, "{size}");
        }
        assert!(!Memory::new(u64::MAX).takes(LARGEST + 1));
        assert!(!Memory::new(0).has_contents());
        for number in 0..1000 {
            keep(&memory, &format!("{}", number % 7), number % 100);
            let (contents, _) = counted(&memory);
            assert!(contents <= 100, "{contents}");
            assert!(has(&memory, &format!("{}", number % 7), number % 100));
        }
    }

    #[test]
    fn static_15_what_is_beside_the_contents_is_bounded() {
        let memory = Memory::new(0);
        let known = || Known {
            content_type: Some(HeaderValue::from_static("text/plain")),
            ..Known::default()
        };
        for number in 0..3000 {
            let path = format!("{number:0500}");
            memory.keep(Path::new(&path), version(number), known());
        }
        let (contents, beside) = counted(&memory);
        assert_eq!(contents, 0);
        assert!(
            (MOST_BESIDE - 2000..=MOST_BESIDE).contains(&beside),
            "{beside}"
        );
        assert!(
            size_of::<Slot>() as u64 + 100 < BESIDE,
            "{}",
            size_of::<Slot>()
        );
    }

    #[test]
    fn static_15_a_file_that_is_served_stays() {
        let memory = Memory::new(100);
        keep(&memory, "served", 10);
        for number in 0..1000 {
            assert!(has(&memory, "served", 10), "{number}");
            keep(&memory, &format!("{number}"), 30);
        }
        // Without that it is dropped.
        for number in 0..4 {
            keep(&memory, &format!("{number}"), 30);
        }
        assert!(!has(&memory, "served", 10));
    }
}
