//! The dispatcher as a service and as a layer.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod allocations;
mod audit;
mod axum_router;
mod build;
mod contract;
mod cors;
#[cfg(feature = "axum")]
mod extract;
mod layer;
mod mount;
mod parse;
mod plain_loop;
mod probe;
mod readiness;
mod rules;
mod service;
mod url_for;
mod view;
