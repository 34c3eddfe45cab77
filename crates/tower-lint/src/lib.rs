#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
pub mod contract;
mod future;
mod head;
mod layer;
pub mod probe;
mod rule;
mod service;

pub use body::LintBody;
pub use future::LintFuture;
pub use layer::{LintLayer, Violation};
pub use rule::Rule;
pub use service::Lint;

#[doc = include_str!("../RULES.md")]
pub mod rules {}
