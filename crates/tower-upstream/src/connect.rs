//! New connections to the upstream.

use std::{error::Error, io, time::Duration};

use http::{Uri, uri::Scheme};
use hyper_util::client::legacy::connect::HttpConnector;
use tower_service::Service;

use crate::{
    Address, UpstreamError,
    connection::Connection,
    error::{BoxError, Chain},
    stream::Stream,
};

/// Connects to the upstream within this time, which covers the lookup of the name and all its
/// addresses. The name is looked up each time.
///
/// # Errors
///
/// Returns [`UpstreamError::Unreachable`] or [`UpstreamError::ConnectTimeout`].
pub(crate) async fn connect(
    address: &Address,
    limit: Duration,
) -> Result<Connection, UpstreamError> {
    let error = match tokio::time::timeout(limit, open(address)).await {
        Ok(Ok(connection)) => return Ok(connection),
        Ok(Err(error)) => error,
        Err(_) => io::Error::from(io::ErrorKind::TimedOut).into(),
    };
    // The system's own timeout is an error of this kind, too.
    let found = match is_timeout(&*error) {
        true => UpstreamError::ConnectTimeout,
        false => UpstreamError::Unreachable,
    };
    tracing::warn!(%address, error = %Chain(&*error), "{found}");
    Err(found)
}

async fn open(address: &Address) -> Result<Connection, BoxError> {
    Ok(Connection::over(stream(address).await?).await?)
}

async fn stream(address: &Address) -> Result<Stream, BoxError> {
    #[cfg(unix)]
    if let Some(path) = &address.socket {
        return Ok(Stream::Unix(tokio::net::UnixStream::connect(path).await?));
    }
    // It tries the addresses of a name in turn, and both families side by side (RFC 8305).
    let mut connector = HttpConnector::new();
    // Otherwise small frames of a stream wait for one another.
    connector.set_nodelay(true);
    let uri = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(address.authority().clone())
        .path_and_query("/")
        .build()?;
    let stream = connector.call(uri).await?;
    Ok(Stream::Tcp(stream.into_inner()))
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
