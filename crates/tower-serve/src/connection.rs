use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, Response};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::sleep,
};
use tower::BoxError;
use tower_origin::PeerAddr;
use tower_service::Service;

use crate::{
    entry::{Entry, Opened},
    limits::Limits,
    panic::contained,
    request_body::RequestBody,
    service::ConnectionService,
    stream::Socket,
};

/// The largest number of requests of one HTTP/2 connection at once.
const STREAMS: u32 = 200;

/// An accepted connection.
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    pub(crate) peer: Option<PeerAddr>,
    pub(crate) slot: OwnedSemaphorePermit,
}

/// The configuration of HTTP, which all connections of a server share.
pub(crate) struct Protocol {
    http: auto::Builder<Streams>,
    limits: Limits,
    entry: Entry,
}

impl Protocol {
    pub(crate) fn new(limits: Limits, entry: Entry) -> Self {
        let mut http = auto::Builder::new(Streams);
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .half_close(limits.half_close);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(limits.header_timeout)
            .keep_alive_timeout(limits.header_timeout)
            .max_concurrent_streams(STREAMS);
        Self {
            http,
            limits,
            entry,
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
        // hyper's own timer starts when the version of HTTP is known, which may never happen.
        let mut first_head = pin!(sleep(self.limits.header_timeout));
        let opened = tokio::select! {
            biased;
            opened = self.entry.open(accepted, self.limits.write_timeout) => opened?,
            () = first_head.as_mut() => return Err("no request came in time".into()),
            _ = draining.changed() => return Ok(()),
        };
        let Some(Opened {
            transport,
            peer,
            client,
        }) = opened
        else {
            return Ok(());
        };
        let has_request = Arc::new(AtomicBool::new(false));
        let service = ConnectionService {
            inner: service,
            peer: client,
            body_timeout: self.limits.body_timeout,
            has_request: Arc::clone(&has_request),
        };
        let connection = self
            .http
            .serve_connection_with_upgrades(TokioIo::new(transport), service);
        let mut connection = pin!(connection);
        let mut reset = pin!(peer.reset());
        let (mut waits_for_head, mut is_draining) = (true, false);
        loop {
            tokio::select! {
                // The connection is polled first, so that a request that has come is seen before
                // the connection is closed.
                biased;
                end = connection.as_mut() => return end,
                () = reset.as_mut() => return Err("the client reset the connection".into()),
                () = first_head.as_mut(), if waits_for_head => {
                    waits_for_head = false;
                    if !has_request.load(Ordering::Relaxed) {
                        return Err("no request came in time".into());
                    }
                }
                _ = draining.changed(), if !is_draining => {
                    // Half of a first head, or of an HTTP/2 preface, may never become a request.
                    if !has_request.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    is_draining = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// Runs the streams of HTTP/2 connections as tasks. A stream ends with its connection.
#[derive(Clone, Debug)]
struct Streams;

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(contained(stream));
    }
}
