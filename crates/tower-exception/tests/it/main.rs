//! Services and bodies that break in every phase, and what is made of it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod allocations;
mod answers;
mod begin;
mod contract;
#[cfg(feature = "debug")]
mod debug;
mod good;
mod hook;
mod phases;
mod probe;
mod report;
