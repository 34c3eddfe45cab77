//! INI files as Python's `configparser` reads them, with a position for everything.

mod document;
mod parser;
mod read;

pub use document::Document;
pub(crate) use document::{DEFAULT, Section, Setting};
pub use read::LARGEST_FILE;
pub(crate) use read::{Read, from_disk, text};
