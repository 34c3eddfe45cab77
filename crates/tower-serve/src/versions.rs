//! A connection as hyper serves it, over HTTP/1 or HTTP/2.
//!
//! hyper-util's `auto` has the one or the other in one value, which is as large as the larger one,
//! and is kept in the task. Most connections are idle ones of HTTP/1, so here each is a box.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use hyper::{
    body::Incoming,
    rt::bounds::Http2ServerConnExec,
    server::conn::{http1, http2},
    service::HttpService,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tower::BoxError;

use crate::{
    limits::Limits,
    linger::{Lingering, Version},
    streams::Streams,
    transport::Transport,
};

/// The largest number of requests of one HTTP/2 connection at once.
const STREAMS: u32 = 200;

type Io = TokioIo<Lingering<Transport>>;

/// The configuration of HTTP.
pub(crate) struct Builder {
    http1: http1::Builder,
    http2: http2::Builder<Streams>,
}

pub(crate) enum Http<S: HttpService<Incoming>> {
    One(Pin<Box<http1::UpgradeableConnection<Io, S>>>),
    Two(Pin<Box<http2::Connection<Io, S, Streams>>>),
}

impl Builder {
    pub(crate) fn new(limits: &Limits) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            // A connection has timers of its own, since hyper has one for heads and for idle times.
            .header_read_timeout(None)
            .half_close(limits.half_close);
        let mut http2 = http2::Builder::new(Streams);
        http2
            .timer(TokioTimer::new())
            .keep_alive_interval(limits.header_timeout)
            .keep_alive_timeout(limits.header_timeout)
            .max_concurrent_streams(STREAMS);
        if limits.connect_protocol {
            http2.enable_connect_protocol();
        }
        Self { http1, http2 }
    }

    pub(crate) fn serve<S>(
        &self,
        version: Version,
        stream: Lingering<Transport>,
        service: S,
    ) -> Http<S>
    where
        S: HttpService<Incoming, Error: Into<BoxError>, ResBody: 'static>,
        <S::ResBody as http_body::Body>::Error: Into<BoxError>,
        Streams: Http2ServerConnExec<S::Future, S::ResBody>,
    {
        let io = TokioIo::new(stream);
        match version {
            Version::One => {
                let connection = self.http1.serve_connection(io, service);
                Http::One(Box::pin(connection.with_upgrades()))
            }
            Version::Two => Http::Two(Box::pin(self.http2.serve_connection(io, service))),
        }
    }
}

impl<S> Http<S>
where
    S: HttpService<Incoming, Error: Into<BoxError>, ResBody: 'static>,
    <S::ResBody as http_body::Body>::Error: Into<BoxError>,
    Streams: Http2ServerConnExec<S::Future, S::ResBody>,
{
    pub(crate) fn graceful_shutdown(&mut self) {
        match self {
            Self::One(connection) => connection.as_mut().graceful_shutdown(),
            Self::Two(connection) => connection.as_mut().graceful_shutdown(),
        }
    }
}

impl<S> Future for Http<S>
where
    S: HttpService<Incoming, Error: Into<BoxError>, ResBody: 'static>,
    <S::ResBody as http_body::Body>::Error: Into<BoxError>,
    Streams: Http2ServerConnExec<S::Future, S::ResBody>,
{
    type Output = hyper::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        match self.get_mut() {
            Self::One(connection) => connection.as_mut().poll(cx),
            Self::Two(connection) => connection.as_mut().poll(cx),
        }
    }
}
