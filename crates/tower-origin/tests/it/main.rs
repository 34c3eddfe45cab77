//! Tests of the crate's public API: the origin of requests, and rejections.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod attacks;
mod contract;
#[cfg(feature = "axum")]
mod extract;
mod fronts;
mod origin;
mod probe;
mod response;
#[cfg(feature = "tonic")]
mod tonic;
mod url;
