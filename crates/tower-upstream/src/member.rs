//! One of the upstreams: its idle connections, and whether it responds.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::{Address, connection::Connection, health::Health};

/// The largest number of idle connections. An older one is closed for a newer one.
const MAX_IDLE: usize = 256;
/// The least time between two looks for connections that have been idle for too long.
const PAUSE: Duration = Duration::from_millis(200);

/// One of the upstreams.
pub(crate) struct Member {
    pub(crate) address: Address,
    pub(crate) health: Health,
    /// The number of requests that are under way.
    active: AtomicUsize,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The one that was used last is the last one.
    connections: Vec<Kept>,
    /// Whether a task closes those that are idle for too long.
    is_watched: bool,
}

struct Kept {
    connection: Box<Connection>,
    until: Instant,
}

impl Member {
    pub(crate) fn new(address: Address) -> Arc<Self> {
        Arc::new(Self {
            address,
            health: Health::default(),
            active: AtomicUsize::new(0),
            idle: Mutex::default(),
        })
    }

    /// Returns the number of requests that are under way.
    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// Returns an idle connection that can take a request. With `probe`, the system is asked
    /// whether the upstream has closed it.
    fn take(&self, probe: bool) -> Option<Box<Connection>> {
        let now = Instant::now();
        loop {
            // Not under the lock, since a connection is closed when it is dropped.
            let mut kept = self.idle().connections.pop()?;
            if now < kept.until && kept.connection.is_usable(probe) {
                return Some(kept.connection);
            }
        }
    }

    /// Keeps a connection until this time.
    fn keep(self: &Arc<Self>, connection: Box<Connection>, until: Instant) {
        connection.rest();
        let mut idle = self.idle();
        let oldest = (idle.connections.len() == MAX_IDLE).then(|| idle.connections.remove(0));
        idle.connections.push(Kept { connection, until });
        let has_watch = std::mem::replace(&mut idle.is_watched, true);
        drop(idle);
        drop(oldest);
        if !has_watch {
            tokio::spawn(Watch(Arc::downgrade(self)).run());
        }
    }

    /// Takes out the connections that have been idle for too long, and returns the time at which
    /// the next one has been. If there is none, the watch is over.
    fn expire(&self) -> (Vec<Kept>, Option<Instant>) {
        let now = Instant::now();
        let mut idle = self.idle();
        let expired = idle.connections.extract_if(.., |kept| kept.until <= now);
        let expired = expired.collect();
        let next = idle.connections.iter().map(|kept| kept.until).min();
        idle.is_watched = next.is_some();
        (expired, next.map(|next| next.max(now + PAUSE)))
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        // No code panics while it is locked.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections that have been idle for too long. It ends when there is none.
struct Watch(Weak<Member>);

impl Watch {
    async fn run(mut self) {
        loop {
            let Some((expired, next)) = self.0.upgrade().map(|member| member.expire()) else {
                return;
            };
            drop(expired);
            let Some(next) = next else {
                // That has been noted under the lock, and the next connection begins another watch.
                self.0 = Weak::new();
                return;
            };
            sleep_until(next).await;
        }
    }
}

/// If the runtime ends before the member, another one may need a watch.
impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(member) = self.0.upgrade() {
            member.idle().is_watched = false;
        }
    }
}

/// A request that is under way at one of the upstreams, with its connection.
///
/// If it is dropped before the connection is handed back, the connection is closed.
pub(crate) struct Lease {
    member: Arc<Member>,
    connection: Option<Box<Connection>>,
    /// Whether the connection has had a request before.
    is_kept: bool,
}

impl Lease {
    pub(crate) fn new(member: Arc<Member>) -> Self {
        member.active.fetch_add(1, Ordering::Relaxed);
        Self {
            member,
            connection: None,
            is_kept: false,
        }
    }

    pub(crate) fn member(&self) -> &Member {
        &self.member
    }

    /// Whether the connection has had a request before.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Takes an idle connection, and returns whether there is one.
    pub(crate) fn take_kept(&mut self, probe: bool) -> bool {
        self.connection = self.member.take(probe);
        self.is_kept = self.connection.is_some();
        self.is_kept
    }

    /// Takes a new connection.
    pub(crate) fn set_new(&mut self, connection: Connection) {
        self.connection = Some(Box::new(connection));
    }

    pub(crate) fn connection(&mut self) -> Option<&mut Connection> {
        self.connection.as_deref_mut()
    }

    /// Takes the connection out. The request is under way until the lease is dropped.
    pub(crate) fn detach(&mut self) -> Option<Connection> {
        self.connection.take().map(|connection| *connection)
    }

    /// Hands the connection back, if it can take another request. It is kept for this time.
    pub(crate) fn hand_back(mut self, idle_time: Duration) {
        if let Some(connection) = self.connection.take()
            && !idle_time.is_zero()
            && connection.is_ready()
        {
            self.member.keep(connection, Instant::now() + idle_time);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.member.active.fetch_sub(1, Ordering::Relaxed);
    }
}
