#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod accept;
mod allow;
mod attempt;
mod body;
pub mod content;
pub mod entity_tag;
mod future;
pub mod grpc;
pub mod guard;
mod json_string;
mod lines;
pub mod names;
mod preferences;
mod rejection;
mod render;
pub mod secrets;

pub use allow::Allow;
pub use attempt::Attempt;
pub use body::EitherBody;
pub use future::EitherFuture;
pub use lines::Lines;
pub use preferences::{Format, Preferences};
pub use rejection::{Rejection, is_plain_error, status_of};
pub use render::{Render, RenderFuture, RenderLayer};

#[doc = include_str!("../RULES.md")]
pub mod rules {}
