//! Services and bodies that break in every phase, and what is made of it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod again;
mod allocations;
mod answers;
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
mod status;
