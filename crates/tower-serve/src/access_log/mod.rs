//! One line for each request.

mod entry;
mod file;
mod record;
mod settings;

pub(crate) use file::OpenLog;
pub(crate) use record::Record;
pub use settings::{AccessLog, LogFormat};
