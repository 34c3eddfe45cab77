//! Connections to one FastCGI program: how many there are, and which are kept.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use bytes::BytesMut;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::{GatewayError, address::Address, progress::Timer, stream::Stream};

/// An older idle connection is not used again. It is below the limit of every program known.
const IDLE: Duration = Duration::from_secs(30);

/// The right to use one connection or process.
pub(crate) type Permit = OwnedSemaphorePermit;

/// A limit on what is in use at the same time.
#[derive(Clone, Debug)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Turns {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(
            most.clamp(1, Semaphore::MAX_PERMITS),
        )))
    }

    /// Waits for a turn, in the order of the requests.
    pub(crate) async fn wait(&self, limit: Duration) -> Result<Permit, GatewayError> {
        if let Ok(permit) = self.0.clone().try_acquire_owned() {
            return Ok(permit);
        }
        match tokio::time::timeout(limit, self.0.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            // It is never closed.
            Ok(Err(_)) | Err(_) => {
                tracing::warn!(?limit, "{}", GatewayError::Busy);
                Err(GatewayError::Busy)
            }
        }
    }
}

/// The connections to one program. A clone shares them.
#[derive(Clone, Debug)]
pub(crate) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    address: Address,
    connect_timeout: Duration,
    kept: usize,
    idle: Mutex<Idle>,
}

/// A connection that is kept, and what is reused with it.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) stream: Arc<Stream>,
    pub(crate) buffer: BytesMut,
    pub(crate) timer: Timer,
}

#[derive(Debug, Default)]
struct Idle {
    /// The oldest is the first.
    streams: Vec<(Kept, Instant)>,
    /// Whether a task closes them in time.
    is_swept: bool,
}

impl Idle {
    fn close_old(&mut self, now: Instant) {
        self.streams.retain(|(_, since)| now - *since < IDLE);
    }
}

impl Pool {
    pub(crate) fn new(address: Address, connect_timeout: Duration, kept: usize) -> Self {
        Self(Arc::new(Shared {
            address,
            connect_timeout,
            kept,
            idle: Mutex::default(),
        }))
    }

    /// Returns a pool with other options, and no connection yet.
    pub(crate) fn with(&self, connect_timeout: Option<Duration>, kept: Option<usize>) -> Self {
        let connect_timeout = connect_timeout.unwrap_or(self.0.connect_timeout);
        let kept = kept.unwrap_or(self.0.kept);
        Self::new(self.0.address.clone(), connect_timeout, kept)
    }

    /// Returns whether connections are kept after a response.
    pub(crate) fn keeps(&self) -> bool {
        self.0.kept > 0
    }

    /// Returns a connection that was kept, if there is one that is still open.
    ///
    /// The runtime may not have heard yet of a connection that was closed. A request that may be
    /// sent again is, if it gets lost for that. For others the system is asked.
    pub(crate) fn kept(&self, may_be_lost: bool) -> Option<Kept> {
        loop {
            let (kept, since) = self.0.idle().streams.pop()?;
            let is_idle = (may_be_lost && kept.stream.seems_idle()) || kept.stream.is_idle();
            if is_idle && since.elapsed() < IDLE {
                return Some(kept);
            }
        }
    }

    /// Returns a new connection.
    pub(crate) async fn connect(&self) -> Result<Arc<Stream>, GatewayError> {
        let stream = Stream::connect(&self.0.address, self.0.connect_timeout).await?;
        Ok(Arc::new(stream))
    }

    /// Keeps a connection on which nothing is left to be read.
    pub(crate) fn keep(&self, kept: Kept) {
        let now = Instant::now();
        let mut idle = self.0.idle();
        idle.close_old(now);
        if idle.streams.len() < self.0.kept {
            idle.streams.push((kept, now));
            if !idle.is_swept {
                idle.is_swept = true;
                tokio::spawn(sweep(Arc::downgrade(&self.0)));
            }
        }
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        // No code panics while it is locked.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections that are idle for too long, because each may occupy a process.
async fn sweep(pool: Weak<Shared>) {
    let mut next = Instant::now() + IDLE;
    loop {
        tokio::time::sleep_until(next).await;
        let Some(shared) = pool.upgrade() else {
            return;
        };
        let mut idle = shared.idle();
        idle.close_old(Instant::now());
        match idle.streams.first() {
            Some((_, since)) => next = *since + IDLE,
            None => {
                idle.is_swept = false;
                return;
            }
        }
    }
}
