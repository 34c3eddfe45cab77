#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg(unix)]

mod backoff;
mod body;
mod build_error;
mod error;
mod future;
mod group;
mod output;
mod process;
mod running;
mod service;
mod state;
mod supervisor;
mod watchdog;
mod words;

pub use body::ResponseBody;
pub use build_error::{BuildError, BuildErrorKind};
pub use error::ProcessError;
pub use future::ResponseFuture;
pub use process::Process;
pub use running::Running;
pub use service::WithProcess;
pub use watchdog::watchdog;

#[doc = include_str!("../RULES.md")]
pub mod rules {}
