#![doc = include_str!("../README.md")]

mod attempt;
mod body;
mod error;
mod future;
mod layer;
mod replay;
mod service;
mod statuses;

pub use body::ResponseBody;
pub use error::{BoxError, ReplayError, ReplayLimitExceeded};
pub use future::ResponseFuture;
pub use layer::CascadeLayer;
pub use replay::ReplayBody;
pub use service::Cascade;
pub use statuses::StatusError;
