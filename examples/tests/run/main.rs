//! Runs the examples as a user does: starts the program, sends requests, reads its log, ends it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod alone;
mod gateway;
mod program;
mod programs;
mod rejections;
mod rest_and_grpc;
mod start;
