//! Tests of the crate's public API.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod cgi;
mod contract;
#[cfg(feature = "axum")]
mod extract;
mod layer;
mod mount;
mod response;
