#![doc = include_str!("../README.md")]

mod body;
mod eligible;
mod future;
mod headers;
mod layer;
mod prefix;
mod rewriter;
mod service;

pub use body::ResponseBody;
pub use eligible::MediaTypeError;
pub use future::ResponseFuture;
pub use headers::remove_stale_headers;
pub use layer::{PrefixLayer, RewriteLayer};
pub use prefix::Prefix;
pub use rewriter::{Rewriter, Sink};
pub use service::Rewrite;
