//! The layer around a service, with bodies of every temper.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod body;
mod conditional;
mod contract;
mod cuts;
mod options;
mod response;
