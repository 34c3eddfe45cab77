use std::{
    fmt,
    fs::File,
    future::Future,
    io::{self, ErrorKind},
    ops::Range,
    panic::resume_unwind,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use crate::read::{Wait, read_at};

/// The body of a response: a part of a file, or the text of a rejection.
///
/// A file that becomes shorter while it is sent ends in an error.
pub struct ResponseBody(Kind);

enum Kind {
    /// The text of a rejection, or a part that is already read.
    Read(Full<Bytes>),
    Rest(Rest),
}

/// The rest of a part, whose first bytes are read already.
struct Rest {
    first: Bytes,
    /// What is left after `first`.
    part: Range<u64>,
    file: Arc<File>,
    /// A read on a thread that may block.
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl ResponseBody {
    pub(crate) fn own(body: Full<Bytes>) -> Self {
        Self(Kind::Read(body))
    }

    /// Returns a part of a file, whose first bytes are read already. It has the announced length:
    /// bytes that are appended meanwhile are not sent.
    pub(crate) fn of_file(file: File, part: Range<u64>, first: Bytes) -> Self {
        let start = part.start + first.len() as u64;
        Self(Kind::Rest(Rest {
            first,
            part: start..part.end,
            file: Arc::new(file),
            reading: None,
        }))
    }
}

impl Rest {
    fn left(&self) -> u64 {
        self.first.len() as u64 + (self.part.end - self.part.start)
    }

    /// Reads on the thread of the request what the system has in memory, and all else on a thread
    /// that may block.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let start = self.part.start;
        let length = self.part.end - start;
        let reading = match &mut self.reading {
            Some(reading) => reading,
            None => match read_at(&self.file, start, length, Wait::Never) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let file = Arc::clone(&self.file);
                    let read = move || read_at(&file, start, length, Wait::ForDisk);
                    self.reading.insert(spawn_blocking(read))
                }
                bytes => return Poll::Ready(self.advance(bytes)),
            },
        };
        let bytes = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        let bytes = match bytes.map_err(JoinError::try_into_panic) {
            Ok(bytes) => bytes,
            Err(Ok(panic)) => resume_unwind(panic),
            // It is aborted only when the runtime ends.
            Err(Err(error)) => Err(error.into()),
        };
        Poll::Ready(self.advance(bytes))
    }

    fn advance(&mut self, bytes: io::Result<Bytes>) -> io::Result<Bytes> {
        let bytes = bytes?;
        if bytes.is_empty() {
            let message = "the file is shorter than it was";
            return Err(io::Error::new(ErrorKind::UnexpectedEof, message));
        }
        self.part.start += bytes.len() as u64;
        Ok(bytes)
    }
}

impl Default for ResponseBody {
    fn default() -> Self {
        Self(Kind::Read(Full::default()))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let rest = match &mut self.0 {
            Kind::Read(body) => {
                return Pin::new(body)
                    .poll_frame(cx)
                    .map_err(|never| match never {});
            }
            Kind::Rest(rest) => rest,
        };
        if !rest.first.is_empty() {
            let first = std::mem::take(&mut rest.first);
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if rest.part.is_empty() {
            return Poll::Ready(None);
        }
        let bytes = ready!(rest.poll_read(cx));
        if bytes.is_err() {
            self.0 = Kind::Read(Full::default());
        }
        Poll::Ready(Some(bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Read(body) => body.is_end_stream(),
            Kind::Rest(rest) => rest.left() == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Read(body) => body.size_hint(),
            Kind::Rest(rest) => SizeHint::with_exact(rest.left()),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseBody")
            .field(&self.size_hint())
            .finish()
    }
}
