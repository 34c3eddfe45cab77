#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod body;
mod build_error;
mod connect;
mod error;
mod forwarded;
mod future;
mod handshake;
mod headers;
mod host;
mod length;
mod locations;
mod names;
mod network;
mod one_hop;
mod progress;
mod service;
mod tunnel;
mod upgrade_protocol;
mod upstream;

pub use address::Address;
pub use body::ResponseBody;
pub use build_error::{BuildError, BuildErrorKind};
pub use error::UpstreamError;
pub use future::ResponseFuture;
pub use network::Network;
pub use one_hop::PassedHeader;
pub use upgrade_protocol::UpgradeProtocol;
pub use upstream::{HostPolicy, Upstream};

#[doc = include_str!("../RULES.md")]
pub mod rules {}
