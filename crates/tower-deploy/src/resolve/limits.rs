//! The limits of a file: the depth in which sections and names lead to one another, and the numbers
//! of parts and bytes.

use std::path::PathBuf;

use crate::{Error, ErrorKind, Settings, kind::Role};

/// The most sections, or URIs, on a way from one to the next.
const DEEPEST: usize = 50;
/// The most parts of a plan.
const MOST: usize = 10_000;
/// About the most bytes of all values together.
const LARGEST: usize = 64 << 20;

/// A section of a file, and the role in which it is read.
pub(super) type Visit = (PathBuf, String, Role);

#[derive(Default)]
pub(super) struct Limits {
    /// The sections that are being read, each named by the one before it.
    stack: Vec<Visit>,
    /// The number of URIs that have led to one another.
    hops: usize,
    parts: usize,
    bytes: usize,
}

impl Limits {
    /// Enters a section.
    ///
    /// # Errors
    ///
    /// The section leads back to itself, or too many sections lead to it.
    pub(super) fn enter(&mut self, here: Visit) -> Result<(), Error> {
        if self.stack.contains(&here) {
            let message = format!("the section leads back to itself: {}", self.circle(&here));
            let error = Error::new(ErrorKind::Circular, message);
            return Err(error.help("take one of these references out"));
        }
        if self.stack.len() >= DEEPEST {
            return Err(too_deep("sections"));
        }
        self.stack.push(here);
        Ok(())
    }

    /// Enters a section that was read before, unless it is the one that was entered last. Returns
    /// whether it is to be left.
    pub(super) fn enter_again(&mut self, here: Visit) -> bool {
        let is_new = self.stack.last() != Some(&here);
        if is_new {
            self.stack.push(here);
        }
        is_new
    }

    pub(super) fn leave(&mut self) {
        self.stack.pop();
    }

    fn circle(&self, here: &Visit) -> String {
        let way = self.stack.iter().skip_while(|at| *at != here);
        let way: Vec<_> = way.chain([here]).collect();
        let is_one_file = way.iter().all(|(file, ..)| *file == here.0);
        let way = way.iter().map(|(file, section, _)| match is_one_file {
            true => format!("[{section}]"),
            false => format!("[{section}] of {}", file.display()),
        });
        way.collect::<Vec<_>>().join(" → ")
    }

    /// Follows a URI.
    pub(super) fn hop(&mut self) -> Result<(), Error> {
        if self.hops > DEEPEST {
            return Err(too_deep("names"));
        }
        self.hops += 1;
        Ok(())
    }

    pub(super) fn end_hop(&mut self) {
        self.hops -= 1;
    }

    /// Counts a part. Each has all global values.
    pub(super) fn add_part(&mut self, global: &Settings) -> Result<(), Error> {
        self.parts += 1;
        self.add_entries(global.len());
        if self.parts > MOST {
            let message = format!("it makes more than {MOST} parts");
            let error = Error::new(ErrorKind::TooLarge, message);
            return Err(error.help("does something name the same part again and again?"));
        }
        self.check()
    }

    /// Counts entries of tables.
    pub(super) fn add_entries(&mut self, number: usize) {
        self.bytes += 128 * number;
    }

    /// Counts the bytes of a value.
    pub(super) fn add_value(&mut self, text: &str) -> Result<(), Error> {
        self.bytes += text.len();
        self.check()
    }

    fn check(&self) -> Result<(), Error> {
        if self.bytes <= LARGEST {
            return Ok(());
        }
        let message = format!("all values together are more than {LARGEST} bytes");
        let error = Error::new(ErrorKind::TooLarge, message);
        Err(error.help(
            "move keys that few sections need out of [DEFAULT], and do not repeat large values",
        ))
    }
}

fn too_deep(what: &str) -> Error {
    let message = format!("{what} lead to one another more than {DEEPEST} deep");
    Error::new(ErrorKind::Circular, message).help("name the last one directly")
}
