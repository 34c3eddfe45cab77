//! The body of a request, with its length: a program has to know it before the first byte.

use std::{
    fs::File,
    future::poll_fn,
    io::{self, Read, Seek, Write},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use tower_kit::content::content_length;

use crate::{
    GatewayError,
    error::{BoxError, Chain},
    options::Options,
};

/// The size from which a stored body is in a file, and of the pieces that are read from there.
const IN_MEMORY: usize = 64 * 1024;

/// The body of a request.
pub(crate) enum Content<B> {
    Stored(Bytes),
    InFile(File, u64),
    /// A body whose length the client has announced.
    Streamed(B, u64),
}

impl<B> Content<B>
where
    B: Body<Data: Buf, Error: Into<BoxError>>,
{
    /// Returns the body with its length. A body that has none is stored or rejected.
    pub(crate) async fn of(
        headers: &HeaderMap,
        body: B,
        options: &Options,
    ) -> Result<Self, GatewayError> {
        if body.is_end_stream() {
            return Ok(Self::Stored(Bytes::new()));
        }
        // The body counts before the head, because a layer may have changed it.
        if let Some(length) = body.size_hint().exact().or_else(|| content_length(headers)) {
            return Ok(Self::Streamed(body, length));
        }
        let limit = options.stored_body_limit;
        let limit = limit.ok_or(GatewayError::LengthRequired)?;
        store(body, limit, options.header_timeout).await
    }

    /// Returns the length in bytes.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Stored(bytes) => bytes.len() as u64,
            Self::InFile(_, length) | Self::Streamed(_, length) => *length,
        }
    }
}

/// Returns the next bytes of a body. Trailers have no place in these protocols.
pub(crate) fn poll_data<B>(
    mut body: Pin<&mut B>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, GatewayError>>>
where
    B: Body<Data: Buf, Error: Into<BoxError>>,
{
    loop {
        let frame = match ready!(body.as_mut().poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(broken(error.into())))),
            None => return Poll::Ready(None),
        };
        if let Ok(mut data) = frame.into_data() {
            // For `Bytes` this makes no copy.
            return Poll::Ready(Some(Ok(data.copy_to_bytes(data.remaining()))));
        }
    }
}

/// Stores a body, each piece of which has to come in this time.
async fn store<B>(body: B, limit: u64, time: Duration) -> Result<Content<B>, GatewayError>
where
    B: Body<Data: Buf, Error: Into<BoxError>>,
{
    let mut body = pin!(body);
    let mut file = None;
    let mut bytes = BytesMut::new();
    let mut length = 0;
    loop {
        let data = poll_fn(|cx| poll_data(body.as_mut(), cx));
        let data = match tokio::time::timeout(time, data).await {
            Ok(Some(data)) => data?,
            Ok(None) => break,
            Err(_) => return Err(GatewayError::StalledRequest),
        };
        length += data.len() as u64;
        if length > limit {
            return Err(GatewayError::BodyTooLarge);
        }
        bytes.extend_from_slice(&data);
        if bytes.len() > IN_MEMORY {
            file = Some(append(file, bytes.split().freeze()).await?);
        }
    }
    let Some(file) = file else {
        return Ok(Content::Stored(bytes.freeze()));
    };
    let mut file = append(Some(file), bytes.freeze()).await?;
    file.rewind().map_err(not_stored)?;
    Ok(Content::InFile(file, length))
}

/// Appends bytes to a temporary file, which has no name and is gone when it is closed.
async fn append(file: Option<File>, bytes: Bytes) -> Result<File, GatewayError> {
    let write = move || -> io::Result<File> {
        let mut file = match file {
            Some(file) => file,
            None => tempfile::tempfile()?,
        };
        file.write_all(&bytes)?;
        Ok(file)
    };
    blocking(write).await.map_err(not_stored)
}

/// Reads the next piece of a file. It is empty at the end.
pub(crate) async fn read(mut file: File) -> io::Result<(File, Bytes)> {
    let read = move || {
        let mut bytes = vec![0; IN_MEMORY];
        let length = file.read(&mut bytes)?;
        bytes.truncate(length);
        Ok((file, bytes.into()))
    };
    blocking(read).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error)),
    }
}

fn not_stored(error: io::Error) -> GatewayError {
    tracing::error!(error = %Chain(&error), "a request's body could not be stored");
    GatewayError::NotStored
}

/// Logs that the client's body failed.
pub(crate) fn broken(error: BoxError) -> GatewayError {
    tracing::debug!(error = %Chain(&*error), "the client broke off");
    GatewayError::BrokenRequest
}
