//! Files, what is built of them, and what is wrong with them.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod builtin;
mod contract;
mod documentation;
mod errors;
mod fakes;
mod files;
#[cfg(feature = "cli")]
mod log;
mod plans;
#[cfg(feature = "proxy")]
mod proxy;
#[cfg(feature = "reload")]
mod reload;
mod settings;
