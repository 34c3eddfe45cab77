//! One of the upstreams: its idle connections, and whether it responds.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::{
    Address, UpstreamError,
    connect::{Connector, New},
    connection::Connection,
    health::Health,
    http2::Place,
    protocol::Spoken,
    transport::Transport,
};

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
    connector: Connector,
    /// Makes connections that speak HTTP/1.
    http1: Connector,
    /// Whether the last connection of an upstream with that choice speaks HTTP/1.
    chose_http1: AtomicBool,
    /// Held while a connection is made that many requests may share.
    connecting: tokio::sync::Mutex<()>,
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
    pub(crate) fn new(address: Address, transport: &Transport) -> Arc<Self> {
        Arc::new(Self {
            connector: Connector::new(address.clone(), transport),
            http1: Connector::new(address.clone(), &transport.http1()),
            address,
            health: Health::default(),
            active: AtomicUsize::new(0),
            idle: Mutex::default(),
            chose_http1: AtomicBool::new(false),
            connecting: tokio::sync::Mutex::default(),
        })
    }

    /// Returns whether a connection may speak HTTP/2.
    pub(crate) fn may_be_http2(&self) -> bool {
        self.connector.may_be_http2()
    }

    /// Returns the number of requests that are under way.
    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// Returns an idle connection. With `probe`, the system will be asked whether the upstream has
    /// closed it.
    ///
    /// There is none if the upstream has failed. They were made before that, and if each trial took
    /// one of them, an upstream that is back would get no request until all are used up.
    fn take(&self, probe: bool) -> Option<Box<Connection>> {
        if self.health.has_failed() {
            // Not under the lock, as below.
            let closed = std::mem::take(&mut self.idle().connections);
            drop(closed);
            return None;
        }
        let now = Instant::now();
        loop {
            // Not under the lock, since a connection is closed when it is dropped.
            let kept = self.idle().connections.pop()?;
            if now < kept.until {
                if probe || kept.connection.is_doubtful() {
                    kept.connection.probe();
                }
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

/// Which connection a request may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Any one. With `probe`, the system is asked whether the upstream has closed an idle one.
    Any { probe: bool },
    /// A new one.
    New,
    /// A new one that speaks HTTP/1, and so can leave HTTP.
    NewHttp1,
}

/// A request that is under way at one of the upstreams, with its connection.
///
/// If it is dropped before the connection is handed back, the connection is closed.
pub(crate) struct Lease {
    member: Arc<Member>,
    connection: Option<Box<Connection>>,
    /// The place on a connection that others use as well, instead of a connection.
    place: Option<Place>,
    /// Whether the connection has had a request before.
    is_kept: bool,
}

impl Lease {
    pub(crate) fn new(member: Arc<Member>) -> Self {
        member.active.fetch_add(1, Ordering::Relaxed);
        Self {
            member,
            connection: None,
            place: None,
            is_kept: false,
        }
    }

    pub(crate) fn member(&self) -> &Arc<Member> {
        &self.member
    }

    /// Whether the connection has had a request before.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Takes a place on a connection, or an idle connection, and returns whether there is one.
    pub(crate) fn take_kept(&mut self, probe: bool) -> bool {
        if self.member.may_be_http2() {
            self.place = self.member.connector.shared().place();
        }
        if self.place.is_none() {
            self.connection = self.member.take(probe);
        }
        self.is_kept = self.place.is_some() || self.connection.is_some();
        self.is_kept
    }

    /// Makes a connection, or waits for one that another request makes, if it can share that.
    ///
    /// # Errors
    ///
    /// Returns an error if no connection can be made within this time.
    pub(crate) async fn connect(
        &mut self,
        choice: Choice,
        limit: Duration,
        keep_time: Duration,
    ) -> Result<(), UpstreamError> {
        let start = Instant::now();
        let member = self.member.clone();
        if choice == Choice::NewHttp1 {
            return self.set(member.http1.connect(limit, keep_time).await?);
        }
        let is_new = choice == Choice::New;
        let waits = !is_new && member.may_be_http2() && !member.chose_http1.load(Ordering::Relaxed);
        let turn = match waits {
            true => match tokio::time::timeout(limit, member.connecting.lock()).await {
                Ok(turn) => Some(turn),
                Err(_) => return Err(UpstreamError::ConnectTimeout),
            },
            false => None,
        };
        if turn.is_some() && self.take_shared() {
            return Ok(());
        }
        // Connections that cannot be shared are made at the same time.
        let _turn = turn.filter(|_| !member.chose_http1.load(Ordering::Relaxed));
        let left = limit.saturating_sub(start.elapsed());
        let new = member.connector.connect(left, keep_time).await?;
        let is_http1 = matches!(new, New::Http1(_));
        member.chose_http1.store(is_http1, Ordering::Relaxed);
        self.set(new)
    }

    fn set(&mut self, new: New) -> Result<(), UpstreamError> {
        match new {
            New::Http1(connection) => self.connection = Some(connection),
            New::Http2(place) => self.place = Some(place),
        }
        Ok(())
    }

    fn take_shared(&mut self) -> bool {
        self.place = self.member.connector.shared().place();
        self.is_kept = self.place.is_some();
        self.is_kept
    }

    /// Returns the protocol of the connection.
    pub(crate) fn spoken(&self) -> Spoken {
        match &self.place {
            Some(_) => Spoken::Http2,
            None => Spoken::Http1,
        }
    }

    pub(crate) fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// Takes no more requests to a connection that others share, since nothing comes from it.
    pub(crate) fn retire(&self) {
        if let Some(place) = &self.place {
            place.retire();
        }
    }

    pub(crate) fn connection(&mut self) -> Option<&mut Connection> {
        self.connection.as_deref_mut()
    }

    /// Keeps the head of the next request as it is written.
    pub(crate) fn keep_written(&self) {
        if let Some(connection) = &self.connection {
            connection.keep_written();
        }
    }

    /// Returns the head of the last request as it was written.
    pub(crate) fn take_written(&self) -> Option<Vec<u8>> {
        let connection = self.connection.as_ref()?;
        connection.take_written()
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
