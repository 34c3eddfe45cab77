use std::{pin::pin, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::sync::watch;
use tower::BoxError;
use tower_service::Service;

use crate::{
    access_log::OpenLog,
    activity::{Abort, Activity, Phase},
    entry::{Accepted, Entry, Opened},
    limits::Limits,
    linger::Lingering,
    panic::contained,
    request_body::RequestBody,
    service::ConnectionService,
    timer::Timer,
};

/// The largest number of requests of one HTTP/2 connection at once.
const STREAMS: u32 = 200;

/// The configuration of HTTP, which all connections of a server share.
pub(crate) struct Protocol {
    http: auto::Builder<Streams>,
    limits: Limits,
    entry: Entry,
    log: Option<OpenLog>,
}

impl Protocol {
    pub(crate) fn new(limits: Limits, entry: Entry, log: Option<OpenLog>) -> Self {
        let mut http = auto::Builder::new(Streams);
        http.http1()
            .timer(TokioTimer::new())
            // A connection has timers of its own, since hyper has one for heads and for idle times.
            .header_read_timeout(None)
            .half_close(limits.half_close);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(limits.header_timeout)
            .keep_alive_timeout(limits.header_timeout)
            .max_concurrent_streams(STREAMS);
        if limits.connect_protocol {
            http.http2().enable_connect_protocol();
        }
        Self {
            http,
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
        let opened = tokio::select! {
            biased;
            opened = self.entry.open(accepted, self.limits.write_timeout) => opened?,
            _ = timer.as_mut().late(&activity) => return Err("no request came in time".into()),
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
        let service = ConnectionService {
            inner: service,
            peer: client,
            body_timeout: self.limits.body_timeout,
            lingering: self.limits.lingering,
            activity: Arc::clone(&activity),
            log: self.log.clone(),
        };
        let stream = Lingering::new(transport, Arc::clone(&activity), self.limits.lingering);
        let connection = self
            .http
            .serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut reset = pin!(peer.reset());
        let mut is_ending = false;
        // It is dropped before the connection and its requests are.
        let abort = Abort::armed(&activity);
        let end = loop {
            let late = tokio::select! {
                // The connection is polled first, so that the timer sees what has come, and a
                // request that has come is seen before the connection is closed.
                biased;
                end = connection.as_mut() => break end,
                () = reset.as_mut() => break Err("the client reset the connection".into()),
                phase = timer.as_mut().late(&activity) => Some(phase),
                _ = draining.changed(), if !is_ending => None,
            };
            match late {
                Some(Phase::Head) => break Err("no request came in time".into()),
                // Nothing is under way that could be ended gracefully.
                Some(_) if !activity.is_http_2() => break Ok(()),
                // Half of a head, or of an HTTP/2 preface, may never become a request.
                None if activity.phase() == Phase::Head => break Ok(()),
                Some(_) | None => {
                    if activity.phase() == Phase::Idle {
                        // hyper has skipped the content that the service left unread. Otherwise it
                        // would have ended the connection.
                        activity.content_was_read();
                    }
                    is_ending = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        };
        abort.disarm();
        end
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
