#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
#[cfg(feature = "axum")]
mod extract;
mod forwarded;
mod future;
mod host;
mod layer;
mod node;
mod origin;
mod peer;
mod prefix;
mod refusal;
mod resolve;
mod service;

pub use body::ResponseBody;
#[cfg(feature = "axum")]
pub use extract::NoOrigin;
pub use future::ResponseFuture;
pub use layer::{OriginError, OriginLayer};
pub use origin::Origin;
pub use peer::PeerAddr;
pub use refusal::Refusal;
pub use resolve::XForwarded;
pub use service::WithOrigin;
