#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backtrace;
mod body;
#[cfg(feature = "debug")]
mod debug;
mod ending;
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
pub use debug::DebugPage;
pub use future::ResponseFuture;
pub use hook::install_panic_hook;
pub use incident::{BoxError, Incident, Phase};
pub use layer::ExceptionLayer;
pub use report::to_stderr;
#[cfg(feature = "tracing")]
pub use report::to_tracing;
pub use service::Exception;
pub use snapshot::{Snapshot, SnapshotLayer};
pub use status::UploadError;
#[cfg(feature = "tower")]
pub use status::tower_status;

#[doc = include_str!("../RULES.md")]
pub mod rules {}

/// The page exists only with its feature:
///
#[cfg_attr(feature = "debug", doc = "```")]
#[cfg_attr(not(feature = "debug"), doc = "```compile_fail,E0432")]
/// use tower_exception::DebugPage;
/// let _ = tower_exception::ExceptionLayer::debug(|_| {}, DebugPage::new(|_| None));
/// ```
#[cfg(doctest)]
struct NoPageWithoutItsFeature;
