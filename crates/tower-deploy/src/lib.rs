#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod app;
mod body;
mod build;
mod builtin;
#[cfg(feature = "cli")]
pub mod cli;
mod conf;
mod de;
mod effective;
mod error;
mod factory;
#[cfg(feature = "gateway")]
mod gateway;
#[cfg(feature = "tls")]
mod https;
mod ini;
mod kind;
mod loader;
mod named;
mod parts;
mod place;
mod plan;
mod processes;
mod reason;
mod registry;
#[cfg(feature = "reload")]
mod reload;
mod resolve;
mod server;
mod size;
mod slip;
mod snapshot;
mod suggest;
mod trace;
mod tree;
mod warnings;

pub use app::{App, AppFuture, Filter};
pub use body::Body;
pub use conf::{Settings, Value};
pub use error::{BoxError, Error, ErrorKind};
pub use ini::{Document, LARGEST_FILE};
pub use loader::{AppConfig, Loader};
pub use parts::Parts;
pub use place::Place;
pub use plan::Plan;
pub use registry::Registry;
#[cfg(feature = "reload")]
pub use reload::Reload;
pub use server::Server;
pub use size::{ParseSizeError, Size};

#[doc = include_str!("builtins.md")]
pub mod builtins {}

#[doc = include_str!("../RULES.md")]
pub mod rules {}
