use std::{
    fmt,
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{ProcessError, WithProcess, state::Lease};

/// A process that [`Process::start`](crate::Process::start) has started.
///
/// A clone is the same process. It is stopped when this, all clones, all services of it, and the
/// bodies of their responses are dropped, and at the latest when the runtime ends.
#[derive(Clone)]
pub struct Running {
    pub(crate) lease: Arc<Lease>,
    pub(crate) socket: Arc<PathBuf>,
    pub(crate) queue_timeout: Duration,
}

impl Running {
    /// Returns the path of the socket on which the process listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns the address of the socket, such as `unix:/tmp/.tmpX7d/socket`. `Upstream`, `FastCgi`
    /// and `Scgi` take it.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix:{}", self.socket.display())
    }

    /// Returns a service whose requests wait until the process accepts connections, and then go to
    /// the inner service. That one connects to the [`socket`](Self::socket).
    #[must_use]
    pub fn service<S>(&self, inner: S) -> WithProcess<S> {
        WithProcess {
            inner,
            lease: self.lease.clone(),
            queue_timeout: self.queue_timeout,
        }
    }

    /// Waits until the process accepts connections.
    ///
    /// # Errors
    ///
    /// The process has ended before that, or took longer than its
    /// [`start_timeout`](crate::Process::start_timeout). It is started again nevertheless.
    pub async fn ready(&self) -> Result<(), ProcessError> {
        self.lease.shared.ready().await
    }

    /// Stops the process, also for all clones and services, and waits until it has ended.
    pub async fn stop(&self) {
        self.lease.shared.stop();
        self.lease.shared.stopped().await;
    }

    /// Returns a future that waits until the process has ended for good. It does not keep the
    /// process.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared = self.lease.shared.clone();
        async move { shared.stopped().await }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
