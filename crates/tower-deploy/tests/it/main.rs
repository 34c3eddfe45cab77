//! Files, the parts that are built of them, and their errors.

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
