#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod bad_origin;
#[cfg(feature = "axum")]
mod extract;
mod forwarded;
mod host;
mod layer;
mod node;
mod origin;
mod peer;
mod prefix;
mod resolve;
mod scheme;
mod service;
mod slot;

pub use bad_origin::BadOrigin;
#[cfg(feature = "axum")]
pub use extract::NoOrigin;
pub use layer::{OriginError, OriginErrorKind, OriginLayer};
pub use origin::Origin;
pub use peer::PeerAddr;
pub use resolve::XForwarded;
pub use scheme::PeerScheme;
pub use service::WithOrigin;
pub use slot::OriginSlot;

#[doc = include_str!("../RULES.md")]
pub mod rules {}
