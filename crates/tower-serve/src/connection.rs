use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response};
use tokio::sync::watch;
use tower::BoxError;
use tower_service::Service;

use crate::{
    access_log::OpenLog,
    activity::{Abort, Activity, Phase},
    bell::Bell,
    entry::{Accepted, Entry},
    limits::Limits,
    linger::{Lingering, Version},
    request_body::RequestBody,
    service::ConnectionService,
    stream::Peer,
    timer::Timer,
    versions::Builder,
};

const NO_REQUEST: &str = "no request came in time";

/// What happens on a connection, or to it, apart from its requests.
enum Event {
    Ended(hyper::Result<()>),
    Reset,
    Late(Phase),
    /// The server ends.
    Drains,
}

/// The configuration of HTTP, which all connections of a server share.
pub(crate) struct Protocol {
    http: Builder,
    limits: Limits,
    entry: Entry,
    log: Option<OpenLog>,
}

impl Protocol {
    pub(crate) fn new(limits: Limits, entry: Entry, log: Option<OpenLog>) -> Self {
        Self {
            http: Builder::new(&limits),
            limits,
            entry,
            log,
        }
    }

    /// Serves a connection to its end. After the sender of `draining` is dropped, it ends with the
    /// requests under way.
    pub(crate) async fn serve<S, B>(
        self: Arc<Self>,
        accepted: Accepted,
        service: S,
        draining: watch::Receiver<()>,
    ) where
        S: Service<
                Request<RequestBody>,
                Response = Response<B>,
                Error: Into<BoxError>,
                Future: Send,
            > + Clone
            + Send
            + 'static,
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let peer = accepted.peer;
        match self.run(accepted, service, draining).await {
            Ok(()) => tracing::debug!(?peer, "a connection ended"),
            Err(error) => {
                let error: &(dyn std::error::Error + 'static) = &*error;
                tracing::debug!(?peer, error, "a connection broke off");
            }
        }
    }

    async fn run<S, B>(
        &self,
        accepted: Accepted,
        service: S,
        mut draining: watch::Receiver<()>,
    ) -> Result<(), BoxError>
    where
        S: Service<
                Request<RequestBody>,
                Response = Response<B>,
                Error: Into<BoxError>,
                Future: Send,
            > + Clone
            + Send
            + 'static,
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let activity = Arc::new(Activity::default());
        let mut timer = pin!(Timer::new(&self.limits));
        let mut draining = pin!(draining.changed());
        let mut is_draining = false;
        let opened = {
            let mut opening = pin!(async {
                let opened = self.entry.open(accepted, self.limits.write_timeout).await?;
                let Some(opened) = opened else {
                    return Ok(None);
                };
                let stream = Lingering::new(
                    opened.transport,
                    Arc::clone(&activity),
                    self.limits.lingering,
                );
                let mut opened = (stream, opened.peer, opened.client);
                let version = opened.0.version().await?;
                Ok::<_, BoxError>(Some((version, opened)))
            });
            loop {
                tokio::select! {
                    biased;
                    opened = opening.as_mut() => break opened?,
                    _ = timer.as_mut().late(&activity) => return Err(NO_REQUEST.into()),
                    _ = draining.as_mut(), if !is_draining => {
                        is_draining = true;
                        activity.drains();
                        timer.as_mut().hurry(self.limits.last_head());
                    }
                }
            }
        };
        let Some((version, (stream, peer, client))) = opened else {
            return Ok(());
        };
        let service = ConnectionService {
            inner: service,
            peer: client,
            body_timeout: self.limits.body_timeout,
            lingering: self.limits.lingering,
            activity: Arc::clone(&activity),
            log: self.log.clone(),
        };
        // It is dropped after the connection.
        let cut = Cut {
            peer,
            activity: &activity,
        };
        let mut connection = self.http.serve(version, stream, service);
        let mut is_ending = false;
        let bell = Bell::new();
        let own = Waker::from(Arc::clone(&bell));
        // It is dropped before the connection and its requests are.
        let abort = Abort::armed(&activity);
        let end = {
            let mut reset = pin!(cut.peer.reset());
            loop {
                let event = poll_fn(|cx| {
                    // The connection is polled first, so that the timer sees what has come, and a
                    // request that has come is seen before the connection is closed.
                    if let Poll::Ready(end) = Pin::new(&mut connection).poll(cx) {
                        return Poll::Ready(Event::Ended(end));
                    }
                    let is_set = timer.as_mut().follow(&activity);
                    if is_draining && !is_ending && activity.phase() != Phase::Head {
                        return Poll::Ready(Event::Drains);
                    }
                    // The rest has its own waker, and most polls are not about it.
                    if !bell.has_rung(cx.waker()) && !is_set {
                        return Poll::Pending;
                    }
                    let mut cx = Context::from_waker(&own);
                    if reset.as_mut().poll(&mut cx).is_ready() {
                        return Poll::Ready(Event::Reset);
                    }
                    if let Poll::Ready(phase) = timer.as_mut().poll(&mut cx) {
                        return Poll::Ready(Event::Late(phase));
                    }
                    if !is_draining && draining.as_mut().poll(&mut cx).is_ready() {
                        return Poll::Ready(Event::Drains);
                    }
                    Poll::Pending
                });
                let event = event.await;
                // What came after it has not been polled.
                bell.ring();
                match event {
                    Event::Ended(Err(error)) => {
                        if error.is_user() {
                            activity.breaks_off();
                        }
                        break Err(error.into());
                    }
                    Event::Ended(Ok(())) => break Ok(()),
                    Event::Reset => break Err("the client reset the connection".into()),
                    Event::Late(Phase::Head) => break Err(NO_REQUEST.into()),
                    // Nothing is under way that could be ended gracefully.
                    Event::Late(_) if !activity.is_http_2() => break Ok(()),
                    // The head is on its way. Half of one may never become a request.
                    Event::Drains if activity.phase() == Phase::Head => {
                        is_draining = true;
                        activity.drains();
                        timer.as_mut().hurry(self.limits.last_head());
                        if let Version::Two = version {
                            // The client may send requests until it knows of the end.
                            is_ending = true;
                            connection.graceful_shutdown();
                        }
                    }
                    Event::Late(_) | Event::Drains => {
                        if activity.phase() == Phase::Idle {
                            // hyper has skipped the content that the service left unread.
                            // Otherwise it would have ended the connection.
                            activity.content_was_read();
                        }
                        (is_draining, is_ending) = (true, true);
                        connection.graceful_shutdown();
                    }
                }
            }
        };
        abort.disarm();
        end
    }
}

/// The end of a connection on which a response has broken off. To a client of HTTP/1.0, an orderly
/// one is that of a whole response.
struct Cut<'a> {
    peer: Peer,
    activity: &'a Activity,
}

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        if self.activity.is_cut() && self.activity.is_http_1_0() {
            self.peer.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::ready, mem::size_of_val};

    use http_body_util::Full;
    use tokio::{
        net::{TcpListener, TcpStream},
        sync::Semaphore,
    };

    use super::*;
    use crate::{panic::contained, stream::Socket};

    /// A server has thousands of them, most of them idle. What hyper needs is in a box besides.
    #[tokio::test]
    async fn a_connection_takes_little_memory() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).await;
        let accepted = Accepted {
            socket: Socket::Tcp(socket.unwrap()),
            peer: None,
            slot: Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap(),
        };
        let service = tower::service_fn(|_: Request<RequestBody>| {
            ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
        });
        let protocol = Protocol::new(Limits::default(), Entry::default(), None);
        let (_serving, draining) = watch::channel(());
        let connection = contained(Arc::new(protocol).serve(accepted, service, draining));
        let size = size_of_val(&connection);
        assert!(size <= 1_616, "{size}");
    }
}
