//! Services and bodies that fail in every phase, and the incidents that result.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod again;
mod allocations;
mod begin;
mod contract;
#[cfg(feature = "debug")]
mod debug;
mod defaults;
mod good;
mod grpc;
mod headers;
mod hook;
mod phases;
mod probe;
mod rendered;
mod report;
mod responses;
mod status;
