//! gRPC and gRPC-Web through every layer, from real clients over real sockets: calls pass as they
//! are, and each rejection and each fault has the right status. The same through a proxy.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod client;
mod echo;
mod faults;
mod layers;
mod passing;
mod proxied;
mod rejections;
mod server;
mod table;
