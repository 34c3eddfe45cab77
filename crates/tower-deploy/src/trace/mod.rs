//! What each part of a stack did with one request, for `tower-deploy request --trace`.
//!
//! Every part is wrapped. What it did to the request is how that differs where it reaches the next
//! part, and what it did to the response is how that differs from the next part's. Parts that have
//! a request side by side, as no built-in part makes them, are shown within one another.

mod record;
mod seen;
mod wrap;

#[cfg(feature = "cli")]
pub(crate) use record::Trace;
pub(crate) use wrap::{app, hook};
