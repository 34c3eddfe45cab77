//! Files as they were when they were first read. Several readers of a file get the same text.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::ini::Read;

pub(crate) struct Snapshot<'a> {
    read: &'a Read<'a>,
    files: Mutex<BTreeMap<PathBuf, Taken>>,
}

/// An error has no clone.
type Taken = Result<Vec<u8>, (io::ErrorKind, String)>;

impl<'a> Snapshot<'a> {
    pub(crate) fn new(read: &'a Read<'a>) -> Self {
        Self {
            read,
            files: Mutex::default(),
        }
    }

    /// Returns the content of a file when it was first read.
    pub(crate) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = files.entry(path.to_owned()).or_insert_with(|| {
            let read = (self.read)(path);
            read.map_err(|error| (error.kind(), error.to_string()))
        });
        let taken = taken
            .as_ref()
            .map_err(|(kind, text)| io::Error::new(*kind, text.clone()));
        taken.cloned()
    }

    /// Returns the files that were read.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.keys().cloned().collect()
    }
}
