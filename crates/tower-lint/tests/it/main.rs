//! Every rule, broken and kept, wrong layers and right ones, and well-known layers.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod contract;
mod peers;
mod probes;
mod rules;
mod wrong_layers;
