//! The snippets of documents that belong to no crate, as doc tests. Those of a crate's README are
//! its own.

#[cfg(doctest)]
#[doc = include_str!("../docs/recipes.md")]
pub mod recipes {}
