//! The cascade around apps that read, keep, refuse and break.

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
