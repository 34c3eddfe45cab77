//! The life of a server: it accepts connections, and ends.

use std::{
    future::{Future, poll_fn},
    io,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::sleep,
};
use tower_kit::guard::catch_future;
use tower_service::Service;

use super::{
    Limits,
    connection::{self, Protocol},
    listener::{Listener, is_of_one_connection},
    request_body::RequestBody,
};
use crate::{error::BoxError, stream::Stream};

/// The pause after an error that is not about one connection. Mostly there are too many open
/// files, which passes when some are closed.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until the first signal, and then lets requests end.
pub(crate) async fn serve<S, B>(
    mut listener: Listener,
    protocol: Protocol,
    limits: Limits,
    service: S,
    mut shutdown: Shutdown,
) -> io::Result<()>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let drain_timeout = limits.drain_timeout;
    let slots = Arc::new(Semaphore::new(
        limits.connections.min(Semaphore::MAX_PERMITS),
    ));
    let limits = Arc::new(limits);
    let (serving, draining) = watch::channel(());
    // Its tasks end with it, however this future ends.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.signal() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            (stream, slot) = accept(&mut listener, &slots) => {
                let limits = limits.clone();
                let (service, draining) = (service.clone(), draining.clone());
                let serving = connection::serve(stream, protocol, limits, service, draining);
                connections.spawn(async move {
                    let _slot = slot;
                    // A `Drop` of user code may panic.
                    let _ = catch_future(serving).await;
                });
            }
        }
    }
    // From here on no connection is accepted, and each open one learns of the end.
    drop((listener, serving));
    let ended = async { while connections.join_next().await.is_some() {} };
    let (kind, when) = tokio::select! {
        biased;
        () = ended => return Ok(()),
        () = shutdown.signal() => (io::ErrorKind::Interrupted, "at the second signal".to_owned()),
        () = sleep(drain_timeout) => {
            (io::ErrorKind::TimedOut, format!("{drain_timeout:?} after the signal to end"))
        }
    };
    let count = connections.len();
    let text = match count {
        1 => format!("1 connection was still open {when} and is aborted"),
        count => format!("{count} connections were still open {when} and are aborted"),
    };
    Err(io::Error::new(kind, text))
}

/// Returns the next connection, with the slot that it holds until it is closed. Without a free
/// slot, connections wait in the system's queue.
async fn accept(listener: &mut Listener, slots: &Arc<Semaphore>) -> (Stream, OwnedSemaphorePermit) {
    let slot = slots.clone().acquire_owned().await;
    let slot = slot.expect("the semaphore is never closed");
    loop {
        match poll_fn(|cx| listener.poll_accept(cx)).await {
            Ok(stream) => return (stream, slot),
            Err(error) if is_of_one_connection(&error) => {
                tracing::debug!(%error, "a connection was gone before it was accepted");
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections; trying again in 100 ms");
                sleep(PAUSE).await;
            }
        }
    }
}

/// The signals that end a server.
pub(crate) enum Shutdown {
    #[cfg(unix)]
    Signals(tokio::signal::unix::Signal, tokio::signal::unix::Signal),
    #[cfg(not(unix))]
    Signals,
    /// `None` after it has ended.
    Future(Option<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>>),
}

impl Shutdown {
    /// Returns SIGTERM and SIGINT, which no longer end the process by themselves.
    pub(crate) fn signals() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
            Ok(Self::Signals(signal(terminate)?, signal(interrupt)?))
        }
        #[cfg(not(unix))]
        Ok(Self::Signals)
    }

    /// Waits for the next signal. Dropping the future loses no signal.
    async fn signal(&mut self) {
        let came = match self {
            #[cfg(unix)]
            Self::Signals(terminate, interrupt) => {
                let (terminate, interrupt) = (
                    std::pin::pin!(terminate.recv()),
                    std::pin::pin!(interrupt.recv()),
                );
                tokio::select! {
                    came = terminate => came.is_some(),
                    came = interrupt => came.is_some(),
                }
            }
            #[cfg(not(unix))]
            Self::Signals => tokio::signal::ctrl_c().await.is_ok(),
            Self::Future(future) => match future {
                Some(waiting) => {
                    waiting.as_mut().await;
                    *future = None;
                    true
                }
                None => false,
            },
        };
        if !came {
            std::future::pending::<()>().await;
        }
    }
}
