#![doc = include_str!("../README.md")]

mod app;
mod body;
mod build;
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
mod place;
mod plan;
mod registry;
mod role;
mod secret;
mod show;

pub use app::{App, AppFuture, BoxError, Filter, Server};
pub use body::Body;
pub use build::Apps;
pub use conf::{Settings, Value};
pub use error::{Error, ErrorKind};
pub use ini::{Document, LARGEST_FILE};
pub use loader::{AppConfig, Loader};
pub use place::Place;
pub use plan::Plan;
pub use registry::Registry;
