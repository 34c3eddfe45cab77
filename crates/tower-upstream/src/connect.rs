//! New connections to the upstream.

use std::{error::Error, io, sync::Arc, time::Duration};

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::net::TcpStream;
use tower_service::Service;

#[cfg(feature = "tls")]
use crate::tls::{Fault, Handshakes};
use crate::{
    Address, UpstreamError,
    connection::Connection,
    error::{BoxError, Chain},
    http2::{Place, Shared},
    protocol::Spoken,
    stream::Stream,
    transport::Transport,
};

/// A new connection.
pub(crate) enum New {
    Http1(Box<Connection>),
    /// The first place on it.
    Http2(Place),
}

/// Makes connections to one upstream.
pub(crate) struct Connector {
    address: Address,
    /// Whether a connection may speak HTTP/2. Over TLS, the upstream has the choice.
    may_be_http2: bool,
    #[cfg(feature = "tls")]
    handshakes: Option<Handshakes>,
    shared: Arc<Shared>,
}

impl Connector {
    pub(crate) fn new(address: Address, transport: &Transport) -> Self {
        Self {
            may_be_http2: transport.may_be_http2(&address),
            #[cfg(feature = "tls")]
            handshakes: transport.handshakes(&address),
            address,
            shared: Arc::default(),
        }
    }

    pub(crate) fn may_be_http2(&self) -> bool {
        self.may_be_http2
    }

    /// Returns the connections that speak HTTP/2.
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Connects to the upstream within this time, which covers the lookup of the name, all its
    /// addresses and the handshake. The name is looked up each time. A connection that speaks
    /// HTTP/2 is kept for `keep_time` while it is idle.
    ///
    /// # Errors
    ///
    /// Returns [`UpstreamError::Unreachable`], [`UpstreamError::Untrusted`] or
    /// [`UpstreamError::ConnectTimeout`].
    pub(crate) async fn connect(
        &self,
        limit: Duration,
        keep_time: Duration,
    ) -> Result<New, UpstreamError> {
        let error = match tokio::time::timeout(limit, self.new_one(keep_time)).await {
            Ok(Ok(new)) => return Ok(new),
            Ok(Err(error)) => error,
            Err(_) => io::Error::from(io::ErrorKind::TimedOut).into(),
        };
        let found = match () {
            // The system's own timeout is an error of this kind, too.
            () if is_timeout(&*error) => UpstreamError::ConnectTimeout,
            #[cfg(feature = "tls")]
            () if error
                .downcast_ref::<Fault>()
                .is_some_and(Fault::is_untrusted) =>
            {
                UpstreamError::Untrusted
            }
            () => UpstreamError::Unreachable,
        };
        tracing::warn!(address = %self.address, error = %Chain(&*error), "{found}");
        Err(found)
    }

    async fn new_one(&self, keep_time: Duration) -> Result<New, BoxError> {
        let (stream, spoken) = self.stream().await?;
        Ok(match spoken {
            Spoken::Http1 => New::Http1(Box::new(Connection::over(stream).await?)),
            Spoken::Http2 => New::Http2(self.shared.connect(stream, keep_time).await?),
        })
    }

    async fn stream(&self) -> Result<(Stream, Spoken), BoxError> {
        // Without TLS, both sides have to know it.
        let known = match self.may_be_http2 {
            true => Spoken::Http2,
            false => Spoken::Http1,
        };
        #[cfg(unix)]
        if let Some(path) = &self.address.socket {
            let stream = tokio::net::UnixStream::connect(path).await?;
            return Ok((Stream::Unix(stream), known));
        }
        let stream = tcp(&self.address).await?;
        #[cfg(feature = "tls")]
        if let Some(handshakes) = &self.handshakes {
            let (stream, spoken) = handshakes.connect(stream).await?;
            return Ok((Stream::Tls(stream), spoken));
        }
        Ok((Stream::Tcp(stream), known))
    }
}

async fn tcp(address: &Address) -> Result<TcpStream, BoxError> {
    // It tries the addresses of a name in turn, and both families side by side (RFC 8305).
    let mut connector = HttpConnector::new();
    // Otherwise small frames of a stream wait for one another.
    connector.set_nodelay(true);
    // It knows the port of https.
    connector.enforce_http(false);
    let uri = Uri::builder()
        .scheme(address.scheme())
        .authority(address.authority().clone())
        .path_and_query("/")
        .build()?;
    Ok(connector.call(uri).await?.into_inner())
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return true;
        }
        next = error.source();
    }
    false
}
