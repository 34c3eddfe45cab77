use std::io;

use tokio::runtime::{self, Runtime};

/// Returns a runtime with several threads.
pub(super) fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_multi_thread().enable_all().build()
}
