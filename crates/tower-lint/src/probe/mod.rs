//! Test doubles: bodies and services that do what a script says, what shows whether everything was dropped,
//! and drivers that notice a missing wake-up.

mod app;
mod body;
mod drive;
mod drops;

pub use app::{App, AppFuture, Seen};
pub use body::{Body, Gate, Step};
pub use drive::{Stalled, WakeCounter, block_on, cancel_everywhere};
pub use drops::{Bomb, DropLog, Tracked};

use std::fmt;

/// The error of an [`App`] and of a [`Body`] that are told to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error(pub &'static str);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Error {}
