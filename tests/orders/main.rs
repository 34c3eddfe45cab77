//! The order of layers: properties of every order, each layer by itself, the orders that are
//! mistakes and how one notices them, and whole stacks on real sockets. ARCHITECTURE.md, "The order
//! of layers", describes the same.

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
