//! The kit, as authors of layers and users have it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod attempt;
#[cfg(feature = "axum")]
mod axum;
mod body;
mod contract;
mod rejection;
mod render;
