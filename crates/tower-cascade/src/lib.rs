#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod future;
mod kept;
mod layer;
mod lookup;
mod replay;
mod rule;
mod service;
mod verdict;

pub use error::CascadeError;
pub use future::ResponseFuture;
pub use layer::CascadeLayer;
pub use lookup::{Lookup, LookupFuture};
pub use replay::ReplayBody;
pub use rule::StatusError;
pub use service::Cascade;
pub use verdict::{CascadeTrace, Final, Pass, Tried};

#[doc = include_str!("../RULES.md")]
pub mod rules {}

/// An error of any type, as tower and axum have it.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
