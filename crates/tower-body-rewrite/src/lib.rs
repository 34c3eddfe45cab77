#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod asked;
mod body;
mod eligible;
mod empty;
mod future;
mod head;
mod headers;
mod layer;
mod media_types;
mod newlines;
mod prefix;
mod prefix_layer;
mod replace;
mod rewriter;
mod service;
mod sink;
mod tag;

pub use body::ResponseBody;
pub use empty::EmptyBody;
pub use future::ResponseFuture;
pub use headers::adapt_headers;
pub use layer::RewriteLayer;
pub use media_types::{MediaTypeError, MediaTypeErrorKind};
pub use prefix::Prefix;
pub use prefix_layer::PrefixLayer;
pub use replace::{Replace, ReplaceError, ReplaceErrorKind};
pub use rewriter::Rewriter;
pub use service::Rewrite;
pub use sink::Sink;
pub use tag::Tag;

#[doc = include_str!("../RULES.md")]
pub mod rules {}
