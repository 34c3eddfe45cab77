#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod body;
mod build_error;
#[cfg(unix)]
pub mod cgi;
mod content;
mod error;
mod events;
mod exchange;
pub mod fastcgi;
mod fault;
mod future;
mod gateway;
mod head;
mod netstring;
mod one_hop;
mod options;
mod pairs;
mod params;
mod pool;
#[cfg(unix)]
mod process;
mod progress;
mod record;
mod request_head;
mod response_head;
pub mod scgi;
mod scgi_head;
mod scripts;
mod server;
mod source;
mod stderr;
mod stream;
mod upload;
mod variables;

pub use body::ResponseBody;
pub use build_error::{BuildError, BuildErrorKind};
#[cfg(unix)]
pub use cgi::Cgi;
pub use error::{GatewayError, no_script};
pub use fastcgi::FastCgi;
pub use future::ResponseFuture;
pub use scgi::Scgi;
pub use scripts::Scripts;
pub use server::{Listener, RequestBody, Server, Start, detect};
pub use stderr::StderrLine;
pub use variables::RemoteUser;

#[doc = include_str!("../RULES.md")]
pub mod rules {}
