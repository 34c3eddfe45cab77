//! The way of a request to the program.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::pin,
    sync::Arc,
};

use bytes::{Buf, Bytes};
use http_body::Body;

use crate::{
    GatewayError,
    content::{self, Content},
    error::{BoxError, Chain},
    progress::{Progress, Upload},
    record::{Header, MAX_CONTENT, STDIN},
    stream::Stream,
};

/// Takes the bytes of a request's body, in the form of a protocol.
pub(crate) trait Destination: Send {
    /// Writes a piece of the body, which is not empty.
    fn write(&mut self, data: Bytes) -> impl Future<Output = io::Result<()>> + Send;

    /// Ends the body. It was written as a whole.
    fn end(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

/// Sends the body of a request. The program need not take it, so an error of the destination is
/// none.
///
/// # Errors
///
/// Returns an error if the client's body fails, is too short or is too long.
pub(crate) async fn send<B>(
    content: Content<B>,
    mut to: impl Destination,
    progress: Arc<Progress>,
) -> Result<(), GatewayError>
where
    B: Body<Data: Buf, Error: Into<BoxError>>,
{
    let sent = match content {
        Content::Stored(bytes) => stored(bytes, &mut to).await,
        Content::InFile(file, _) => in_file(file, &mut to, &progress).await,
        Content::Streamed(body, length) => streamed(body, length, &mut to, &progress)
            .await
            .inspect_err(|_| {
                progress.set(Upload::Failed);
            })?,
    };
    match sent {
        Ok(()) => progress.set(Upload::Done),
        Err(error) => tracing::debug!(error = %Chain(&error), "the program does not read the body"),
    }
    Ok(())
}

async fn stored(bytes: Bytes, to: &mut impl Destination) -> io::Result<()> {
    if !bytes.is_empty() {
        to.write(bytes).await?;
    }
    to.end().await
}

async fn in_file(
    mut file: std::fs::File,
    to: &mut impl Destination,
    progress: &Progress,
) -> io::Result<()> {
    loop {
        let bytes;
        (file, bytes) = content::read(file).await?;
        if bytes.is_empty() {
            return to.end().await;
        }
        to.write(bytes).await?;
        progress.set(Upload::Sending);
    }
}

async fn streamed<B>(
    body: B,
    length: u64,
    to: &mut impl Destination,
    progress: &Progress,
) -> Result<io::Result<()>, GatewayError>
where
    B: Body<Data: Buf, Error: Into<BoxError>>,
{
    let mut body = pin!(body);
    let mut left = length;
    loop {
        progress.set(Upload::Awaited);
        let data = poll_fn(|cx| content::poll_data(body.as_mut(), cx)).await;
        progress.set(Upload::Sending);
        let Some(data) = data.transpose()? else {
            break;
        };
        // What is beyond the length belongs to no request of a kept connection.
        let Some(more) = left.checked_sub(data.len() as u64) else {
            return Err(content::broken("the body is longer than its length".into()));
        };
        left = more;
        if !data.is_empty()
            && let Err(error) = to.write(data).await
        {
            return Ok(Err(error));
        }
    }
    match left {
        0 => Ok(to.end().await),
        // php-fpm goes by the length and waits for the rest, so the connection has to be closed.
        _ => Err(content::broken(
            "the body is shorter than its length".into(),
        )),
    }
}

/// The body of a FastCGI request: STDIN records.
pub(crate) struct Stdin(pub(crate) Arc<Stream>);

impl Destination for Stdin {
    async fn write(&mut self, mut data: Bytes) -> io::Result<()> {
        while !data.is_empty() {
            let content = data.split_to(data.len().min(MAX_CONTENT));
            let length = content
                .len()
                .try_into()
                .expect("a record has at most 65,535 bytes");
            let header = Header::of(STDIN, length).bytes();
            self.0
                .write_all(&mut [IoSlice::new(&header), IoSlice::new(&content)])
                .await?;
        }
        Ok(())
    }

    async fn end(&mut self) -> io::Result<()> {
        let end = Header::of(STDIN, 0).bytes();
        self.0.write_all(&mut [IoSlice::new(&end)]).await
    }
}

/// The body of an SCGI request: its bytes. The sending side stays open, because a program may take
/// its end for a client that has left.
pub(crate) struct Plain(pub(crate) Arc<Stream>);

impl Destination for Plain {
    async fn write(&mut self, data: Bytes) -> io::Result<()> {
        self.0.write_all(&mut [IoSlice::new(&data)]).await
    }

    async fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}
