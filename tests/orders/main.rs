//! The order of layers: what holds in every order, each layer by itself, the orders that are a
//! mistake and how one notices, and whole stacks on real sockets. ARCHITECTURE.md, "The order of
//! layers", is the same in words.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod alone;
mod answered_around;
mod every_order;
mod mistakes;
mod requests;
mod sockets;
mod stack;
#[path = "../support/mod.rs"]
mod support;
