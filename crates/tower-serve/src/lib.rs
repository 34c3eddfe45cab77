#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod acceptor;
mod access_log;
mod activity;
mod address;
mod bell;
mod bind;
mod bound;
mod connection;
mod content;
mod departure;
mod entry;
mod fault;
mod handed_over;
mod limits;
mod linger;
mod listener;
mod open_body;
mod panic;
mod proxy_header;
mod proxy_protocol;
mod request_body;
mod request_head;
mod server;
mod service;
mod shutdown;
mod socket;
mod stream;
mod streams;
mod timer;
#[cfg(feature = "tls")]
mod tls;
mod transport;
#[cfg(unix)]
mod unix;
mod versions;

pub use access_log::{AccessLog, LogFormat};
pub use address::{Address, ParseAddressError, ParseAddressErrorKind};
pub use bound::Bound;
pub use proxy_protocol::ParseNetworkError;
pub use request_body::RequestBody;
pub use server::{Server, serve};
pub use shutdown::{Shutdown, ShutdownTrigger};
pub use socket::{Socket, SocketGuard};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError, TlsErrorKind};
pub use tower_origin::PeerAddr;

#[doc = include_str!("../RULES.md")]
pub mod rules {}
