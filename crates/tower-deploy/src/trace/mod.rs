//! The steps of one request through a stack, for `tower-deploy request --trace`.
//!
//! Every part is wrapped. Its changes to the request are the differences between the request that
//! it gets and the one that the next part gets. Its changes to the response are the differences to
//! the next part's response. Parts that have a request side by side are shown within one another;
//! no built-in part does that.

mod record;
mod seen;
mod wrap;

#[cfg(feature = "cli")]
pub(crate) use record::Trace;
pub(crate) use wrap::{app, hook};
