#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod alarm;
mod balance;
mod body;
mod build_error;
mod connect;
mod connection;
mod dropped;
mod error;
mod exchange;
mod fields;
mod forwarded;
mod future;
mod handshake;
mod headers;
mod health;
mod host;
mod http2;
mod length;
mod link;
mod locations;
mod member;
mod metadata;
mod network;
mod one_hop;
mod opening;
mod outgoing;
mod persistence;
mod progress;
mod protocol;
mod queue;
mod request_body;
mod service;
mod source;
mod stream;
#[cfg(feature = "tls")]
#[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
mod tls;
mod transport;
mod tunnel;
mod upgrade_protocol;
mod upstream;
mod via;
mod written;

pub use address::Address;
pub use body::ResponseBody;
pub use build_error::{BuildError, BuildErrorKind};
pub use error::UpstreamError;
pub use future::ResponseFuture;
pub use network::Network;
pub use one_hop::PassedHeader;
pub use protocol::Protocol;
#[cfg(feature = "tls")]
#[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
pub use tls::Tls;
pub use upgrade_protocol::UpgradeProtocol;
pub use upstream::{HostPolicy, Upstream};

#[doc = include_str!("../RULES.md")]
pub mod rules {}
