#![doc = include_str!("../README.md")]

mod body;
mod error;
mod future;
mod guard;
mod incident;
mod layer;
mod page;
mod report;
mod service;

pub use body::ResponseBody;
pub use error::{Aborted, BoxError};
pub use future::ResponseFuture;
pub use incident::{Incident, Phase};
pub use layer::ExceptionLayer;
pub use report::to_stderr;
pub use service::Exception;
