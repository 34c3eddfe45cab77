#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod boxed;
mod closures;
mod entered;
mod future;
mod hook;
mod layer;
mod list;
mod outcome;
mod own;
#[cfg(feature = "axum")]
mod respond;
mod service;
mod turn;

pub use body::ResponseBody;
pub use boxed::BoxHook;
pub use closures::HookFn;
pub use future::ResponseFuture;
pub use hook::Hook;
pub use layer::HooksLayer;
pub use list::HookList;
pub use outcome::{Outcome, OutcomeKind};
pub use own::HookResponse;
#[cfg(feature = "axum")]
pub use respond::respond;
pub use service::Hooks;

#[doc = include_str!("../RULES.md")]
pub mod rules {}
