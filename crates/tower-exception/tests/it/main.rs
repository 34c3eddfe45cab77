//! Services and bodies that break in every phase, and what is made of it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod contract;
mod good;
mod phases;
mod probe;
mod report;
