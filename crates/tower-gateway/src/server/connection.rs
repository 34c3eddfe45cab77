//! The life of a connection from a web server.

use std::{
    future::{Future, poll_fn},
    ops::ControlFlow,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::Body;
use rustix::net::Shutdown;
use tokio::{
    sync::watch,
    time::{Sleep, sleep_until, timeout},
};
use tower_service::Service;

use super::{
    Limits, call,
    frames::Framing,
    outlet::{self, Outbound, Outlet, Shelf},
    request_body::RequestBody,
    requests::Requests,
};
use crate::{error::BoxError, stream::Stream};

/// A web server that sends nothing for this time is not waited for after the last response.
const SILENCE: Duration = Duration::from_secs(5);

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    FastCgi,
    Scgi,
}

/// Serves a connection until it is closed. When `draining` changes, requests that have begun end,
/// and no more begin, except for a first one.
///
/// One task reads, writes and runs the first request. Web servers send one at a time, so mostly
/// nothing has to be woken, and a request takes one read and one write.
pub(crate) async fn serve<S, B>(
    stream: Stream,
    protocol: Protocol,
    limits: Arc<Limits>,
    mut service: S,
    mut draining: watch::Receiver<()>,
) where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (sender, receiver) = outlet::channel();
    let shelf = Arc::new(Shelf::new(match protocol {
        Protocol::FastCgi => Framing::FastCgi,
        Protocol::Scgi => Framing::Plain,
    }));
    let mut connection = Connection {
        outbound: Outbound::new(shelf.clone(), receiver, limits.write_timeout),
        requests: Requests::new(protocol, limits.clone(), shelf.clone()),
        bytes: BytesMut::new(),
        alarm: None,
        look: None,
        stream,
    };
    let is_over = {
        // The request that has no task of its own.
        let mut own = pin!(None);
        let mut drained = pin!(async move {
            let _ = draining.changed().await;
        });
        let mut is_draining = false;
        poll_fn(|cx| {
            loop {
                if let ControlFlow::Break(is_over) = connection.read(cx) {
                    return Poll::Ready(is_over);
                }
                if connection.requests.is_own_dropped() {
                    own.set(None);
                }
                connection.requests.begin(|id, request| {
                    // Not a shared reference, because a service need not be `Sync`.
                    let service = &mut service;
                    let (service, keeps) = (service.clone(), limits.keeps_location);
                    if own.is_none() {
                        let outlet = Outlet::shelf(id, shelf.clone());
                        own.set(Some(call::run(service, request, outlet, keeps)));
                        return None;
                    }
                    let has_ended = Arc::default();
                    let outlet = Outlet::queue(id, sender.clone(), Arc::clone(&has_ended));
                    Some((call::run(service, request, outlet, keeps), has_ended))
                });
                if let Some(running) = own.as_mut().as_pin_mut()
                    && running.poll(cx).is_ready()
                {
                    own.set(None);
                    connection.requests.own_ended();
                }
                if !is_draining && drained.as_mut().poll(cx).is_ready() {
                    is_draining = true;
                    connection.requests.drain();
                }
                match connection.write(cx) {
                    ControlFlow::Break(is_over) => return Poll::Ready(is_over),
                    ControlFlow::Continue(Poll::Pending) => return Poll::Pending,
                    ControlFlow::Continue(Poll::Ready(())) => {}
                }
            }
        })
        .await
    };
    drop(sender);
    if is_over {
        connection.end(&limits).await;
    }
}

/// A connection, without the service.
struct Connection {
    stream: Stream,
    bytes: BytesMut,
    requests: Requests,
    outbound: Outbound,
    /// The time limit for the head of a request.
    alarm: Option<Pin<Box<Sleep>>>,
    /// The time until the next look whether the web server has left.
    look: Option<Pin<Box<Sleep>>>,
}

/// Whether the connection is over in good order, and what is left is written.
type IsOver = bool;

impl Connection {
    /// Reads what there is, as far as there is room for it.
    fn read(&mut self, cx: &mut Context<'_>) -> ControlFlow<IsOver> {
        loop {
            if let Err(violation) = self.requests.take(&mut self.bytes) {
                tracing::warn!("a connection is closed: {violation}");
                return ControlFlow::Break(false);
            }
            if self.requests.is_blocked() {
                if self.stream.poll_left(&mut self.look, cx).is_ready() {
                    tracing::debug!("the web server has left, and has sent more than was read");
                    return ControlFlow::Break(false);
                }
                return ControlFlow::Continue(());
            }
            match self.stream.poll_read(cx, &mut self.bytes) {
                Poll::Ready(Ok(1..)) => {}
                // Its end is the only sign that a client has left. Requests are dropped with this.
                Poll::Ready(_) => return ControlFlow::Break(false),
                Poll::Pending => return ControlFlow::Continue(()),
            }
        }
    }

    /// Writes what there is. Ready if the rest of the work has to be looked at once more.
    fn write(&mut self, cx: &mut Context<'_>) -> ControlFlow<IsOver, Poll<()>> {
        let has_tasks = self.requests.has_tasks();
        let has_room = match self.outbound.write(&self.stream, has_tasks, cx) {
            Ok(has_room) => has_room,
            Err(error) => {
                tracing::debug!(%error, "the web server does not take the response");
                return ControlFlow::Break(false);
            }
        };
        let has_joined = self.requests.join(cx);
        if self.requests.is_over() {
            return ControlFlow::Break(true);
        }
        let has_changed = has_room || has_joined || self.requests.poll_room(cx);
        if has_changed {
            return ControlFlow::Continue(Poll::Ready(()));
        }
        match self.poll_alarm(cx) {
            Poll::Pending => ControlFlow::Continue(Poll::Pending),
            Poll::Ready(()) => {
                tracing::debug!(
                    "a connection is closed: the head of a request did not come in time"
                );
                ControlFlow::Break(false)
            }
        }
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.requests.deadline() else {
            self.alarm = None;
            return Poll::Pending;
        };
        let alarm = self
            .alarm
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if alarm.deadline() != deadline {
            alarm.as_mut().reset(deadline);
        }
        alarm.as_mut().poll(cx)
    }

    /// Writes what is left, and closes.
    async fn end(self, limits: &Limits) {
        let Self {
            stream,
            requests,
            mut outbound,
            ..
        } = self;
        let is_cut = requests.is_cut();
        // Tasks that only drop what they have end with it.
        drop(requests);
        if poll_fn(|cx| outbound.poll_rest(&stream, cx)).await.is_err() {
            return;
        }
        match is_cut {
            // In SCGI, an orderly end would be that of a whole response.
            true => stream.reset(),
            false => linger(&stream, limits).await,
        }
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
