#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod document;
mod error;
mod failure;
mod future;
mod head;
mod kept;
mod layer;
mod page;
mod rule;
mod service;

pub use document::{Document, PathError};
pub use error::ErrorStatus;
pub use failure::Failure;
pub use future::ResponseFuture;
pub use layer::ErrorDocumentLayer;
pub use rule::KeepBody;
pub use service::ErrorDocument;

#[doc = include_str!("../RULES.md")]
pub mod rules {}
