#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backtrace;
mod body;
#[cfg(feature = "debug")]
mod debug;
#[cfg(feature = "debug")]
mod debug_layer;
mod ending;
mod error;
mod future;
mod guard;
mod hook;
mod incident;
mod layer;
mod messages;
mod plain;
mod report;
mod request_head;
mod service;
mod snapshot;
mod status;
mod watch;

pub use backtrace::{CallFrame, PanicLocation};
pub use body::ResponseBody;
#[cfg(feature = "debug")]
pub use debug_layer::DebugExceptionLayer;
pub use error::{Aborted, BoxError};
pub use future::ResponseFuture;
pub use hook::install_panic_hook;
pub use incident::{Incident, Phase, Unredacted};
pub use layer::ExceptionLayer;
pub use plain::PlainError;
pub use report::to_stderr;
#[cfg(feature = "tracing")]
pub use report::to_tracing;
pub use service::Exception;
pub use snapshot::{Snapshot, SnapshotLayer};
pub use status::UploadError;
#[cfg(feature = "tower")]
pub use status::tower_status;

/// Without its feature there is no page: this compiles only with it.
///
#[cfg_attr(feature = "debug", doc = "```")]
#[cfg_attr(not(feature = "debug"), doc = "```compile_fail,E0599")]
/// let _ = tower_exception::ExceptionLayer::debug(|_| {}, |_| None);
/// ```
#[cfg(doctest)]
struct NoPageWithoutItsFeature;

/// The options of development do not exist in production:
///
/// ```compile_fail,E0599
/// let _ = tower_exception::ExceptionLayer::production(|_| {}).force();
/// ```
#[cfg(doctest)]
struct NoDebugOptionInProduction;
