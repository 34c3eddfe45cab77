#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod app;
mod body;
mod build;
mod builtin;
#[cfg(feature = "cli")]
pub mod cli;
mod conf;
mod context;
mod de;
mod error;
mod file;
mod ini;
mod interpolate;
mod loader;
mod named;
mod place;
mod plan;
#[cfg(feature = "proxy")]
mod proxy;
mod reason;
mod registry;
#[cfg(feature = "reload")]
mod reload;
mod role;
mod show;
mod slip;
mod snapshot;
mod trace;
mod warnings;

pub use app::{App, AppFuture, BoxError, Filter, Server};
pub use body::Body;
pub use build::Parts;
pub use conf::{Settings, Value};
pub use error::{Error, ErrorKind};
pub use ini::{Document, LARGEST_FILE};
pub use loader::{AppConfig, Loader};
pub use place::Place;
pub use plan::Plan;
pub use registry::Registry;
#[cfg(feature = "reload")]
pub use reload::Reload;
