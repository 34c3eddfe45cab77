//! The layer as a user has it: what it makes of requests, and what it rejects.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod attacks;
mod contract;
#[cfg(feature = "axum")]
mod extract;
mod origin;
mod probe;
mod response;
#[cfg(feature = "tonic")]
mod tonic;
mod url;
