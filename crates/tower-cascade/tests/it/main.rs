//! The cascade around services that read, keep, reject and fail.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod allocations;
mod attempts;
mod chain;
mod contract;
mod defaults;
mod files;
mod lookup;
mod probe;
mod random;
mod readiness;
mod rejections;
mod replay;
mod spawned;
