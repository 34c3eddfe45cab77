#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod acceptor;
mod address;
mod bind;
mod connection;
mod content;
mod handed_over;
mod limits;
mod listener;
mod panic;
mod reason;
mod request_body;
mod request_head;
mod requests;
mod server;
mod shutdown;
mod stream;
#[cfg(unix)]
mod unix;

pub use address::{Address, ParseAddressError};
pub use request_body::RequestBody;
pub use server::{Bound, Server, serve};
pub use shutdown::{Shutdown, ShutdownTrigger};
pub use tower_origin::PeerAddr;

#[doc = include_str!("../RULES.md")]
pub mod rules {}
