//! Files as they were when somebody first read them: what is built of several looks at a file is built of the same text.

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

    /// What is in a file, or was when it was first asked for.
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

    /// Every file that was asked for.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.keys().cloned().collect()
    }
}
