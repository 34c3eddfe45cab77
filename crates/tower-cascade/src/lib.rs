#![doc = include_str!("../README.md")]

mod body;
mod chain;
mod error;
mod layer;
mod list;
mod lookup;
mod options;
mod replay;
mod service;
mod statuses;
mod verdict;

pub use body::ResponseBody;
pub use chain::{Last, LastFuture, Link, LinkFuture};
pub use error::{BoxError, NoServices, ReplayError, ReplayLimitExceeded};
pub use layer::{CascadeLayer, Then, Try};
pub use list::{List, ListFuture};
pub use lookup::{Lookup, LookupFuture};
pub use options::{ErrorsEnd, OnError};
pub use replay::ReplayBody;
pub use service::Cascade;
pub use statuses::StatusError;
pub use verdict::{CascadeTrace, Final, Pass, Tried};
