//! Test doubles for the tests of layers.
//!
//! - [`Body`] and [`App`] are a body and a service that follow a script.
//! - [`DropLog`] and [`Bomb`] show whether and when values are dropped.
//! - [`block_on`], [`cancel_everywhere`] and [`WakeCounter`] poll futures, and detect a missing
//!   wake-up.
//! - [`Gate`] lets a test decide when a body or a service continues.

mod app;
mod body;
mod drive;
mod drops;

pub use app::{App, AppFuture, Seen};
pub use body::{Body, Gate, Step};
pub use drive::{Stalled, WakeCounter, block_on, cancel_everywhere};
pub use drops::{Bomb, DropLog, Tracked};

use std::fmt;

/// The error of an [`App`] or a [`Body`] whose script fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error(pub &'static str);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Error {}
