//! Hooks around services that respond, fail, panic and are dropped.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

#[cfg(feature = "axum")]
mod axum;
mod contract;
mod ends;
mod functions;
mod grpc;
mod list;
mod random;
mod rejections;
mod requests;
mod scripted;
