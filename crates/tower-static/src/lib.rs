#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod coding;
mod conditions;
mod error;
mod facts;
mod file;
mod files;
mod future;
mod memory;
mod paths;
mod range;
mod read;
mod service;
mod version;

pub use body::ResponseBody;
pub use coding::Coding;
pub use error::{CharsetError, FilesError};
pub use files::Files;
pub use future::ResponseFuture;

#[doc = include_str!("../RULES.md")]
pub mod rules {}
