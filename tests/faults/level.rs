//! The resources of a server at one time, as a line between child and parent.

use std::{fmt, str::FromStr};

use crate::Failure;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Level {
    /// Resident, in KiB.
    pub(crate) memory: u64,
    pub(crate) files: u64,
    pub(crate) tasks: u64,
    pub(crate) incidents: u64,
    /// Requests that the stack has seen, and requests that have ended.
    pub(crate) begun: u64,
    pub(crate) finished: u64,
    pub(crate) reloads: u64,
}

impl Level {
    /// The memory that a server may keep, because its allocator does not return everything.
    pub(crate) fn may_keep(&self) -> u64 {
        self.memory * 6 / 5 + (2 << 10)
    }

    /// Returns whether everything was given back since `before`.
    pub(crate) fn is_back_to(&self, before: &Self) -> bool {
        self.memory <= before.may_keep()
            && self.tasks <= before.tasks
            && self.files <= before.files
            && self.begun == self.finished
    }

    pub(crate) fn mib(&self) -> f64 {
        self.memory as f64 / 1024.0
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            memory,
            files,
            tasks,
            incidents,
            begun,
            finished,
            reloads,
        } = self;
        write!(
            f,
            "{memory} {files} {tasks} {incidents} {begun} {finished} {reloads}"
        )
    }
}

impl FromStr for Level {
    type Err = Failure;

    fn from_str(line: &str) -> Result<Self, Failure> {
        let numbers: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        let Ok(&[memory, files, tasks, incidents, begun, finished, reloads]) = numbers.as_deref()
        else {
            return Err(format!("the child says: {line}").into());
        };
        Ok(Self {
            memory,
            files,
            tasks,
            incidents,
            begun,
            finished,
            reloads,
        })
    }
}
