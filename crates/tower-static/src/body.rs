use std::{
    fmt,
    fs::File,
    io::{self, ErrorKind, Seek, SeekFrom},
    ops::Range,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures_util::stream::try_unfold;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use tokio::io::AsyncReadExt;
use tower_kit::EitherBody;

/// How many bytes of a file are sent at once.
const CHUNK: usize = 64 << 10;

/// The body of a response: a part of a file, or the text of a rejection.
///
/// A file that becomes shorter while it is sent ends in an error.
#[derive(Default)]
pub struct ResponseBody(EitherBody<UnsyncBoxBody<Bytes, io::Error>>);

impl ResponseBody {
    pub(crate) fn own(body: Full<Bytes>) -> Self {
        Self(EitherBody::own(body))
    }

    /// Returns a part of a file with the announced length. Bytes that are appended meanwhile are
    /// not sent.
    pub(crate) fn of_file(mut file: File, part: Range<u64>) -> io::Result<Self> {
        let length = part.end - part.start;
        if length == 0 {
            return Ok(Self::default());
        }
        file.seek(SeekFrom::Start(part.start))?;
        let file = tokio::fs::File::from_std(file);
        let chunks = try_unfold((file, length), |(mut file, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let mut chunk = BytesMut::with_capacity(CHUNK);
            let read = (&mut file).take(left).read_buf(&mut chunk).await?;
            if read == 0 {
                let message = "the file is shorter than it was";
                return Err(io::Error::new(ErrorKind::UnexpectedEof, message));
            }
            Ok(Some((
                Frame::data(chunk.freeze()),
                (file, left - read as u64),
            )))
        });
        let body = StreamBody::new(chunks).boxed_unsync();
        Ok(Self(EitherBody::inner(body)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseBody")
            .field(&self.size_hint())
            .finish()
    }
}
