#![doc = include_str!("../README.md")]

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
