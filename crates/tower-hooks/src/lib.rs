#![doc = include_str!("../README.md")]

mod body;
mod boxed;
mod chain;
mod closures;
mod entered;
mod future;
mod hook;
mod layer;
mod list;
mod own;
mod service;

pub use body::ResponseBody;
pub use boxed::{BoxHook, BoxState};
pub use chain::{Chain, Links};
pub use closures::{After, AfterFn, Before, BeforeFn};
pub use future::ResponseFuture;
pub use hook::{Hook, Outcome};
pub use layer::HooksLayer;
pub use list::HookList;
pub use own::HookResponse;
pub use service::Hooks;
