//! Connections to the upstream, and the pool of idle ones.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Uri};
use hyper_util::{
    client::legacy::{Client, ResponseFuture, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tower_service::Service;

use crate::{Address, body::RequestBody, error::BoxError};

/// Many servers close an idle connection after about 60 seconds. This has to be well below, because
/// a request on a connection that is being closed is lost.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const POOL_MAX_IDLE: usize = 32;
/// The largest number of header lines in a response. hyper's own limit is 100. With another one it
/// makes two arrays of this size for each response: with 512 that costs 0.7 µs, with 2048 2.5 µs.
const MAX_HEADERS: usize = 512;

/// Connections to one upstream. A clone shares them.
#[derive(Clone)]
pub(crate) enum Pool {
    Tcp(Client<Within<HttpConnector>, RequestBody>),
    #[cfg(unix)]
    Unix(Client<Within<unix::Connector>, RequestBody>),
}

impl Pool {
    pub(crate) fn new(address: &Address, connect_timeout: Duration) -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .pool_max_idle_per_host(POOL_MAX_IDLE)
            // RFC 9112, sections 5.1 and 5.2, has a proxy remove these spaces and unfold these
            // lines.
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_max_headers(MAX_HEADERS)
            // The service sets `Host` in every request.
            .set_host(false)
            // Only a request that a closing connection has not begun to send goes to the next one.
            // Its body has not been polled, so nothing is sent twice.
            .retry_canceled_requests(true);
        #[cfg(unix)]
        if let Some(path) = &address.socket {
            let connector = unix::Connector::new(path.clone());
            return Self::Unix(builder.build(Within::new(connector, connect_timeout)));
        }
        let mut connector = HttpConnector::new();
        // Otherwise small frames of a stream wait for one another.
        connector.set_nodelay(true);
        Self::Tcp(builder.build(Within::new(connector, connect_timeout)))
    }

    pub(crate) fn request(&self, request: Request<RequestBody>) -> ResponseFuture {
        match self {
            Self::Tcp(client) => client.request(request),
            #[cfg(unix)]
            Self::Unix(client) => client.request(request),
        }
    }
}

/// A connector with a time limit, which covers the lookup of the name and all its addresses.
#[derive(Clone)]
pub(crate) struct Within<C> {
    inner: C,
    limit: Duration,
}

impl<C> Within<C> {
    fn new(inner: C, limit: Duration) -> Self {
        Self { inner, limit }
    }
}

impl<C> Service<Uri> for Within<C>
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send + 'static>,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.inner.call(uri);
        let limit = self.limit;
        Box::pin(async move {
            match tokio::time::timeout(limit, connecting).await {
                Ok(connected) => connected.map_err(Into::into),
                // The system's own timeout is an error of this kind, too.
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        })
    }
}

#[cfg(unix)]
mod unix {
    use std::{
        future::Future,
        io,
        path::PathBuf,
        pin::Pin,
        sync::Arc,
        task::{Context, Poll},
    };

    use http::Uri;
    use hyper_util::rt::TokioIo;
    use tokio::net::UnixStream;
    use tower_service::Service;

    /// Connects to a socket in the file system. The URI does not matter.
    #[derive(Clone)]
    pub(crate) struct Connector(Arc<PathBuf>);

    impl Connector {
        pub(super) fn new(path: PathBuf) -> Self {
            Self(Arc::new(path))
        }
    }

    impl Service<Uri> for Connector {
        type Response = TokioIo<UnixStream>;
        type Error = io::Error;
        type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<UnixStream>>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Uri) -> Self::Future {
            let path = self.0.clone();
            Box::pin(async move { UnixStream::connect(&*path).await.map(TokioIo::new) })
        }
    }
}
