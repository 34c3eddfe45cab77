//! The app of a file, rebuilt while it serves.

mod current;
#[cfg(feature = "cli")]
mod lookup;
#[cfg(feature = "cli")]
mod watch;

#[cfg(feature = "cli")]
pub(crate) use current::Contents;
pub use current::Reload;
#[cfg(feature = "cli")]
pub(crate) use watch::Watch;
