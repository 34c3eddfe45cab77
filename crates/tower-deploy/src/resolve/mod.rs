//! The parts that a name in a file leads to, and the settings that sections inherit from each
//! other. The order of all lookups is PasteDeploy's, and so is the way in which a setting of one
//! section reaches another.
//!
//! - `names.rs`: the section or the URI that a name stands for
//! - `section.rs`: the part that a section makes
//! - `scope.rs`: the settings that a section inherits, and those that its users change
//! - `parts.rs`: the parts that the settings of factories name
//! - `file.rs` and `interpolate.rs`: a file's sections, and names in its values
//! - `limits.rs`: the limits of a file

mod file;
mod interpolate;
mod limits;
mod names;
mod parts;
mod scope;
mod section;

pub(crate) use names::Resolver;
