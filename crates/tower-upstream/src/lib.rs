#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod alarm;
mod balance;
mod body;
mod build_error;
mod connect;
mod connection;
mod error;
mod exchange;
mod forwarded;
mod future;
mod headers;
mod health;
mod host;
mod length;
mod link;
mod member;
mod names;
mod network;
mod one_hop;
mod progress;
mod request_body;
mod service;
mod stream;
mod upstream;
mod via;

pub use address::Address;
pub use body::ResponseBody;
pub use build_error::{BuildError, BuildErrorKind};
pub use error::UpstreamError;
pub use future::ResponseFuture;
pub use network::Network;
pub use one_hop::PassedHeader;
pub use upstream::{HostPolicy, Upstream};

#[doc = include_str!("../RULES.md")]
pub mod rules {}
