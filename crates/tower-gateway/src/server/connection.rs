//! The life of a connection from a web server.

use std::{
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::Body;
use rustix::net::Shutdown;
use tokio::{
    sync::{Notify, mpsc, watch},
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, sleep_until, timeout},
};
use tower_kit::Preferences;
use tower_service::Service;

use super::{
    Limits,
    call::{self, Ended, rejection},
    outlet::{self, Framing, Outlet, Piece},
    reader::{ONLY, Reader, Violation},
    request_body::{self, Feed, RequestBody},
};
use crate::{
    error::BoxError,
    events::Event,
    pairs,
    record::{
        GET_VALUES_RESULT, HEADER_LEN, Header, OVERLOADED, REQUEST_COMPLETE, RESPONDER,
        UNKNOWN_ROLE, UNKNOWN_TYPE,
    },
    request_head::{self, Fault},
    scgi_head::ScgiHeadError,
    stream::Stream,
};

/// A web server that sends nothing for this time is not waited for after the last response.
const SILENCE: Duration = Duration::from_secs(5);
/// Records are not read on while as many pieces of this connection's own wait to be sent.
const PENDING: usize = 16;

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    FastCgi,
    Scgi,
}

/// Serves a connection until it is closed. When `draining` changes, requests that have begun end,
/// and no more begin.
pub(crate) async fn serve<S, B>(
    stream: Stream,
    protocol: Protocol,
    limits: Arc<Limits>,
    service: S,
    mut draining: watch::Receiver<()>,
) where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let stream = Arc::new(stream);
    let (sender, receiver) = outlet::channel();
    let framing = match protocol {
        Protocol::FastCgi => Framing::FastCgi,
        Protocol::Scgi => Framing::Plain,
    };
    let writing = outlet::write(stream.clone(), receiver, framing, limits.write_timeout);
    let mut writing = pin!(writing);
    let mut bytes = BytesMut::new();
    let mut connection = Connection::new(protocol, limits, sender.clone());
    let room = connection.room.clone();
    let mut is_draining = false;
    loop {
        if let Err(violation) = connection.take(&mut bytes) {
            tracing::warn!("a connection is closed: {violation}");
            return;
        }
        connection.begin(&service);
        if connection.is_over() {
            break;
        }
        let deadline = connection.deadline();
        tokio::select! {
            written = &mut writing => {
                tracing::debug!(?written, "the web server does not take the response");
                return;
            }
            _ = poll_fn(|cx| poll_own(&mut connection.own, cx)), if connection.own.is_some() => {
                connection.own_ended();
            }
            Some(joined) = connection.tasks.join_next_with_id(),
                if !connection.tasks.is_empty() => connection.task_ended(joined),
            read = poll_fn(|cx| stream.poll_read(cx, &mut bytes)), if !connection.is_blocked => {
                // Its end is the only sign that a client has left. Requests are dropped with this.
                if !matches!(read, Ok(1..)) {
                    return;
                }
            }
            Ok(permit) = sender.reserve(), if !connection.pending.is_empty() => {
                if let Some(piece) = connection.pending.pop_front() {
                    permit.send(piece);
                }
            }
            () = stream.left(), if connection.is_blocked => {
                tracing::debug!("the web server has left, and has sent more than was read");
                return;
            }
            () = room.notified() => {}
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                tracing::debug!("a connection is closed: the head of a request did not come in time");
                return;
            }
            _ = draining.changed(), if !is_draining => {
                is_draining = true;
                connection.is_closing = true;
            }
        }
    }
    let limits = connection.limits.clone();
    // The writer ends when all is written.
    drop((connection, sender));
    if writing.await.is_ok() {
        linger(&stream, &limits).await;
    }
}

/// Closes the sending side at once, because nginx delivers a response only then. Then it reads and
/// discards what comes: a close with input unread would reset the connection, and the response
/// could get lost.
async fn linger(stream: &Stream, limits: &Limits) {
    if stream.shutdown(Shutdown::Write).is_err() {
        return;
    }
    let mut left = limits.lingering_bytes;
    let mut bytes = BytesMut::new();
    let discarding = async {
        while left > 0 {
            bytes.clear();
            let read = poll_fn(|cx| stream.poll_read(cx, &mut bytes));
            let Ok(Ok(read @ 1..)) = timeout(SILENCE, read).await else {
                return;
            };
            left = left.saturating_sub(read as u64);
        }
    };
    let _ = timeout(limits.lingering_time, discarding).await;
}

/// A request that the task of the connection serves itself.
struct Own {
    responding: Pin<Box<dyn Future<Output = Ended> + Send>>,
    has_ended: Arc<AtomicBool>,
}

fn poll_own(own: &mut Option<Own>, cx: &mut Context<'_>) -> Poll<Ended> {
    match own {
        Some(own) => own.responding.as_mut().poll(cx),
        None => Poll::Pending,
    }
}

/// The requests of a connection.
struct Connection {
    limits: Arc<Limits>,
    reader: Reader,
    requests: BTreeMap<u16, Active>,
    /// The first request has no task of its own, since web servers send one at a time.
    own: Option<Own>,
    tasks: JoinSet<Ended>,
    sender: mpsc::Sender<Piece>,
    /// What the connection itself sends.
    pending: VecDeque<Piece>,
    /// Notified when a service has taken what was held of its body.
    room: Arc<Notify>,
    /// `None` after the first request has begun.
    opened: Option<Instant>,
    /// A service has not taken what is held of its body.
    is_full: bool,
    /// No further bytes are read, because there is no room for them.
    is_blocked: bool,
    /// No further request begins.
    is_closing: bool,
}

/// A request that has not ended.
struct Active {
    /// Whether the connection stays open after it.
    keep: bool,
    stage: Stage,
}

enum Stage {
    /// The variables are not complete.
    Head(BytesMut, Instant),
    /// The service is about to be called.
    Ready(Box<Request<RequestBody>>, Feed),
    Called(Feed, Task),
    /// The web server does not want the response.
    Aborted(Task),
}

/// The task of a request.
#[derive(Clone)]
struct Task {
    /// `None` if the task of the connection serves it.
    handle: Option<AbortHandle>,
    /// Whether the response has left as a whole. The task may then still drop what it has.
    has_ended: Arc<AtomicBool>,
}

impl Active {
    fn task(&self) -> Option<&Task> {
        match &self.stage {
            Stage::Called(_, task) | Stage::Aborted(task) => Some(task),
            Stage::Head(..) | Stage::Ready(..) => None,
        }
    }

    fn has_ended(&self) -> bool {
        self.task().is_some_and(Task::has_ended)
    }
}

impl Task {
    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }
}

impl Connection {
    fn new(protocol: Protocol, limits: Arc<Limits>, sender: mpsc::Sender<Piece>) -> Self {
        let reader = match protocol {
            Protocol::FastCgi => Reader::fastcgi(),
            Protocol::Scgi => Reader::scgi(limits.head_limit),
        };
        Self {
            limits,
            reader,
            requests: BTreeMap::new(),
            own: None,
            tasks: JoinSet::new(),
            sender,
            pending: VecDeque::new(),
            room: Arc::default(),
            opened: Some(Instant::now()),
            is_full: false,
            is_blocked: false,
            is_closing: false,
        }
    }

    /// Takes the events of the bytes that have come, while there is room for them.
    fn take(&mut self, bytes: &mut BytesMut) -> Result<(), Violation> {
        loop {
            let is_full = self.is_any_full();
            if std::mem::replace(&mut self.is_full, is_full) && !is_full {
                self.restart_heads();
            }
            self.is_blocked = self.pending.len() >= PENDING || self.is_full;
            if self.is_blocked {
                return Ok(());
            }
            match self.reader.next(bytes) {
                Ok(Some(event)) => self.event(event)?,
                Ok(None) => return Ok(()),
                Err(Violation::ScgiHead(ScgiHeadError::TooLarge(_))) => {
                    self.opened = None;
                    self.reader = Reader::over();
                    self.reject(ONLY, false, Fault::TooLarge, REQUEST_COMPLETE);
                }
                Err(violation) => return Err(violation),
            }
        }
    }

    /// Returns whether a service has not taken what is held of its body.
    fn is_any_full(&self) -> bool {
        self.requests.values().any(|active| match &active.stage {
            Stage::Ready(_, feed) | Stage::Called(feed, _) => feed.is_full(),
            Stage::Head(..) | Stage::Aborted(_) => false,
        })
    }

    /// Gives the variables of requests their time once more, because nothing was read.
    fn restart_heads(&mut self) {
        for active in self.requests.values_mut() {
            if let Stage::Head(_, since) = &mut active.stage {
                *since = Instant::now();
            }
        }
    }

    fn event(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Begin { id, role, keep } => return self.begins(id, role, keep),
            Event::Params(id, content) => {
                if let Some(active) = self.requests.get_mut(&id)
                    && let Stage::Head(params, _) = &mut active.stage
                {
                    if params.len() + content.len() > self.limits.head_limit {
                        self.refuse(id, Fault::TooLarge);
                    } else {
                        params.extend_from_slice(&content);
                    }
                }
            }
            Event::ParamsEnd(id) => self.has_head(id),
            Event::Stdin(id, content) => {
                if let Some(feed) = self.feed(id) {
                    feed.push(content);
                }
            }
            Event::StdinEnd(id) => {
                if let Some(feed) = self.feed(id) {
                    feed.finish();
                }
            }
            Event::Abort(id) => self.abort(id),
            Event::Values(names) => {
                let values = self.values(&names);
                self.pending.push_back(Piece::Raw(values));
            }
            Event::Unknown(kind) => {
                let content = [kind, 0, 0, 0, 0, 0, 0, 0];
                self.pending
                    .push_back(Piece::Raw(about_connection(UNKNOWN_TYPE, &content)));
            }
        }
        Ok(())
    }

    fn feed(&mut self, id: u16) -> Option<&mut Feed> {
        match &mut self.requests.get_mut(&id)?.stage {
            Stage::Ready(_, feed) | Stage::Called(feed, _) => Some(feed),
            Stage::Head(..) | Stage::Aborted(_) => None,
        }
    }

    fn begins(&mut self, id: u16, role: u16, keep: bool) -> Result<(), Violation> {
        self.opened = None;
        self.release();
        if self.requests.contains_key(&id) {
            return Err(Violation::InUse(id));
        }
        if role != RESPONDER {
            self.reject(id, keep, Fault::NoRole, UNKNOWN_ROLE);
        } else if self.is_closing || self.requests.len() >= self.limits.requests {
            self.reject(id, keep, Fault::Overloaded, OVERLOADED);
        } else {
            let stage = Stage::Head(BytesMut::new(), Instant::now());
            self.requests.insert(id, Active { keep, stage });
        }
        Ok(())
    }

    /// Releases the ids of the responses that have left as a whole, although their tasks may still
    /// run.
    fn release(&mut self) {
        let is_closing = &mut self.is_closing;
        self.requests.retain(|_, active| {
            let has_ended = active.has_ended();
            *is_closing |= has_ended && !active.keep;
            !has_ended
        });
    }

    /// Makes the request of variables that are complete.
    fn has_head(&mut self, id: u16) {
        let Some(active) = self.requests.get_mut(&id) else {
            return;
        };
        let Stage::Head(params, _) = &active.stage else {
            return;
        };
        let pairs = match self.reader {
            Reader::FastCgi(_) => pairs::of_fastcgi(params),
            Reader::Scgi(_) => pairs::of_scgi(params),
        };
        let head = pairs.map_err(|error| {
            tracing::debug!("{error}");
            Fault::Variables
        });
        let head = head.and_then(|pairs| request_head::read(pairs, self.limits.is_mounted));
        let head = match head {
            Ok(head) => head,
            Err(fault) => return self.refuse(id, fault),
        };
        let length = match self.reader {
            // The body ends at the empty STDIN.
            Reader::FastCgi(_) => head.length,
            Reader::Scgi(_) => Some(head.length.unwrap_or(0)),
        };
        let room = self.room.clone();
        let (feed, body) = request_body::new(length, self.limits.body_timeout, room);
        active.stage = Stage::Ready(Box::new(head.request.map(|()| body)), feed);
    }

    /// Rejects a request that has begun.
    fn refuse(&mut self, id: u16, fault: Fault) {
        if let Some(active) = self.requests.remove(&id) {
            self.reject(id, active.keep, fault, REQUEST_COMPLETE);
        }
    }

    /// Sends a response without the service. An empty one would be a 200 for Apache.
    fn reject(&mut self, id: u16, keep: bool, fault: Fault, status: u8) {
        tracing::debug!(id, "a request is rejected: {fault}");
        self.pending.push_back(Piece::Output {
            id,
            parts: rejection(fault, Preferences::default()),
            is_last: false,
        });
        self.pending.push_back(Piece::End(id, status));
        self.is_closing |= !keep;
    }

    fn abort(&mut self, id: u16) {
        let Some(active) = self.requests.get_mut(&id) else {
            return;
        };
        match active.task().cloned() {
            None => self.is_gone(id),
            Some(task) if task.has_ended() => {}
            Some(Task { handle: None, .. }) => {
                self.own = None;
                self.is_gone(id);
            }
            Some(task) => {
                // The end is sent when the task is gone, so that no output comes after it.
                if let Some(handle) = &task.handle {
                    handle.abort();
                }
                active.stage = Stage::Aborted(task);
            }
        }
    }

    /// Ends a request without a response, or after a part of it.
    fn is_gone(&mut self, id: u16) {
        if let Some(active) = self.requests.remove(&id) {
            self.pending.push_back(Piece::End(id, REQUEST_COMPLETE));
            self.is_closing |= !active.keep;
        }
    }

    /// Calls the service for the requests that are ready.
    ///
    /// All events are taken before, so that a body which has come with the head is known.
    fn begin<S, B>(&mut self, service: &S)
    where
        S: Service<
                Request<RequestBody>,
                Response = Response<B>,
                Error: Into<BoxError>,
                Future: Send,
            > + Clone
            + Send
            + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        for (id, active) in &mut self.requests {
            if !matches!(active.stage, Stage::Ready(..)) {
                continue;
            }
            let none = Stage::Head(BytesMut::new(), Instant::now());
            let Stage::Ready(request, feed) = std::mem::replace(&mut active.stage, none) else {
                unreachable!("it is ready");
            };
            let outlet = Outlet::new(*id, self.sender.clone());
            let (service, keeps_location) = (service.clone(), self.limits.keeps_location);
            let has_ended = outlet.has_ended();
            let responding = call::run(service, *request, outlet, keeps_location);
            let handle = match self.own {
                None => {
                    self.own = Some(Own {
                        responding: Box::pin(responding),
                        has_ended: has_ended.clone(),
                    });
                    None
                }
                Some(_) => Some(self.tasks.spawn(responding)),
            };
            active.stage = Stage::Called(feed, Task { handle, has_ended });
        }
    }

    /// Notes the end of the request that has no task of its own.
    fn own_ended(&mut self) {
        if let Some(own) = self.own.take() {
            self.ended(|task| Arc::ptr_eq(&task.has_ended, &own.has_ended), true);
        }
    }

    /// Notes the end of a task.
    fn task_ended(&mut self, joined: Result<(Id, Ended), JoinError>) {
        let (id, has_returned) = match joined {
            Ok((id, _)) => (id, true),
            Err(error) => (error.id(), false),
        };
        let is_it = |task: &Task| task.handle.as_ref().is_some_and(|it| it.id() == id);
        self.ended(is_it, has_returned);
    }

    fn ended(&mut self, is_it: impl Fn(&Task) -> bool, has_returned: bool) {
        let mut requests = self.requests.iter();
        // It is not there if its id was released.
        let Some((&id, active)) = requests.find(|(_, active)| active.task().is_some_and(&is_it))
        else {
            return;
        };
        if active.has_ended() {
            // Also if what was dropped after the response has panicked.
            self.release();
        } else if has_returned {
            // A request without an end, at which web servers notice that the response is cut.
            self.requests.remove(&id);
            self.is_closing = true;
        } else {
            self.is_gone(id);
        }
    }

    /// Returns whether nothing is left to be done.
    fn is_over(&self) -> bool {
        self.is_closing && self.requests.is_empty() && self.pending.is_empty()
    }

    /// Returns when the head of a request has to be complete.
    fn deadline(&self) -> Option<Instant> {
        let begun = self
            .requests
            .values()
            .filter_map(|active| match active.stage {
                Stage::Head(_, since) => (!self.is_full).then_some(since),
                Stage::Ready(..) | Stage::Called(..) | Stage::Aborted(_) => None,
            });
        let since = begun.chain(self.opened).min()?;
        since.checked_add(self.limits.header_timeout)
    }

    /// Returns the answer to a question about the connection: the values of the names that are
    /// known.
    fn values(&self, names: &[u8]) -> Bytes {
        let pairs = pairs::of_fastcgi(names).unwrap_or_default();
        let (connections, requests) = (self.limits.connections, self.limits.requests);
        let mut content = Vec::new();
        for (name, value) in [
            ("FCGI_MAX_CONNS", connections),
            ("FCGI_MAX_REQS", connections.saturating_mul(requests)),
            ("FCGI_MPXS_CONNS", usize::from(requests > 1)),
        ] {
            if pairs.iter().any(|(asked, _)| *asked == name.as_bytes()) {
                let value = value.to_string();
                content.extend([name.len(), value.len()].map(|length| length as u8));
                content.extend(name.as_bytes());
                content.extend(value.as_bytes());
            }
        }
        about_connection(GET_VALUES_RESULT, &content)
    }
}

/// Returns a record about the connection.
fn about_connection(kind: u8, content: &[u8]) -> Bytes {
    let header = Header {
        kind,
        id: 0,
        content: content
            .len()
            .try_into()
            .expect("it has three names at most"),
        padding: 0,
    };
    let mut record = Vec::with_capacity(HEADER_LEN + content.len());
    record.extend(header.bytes());
    record.extend(content);
    record.into()
}
