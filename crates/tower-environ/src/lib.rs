#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod cgi;
mod environ;
mod error;
mod ext;
#[cfg(feature = "axum")]
mod extract;
mod key;
mod layer;
mod mount;
mod prefix;
mod script_name;
mod service;

pub use cgi::{CgiName, CgiView};
pub use environ::Environ;
pub use error::EnvironError;
pub use ext::EnvironExt;
#[cfg(feature = "axum")]
pub use extract::{Env, EnvironKey};
pub use key::{Key, KeyError};
pub use layer::EnvironLayer;
pub use mount::{Mount, MountLayer, NotMounted};
pub use prefix::MountError;
pub use script_name::{MountExt, PathInfo, ScriptName};
pub use service::WithEnviron;

#[doc = include_str!("../RULES.md")]
pub mod rules {}
