#![doc = include_str!("../README.md")]

mod environ;
mod ext;
mod key;
mod layer;
mod service;

pub use environ::Environ;
pub use ext::RequestExt;
pub use key::{Key, KeyError};
pub use layer::EnvironLayer;
pub use service::WithEnviron;
