//! The requests of a connection, from their first record to the end of their responses.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::Request;
use tokio::{
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::Instant,
};
use tower_kit::Preferences;

use super::{
    Limits,
    call::{Ended, rejection},
    connection::Protocol,
    outlet::Shelf,
    reader::{ONLY, Reader, Violation},
    request_body::{self, Feed, RequestBody, Room},
};
use crate::{
    events::Event,
    fault::Fault,
    pairs,
    record::{
        GET_VALUES_RESULT, HEADER_LEN, Header, OVERLOADED, REQUEST_COMPLETE, RESPONDER,
        UNKNOWN_ROLE, UNKNOWN_TYPE,
    },
    request_head,
    scgi_head::ScgiHeadError,
};

/// The time after the signal to end in which the first request of a connection may come. A web
/// server connects when it has one, so it is on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// Records are not read on while as many pieces wait to be sent.
const PENDING: usize = 16;

/// The requests of a connection.
pub(crate) struct Requests {
    limits: Arc<Limits>,
    reader: Reader,
    /// Those that have not ended, by their ids. Mostly there is one.
    active: Vec<(u16, Active)>,
    tasks: JoinSet<Ended>,
    /// Where the connection puts what it sends itself.
    shelf: Arc<Shelf>,
    /// Woken when a service has taken what was held of its body.
    room: Arc<Room>,
    /// `None` after the first request has begun.
    opened: Option<Instant>,
    /// When the server was told to end.
    drained: Option<Instant>,
    /// The web server does not want the response of the request without a task of its own.
    is_own_dropped: bool,
    /// A service has not taken what is held of its body.
    is_full: bool,
    /// No further bytes are read, because there is no room for them.
    is_blocked: bool,
    /// No further request begins.
    is_closing: bool,
    /// A response has broken off.
    is_cut: bool,
}

/// A request that has not ended.
struct Active {
    /// Whether the connection stays open after it.
    keep: bool,
    stage: Stage,
}

#[allow(
    clippy::large_enum_variant,
    reason = "a box would cost each request an allocation"
)]
enum Stage {
    /// The variables are not complete.
    Head(Variables, Instant),
    /// The service is about to be called.
    Ready(Request<()>, Content),
    Called(Option<Feed>, Task),
    /// The web server does not want the response.
    Aborted(Task),
}

/// The variables that have come.
enum Variables {
    /// Mostly they come as a whole, and are not copied.
    Whole(Bytes),
    Joined(BytesMut),
}

impl Variables {
    fn len(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Joined(bytes) => bytes.len(),
        }
    }

    fn push(&mut self, more: Bytes) {
        match self {
            Self::Whole(bytes) if bytes.is_empty() => *bytes = more,
            Self::Whole(bytes) => {
                let mut joined = BytesMut::from(&bytes[..]);
                joined.extend_from_slice(&more);
                *self = Self::Joined(joined);
            }
            Self::Joined(bytes) => bytes.extend_from_slice(&more),
        }
    }

    fn take(&mut self) -> Bytes {
        match std::mem::replace(self, Self::Whole(Bytes::new())) {
            Self::Whole(bytes) => bytes,
            Self::Joined(bytes) => bytes.freeze(),
        }
    }
}

/// The body of a request before the service is called.
enum Content {
    /// Nothing of it has come. The length is what CONTENT_LENGTH states.
    Open(Option<u64>),
    Fed(Feed, RequestBody),
    /// It is complete and empty.
    Empty,
}

/// What runs a request.
#[derive(Clone)]
enum Task {
    /// The task of the connection.
    Own,
    Spawned {
        handle: AbortHandle,
        /// Whether the response has left as a whole. The task may then still drop what it has.
        has_ended: Arc<AtomicBool>,
    },
}

impl Active {
    fn task(&self) -> Option<&Task> {
        match &self.stage {
            Stage::Called(_, task) | Stage::Aborted(task) => Some(task),
            Stage::Head(..) | Stage::Ready(..) => None,
        }
    }

    fn has_ended(&self, shelf: &Shelf) -> bool {
        self.task().is_some_and(|task| match task {
            Task::Own => shelf.has_ended(),
            Task::Spawned { has_ended, .. } => has_ended.load(Ordering::Acquire),
        })
    }
}

impl Requests {
    pub(crate) fn new(protocol: Protocol, limits: Arc<Limits>, shelf: Arc<Shelf>) -> Self {
        let reader = match protocol {
            Protocol::FastCgi => Reader::fastcgi(),
            Protocol::Scgi => Reader::scgi(limits.head_limit),
        };
        Self {
            limits,
            reader,
            active: Vec::new(),
            tasks: JoinSet::new(),
            shelf,
            room: Arc::default(),
            opened: Some(Instant::now()),
            drained: None,
            is_own_dropped: false,
            is_full: false,
            is_blocked: false,
            is_closing: false,
            is_cut: false,
        }
    }

    /// Takes the events of the bytes that have come, while there is room for them.
    pub(crate) fn take(&mut self, bytes: &mut BytesMut) -> Result<(), Violation> {
        loop {
            let is_full = self.is_any_full();
            if std::mem::replace(&mut self.is_full, is_full) && !is_full {
                self.restart_heads();
            }
            self.is_blocked = is_full || self.shelf.waiting() >= PENDING;
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

    /// Returns whether no further bytes are read, because there is no room for them.
    pub(crate) fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Returns whether a request has a task of its own.
    pub(crate) fn has_tasks(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// Becomes true when there is room again after a service has not read its body.
    pub(crate) fn poll_room(&self, cx: &Context<'_>) -> bool {
        self.is_full && {
            self.room.register(cx);
            !self.is_any_full()
        }
    }

    /// Returns whether a service has not taken what is held of its body.
    fn is_any_full(&self) -> bool {
        self.active.iter().any(|(_, active)| match &active.stage {
            Stage::Ready(_, Content::Fed(feed, _)) | Stage::Called(Some(feed), _) => feed.is_full(),
            Stage::Head(..) | Stage::Ready(..) | Stage::Called(None, _) | Stage::Aborted(_) => {
                false
            }
        })
    }

    /// Gives the variables of requests their time once more, because nothing was read.
    fn restart_heads(&mut self) {
        for (_, active) in &mut self.active {
            if let Stage::Head(_, since) = &mut active.stage {
                *since = Instant::now();
            }
        }
    }

    fn find(&mut self, id: u16) -> Option<&mut Active> {
        let mut active = self.active.iter_mut();
        active.find(|(its, _)| *its == id).map(|(_, active)| active)
    }

    fn remove(&mut self, id: u16) -> Option<Active> {
        let index = self.active.iter().position(|(its, _)| *its == id)?;
        Some(self.active.remove(index).1)
    }

    fn event(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Begin { id, role, keep } => return self.begins(id, role, keep),
            Event::Params(id, content) => {
                let limit = self.limits.head_limit;
                if let Some(active) = self.find(id)
                    && let Stage::Head(variables, _) = &mut active.stage
                {
                    if variables.len() + content.len() > limit {
                        self.refuse(id, Fault::TooLarge);
                    } else {
                        variables.push(content);
                    }
                }
            }
            Event::ParamsEnd(id) => self.has_head(id),
            Event::Stdin(id, content) => {
                if let Some(feed) = self.feed(id) {
                    feed.push(content);
                }
            }
            Event::StdinEnd(id) => self.has_body(id),
            Event::Abort(id) => self.abort(id),
            Event::Values(names) => self.shelf.raw(&self.values(&names)),
            Event::Unknown(kind) => {
                let content = [kind, 0, 0, 0, 0, 0, 0, 0];
                self.shelf.raw(&about_connection(UNKNOWN_TYPE, &content));
            }
        }
        Ok(())
    }

    /// Returns the end of a body that has content.
    fn feed(&mut self, id: u16) -> Option<&mut Feed> {
        let (timeout, room) = (self.limits.body_timeout, self.room.clone());
        match &mut self.find(id)?.stage {
            Stage::Ready(_, content) => {
                if let Content::Open(length) = *content {
                    let (feed, body) = request_body::new(length, timeout, room);
                    *content = Content::Fed(feed, body);
                }
                match content {
                    Content::Fed(feed, _) => Some(feed),
                    Content::Open(_) | Content::Empty => None,
                }
            }
            Stage::Called(feed, _) => feed.as_mut(),
            Stage::Head(..) | Stage::Aborted(_) => None,
        }
    }

    /// Ends the body of a request.
    fn has_body(&mut self, id: u16) {
        if let Some(active) = self.find(id)
            && let Stage::Ready(_, content @ Content::Open(None | Some(0))) = &mut active.stage
        {
            *content = Content::Empty;
        } else if let Some(feed) = self.feed(id) {
            feed.finish();
        }
    }

    fn begins(&mut self, id: u16, role: u16, keep: bool) -> Result<(), Violation> {
        let is_first = self.opened.take().is_some();
        self.release();
        if self.find(id).is_some() {
            return Err(Violation::InUse(id));
        }
        if role != RESPONDER {
            self.reject(id, keep, Fault::NoRole, UNKNOWN_ROLE);
        } else if self.is_closing && !is_first || self.active.len() >= self.limits.requests {
            self.reject(id, keep, Fault::Overloaded, OVERLOADED);
        } else {
            let stage = Stage::Head(Variables::Whole(Bytes::new()), Instant::now());
            self.active.push((id, Active { keep, stage }));
        }
        Ok(())
    }

    /// Releases the ids of the responses that have left as a whole, although their tasks may still
    /// run.
    fn release(&mut self) {
        let Self {
            active,
            shelf,
            is_closing,
            ..
        } = self;
        active.retain(|(_, active)| {
            let has_ended = active.has_ended(shelf);
            *is_closing |= has_ended && !active.keep;
            !has_ended
        });
    }

    /// Makes the request of variables that are complete.
    fn has_head(&mut self, id: u16) {
        let is_mounted = self.limits.is_mounted;
        let is_fastcgi = matches!(self.reader, Reader::FastCgi(_));
        let Some(active) = self.find(id) else {
            return;
        };
        let Stage::Head(variables, _) = &mut active.stage else {
            return;
        };
        let whole = variables.take();
        let head = match is_fastcgi {
            true => request_head::read(pairs::of_fastcgi(&whole), Some(&whole), is_mounted),
            false => request_head::read(pairs::of_scgi(&whole), Some(&whole), is_mounted),
        };
        let head = match head {
            Ok(head) => head,
            Err(fault) => return self.refuse(id, fault),
        };
        let content = match (is_fastcgi, head.length) {
            (_, Some(0)) | (false, None) => Content::Empty,
            // In FastCGI, the body ends at the empty STDIN.
            (_, length) => Content::Open(length),
        };
        active.stage = Stage::Ready(head.request, content);
    }

    /// Rejects a request that has begun.
    fn refuse(&mut self, id: u16, fault: Fault) {
        if let Some(active) = self.remove(id) {
            self.reject(id, active.keep, fault, REQUEST_COMPLETE);
        }
    }

    /// Sends a response without the service. An empty one would be a 200 for Apache.
    fn reject(&mut self, id: u16, keep: bool, fault: Fault, status: u8) {
        tracing::debug!(id, "a request is rejected: {fault}");
        let (head, content) = rejection(fault, Preferences::default());
        self.shelf.output(id, Some(&head), content, false);
        self.shelf.end(id, status);
        self.is_closing |= !keep;
    }

    fn abort(&mut self, id: u16) {
        let shelf = self.shelf.clone();
        let Some(active) = self.find(id) else {
            return;
        };
        match active.task().cloned() {
            None => self.is_gone(id),
            Some(_) if active.has_ended(&shelf) => {}
            Some(Task::Own) => {
                self.is_own_dropped = true;
                self.is_gone(id);
            }
            Some(task) => {
                // The end is sent when the task is gone, so that no output comes after it.
                if let Task::Spawned { handle, .. } = &task {
                    handle.abort();
                }
                active.stage = Stage::Aborted(task);
            }
        }
    }

    /// Returns whether the request without a task of its own is to be dropped.
    pub(crate) fn is_own_dropped(&mut self) -> bool {
        std::mem::take(&mut self.is_own_dropped)
    }

    /// Ends a request without a response, or after a part of it.
    fn is_gone(&mut self, id: u16) {
        if let Some(active) = self.remove(id) {
            self.shelf.end(id, REQUEST_COMPLETE);
            self.is_closing |= !active.keep;
        }
    }

    /// Begins the requests that are ready. `start` returns the future of a request that gets a task
    /// of its own, and whether its response has left as a whole.
    ///
    /// All events are taken before, so that a body which has come with the head is known.
    pub(crate) fn begin<F>(
        &mut self,
        mut start: impl FnMut(u16, Request<RequestBody>) -> Option<(F, Arc<AtomicBool>)>,
    ) where
        F: Future<Output = Ended> + Send + 'static,
    {
        for (id, active) in &mut self.active {
            if !matches!(active.stage, Stage::Ready(..)) {
                continue;
            }
            let called = Stage::Called(None, Task::Own);
            let Stage::Ready(request, content) = std::mem::replace(&mut active.stage, called)
            else {
                unreachable!("it is ready");
            };
            let (feed, body) = match content {
                Content::Open(length) => {
                    let (timeout, room) = (self.limits.body_timeout, self.room.clone());
                    let (feed, body) = request_body::new(length, timeout, room);
                    (Some(feed), body)
                }
                Content::Fed(feed, body) => (Some(feed), body),
                Content::Empty => (None, RequestBody::default()),
            };
            let task = match start(*id, request.map(|()| body)) {
                None => Task::Own,
                Some((running, has_ended)) => Task::Spawned {
                    handle: self.tasks.spawn(running),
                    has_ended,
                },
            };
            active.stage = Stage::Called(feed, task);
        }
    }

    /// Notes the end of the request that has no task of its own.
    pub(crate) fn own_ended(&mut self) {
        self.ended(|task| matches!(task, Task::Own), true);
    }

    /// Notes the end of tasks, and returns whether there was one.
    pub(crate) fn join(&mut self, cx: &mut Context<'_>) -> bool {
        let mut has_joined = false;
        while !self.tasks.is_empty()
            && let Poll::Ready(Some(joined)) = self.tasks.poll_join_next_with_id(cx)
        {
            has_joined = true;
            self.task_ended(joined);
        }
        has_joined
    }

    /// Notes the end of a task.
    fn task_ended(&mut self, joined: Result<(Id, Ended), JoinError>) {
        let (id, has_returned) = match joined {
            Ok((id, _)) => (id, true),
            Err(error) => (error.id(), false),
        };
        let is_it = |task: &Task| matches!(task, Task::Spawned { handle, .. } if handle.id() == id);
        self.ended(is_it, has_returned);
    }

    fn ended(&mut self, is_it: impl Fn(&Task) -> bool, has_returned: bool) {
        let mut requests = self.active.iter();
        // It is not there if its id was released.
        let Some((id, active)) = requests.find(|(_, active)| active.task().is_some_and(&is_it))
        else {
            return;
        };
        let id = *id;
        if active.has_ended(&self.shelf) {
            // Also if what was dropped after the response has panicked.
            self.release();
        } else if has_returned {
            // A request without an end, at which web servers notice that the response is cut.
            self.remove(id);
            (self.is_closing, self.is_cut) = (true, true);
        } else {
            self.is_gone(id);
        }
    }

    /// Lets no further request begin, except for the first one.
    pub(crate) fn drain(&mut self) {
        self.is_closing = true;
        self.drained = Some(Instant::now());
    }

    /// Returns whether nothing is left to be done, except to write.
    pub(crate) fn is_over(&self) -> bool {
        self.is_closing && self.active.is_empty() && self.opened.is_none()
    }

    /// Returns whether a response has broken off.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Returns when the head of a request has to be complete, or the first one has to begin.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let begun = self.active.iter().filter_map(|(_, active)| {
            let Stage::Head(_, since) = active.stage else {
                return None;
            };
            (!self.is_full).then_some(since)
        });
        let since = begun.chain(self.opened).min()?;
        let first = self.drained.filter(|_| self.opened.is_some());
        let times = [
            since.checked_add(self.limits.header_timeout),
            first.map(|drained| drained + ON_ITS_WAY.min(self.limits.drain_timeout / 2)),
        ];
        times.into_iter().flatten().min()
    }

    /// Returns the answer to a question about the connection: the values of the names that are
    /// known.
    fn values(&self, names: &[u8]) -> Vec<u8> {
        let pairs: Result<Vec<_>, _> = pairs::of_fastcgi(names).collect();
        let pairs = pairs.unwrap_or_default();
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
fn about_connection(kind: u8, content: &[u8]) -> Vec<u8> {
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
    record
}
