//! Tests of the crate's public API.

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
