//! The dispatcher as a service and as a layer.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod build;
mod contract;
mod layer;
mod mount;
mod probe;
mod readiness;
mod service;
