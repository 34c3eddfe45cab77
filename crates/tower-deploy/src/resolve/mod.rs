//! What a name in a file leads to, and what sections inherit from each other. The order in which
//! things are looked at, and what of one section reaches which other, is PasteDeploy's.
//!
//! - `names.rs`: what a name stands for, a section or a URI
//! - `section.rs`: what a section makes
//! - `scope.rs`: what a section inherits, and what its users change
//! - `parts.rs`: the parts that the settings of factories name
//! - `file.rs` and `interpolate.rs`: a file's sections, and names in its values
//! - `limits.rs`: how much a file may ask for

mod file;
mod interpolate;
mod limits;
mod names;
mod parts;
mod scope;
mod section;

pub(crate) use names::Resolver;
