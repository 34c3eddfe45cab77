//! The output of a program.

use std::{
    io,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};

#[cfg(unix)]
use crate::process::Process;
use crate::{
    GatewayError,
    error::Chain,
    pool::{Kept, Permit, Pool},
    progress::{Progress, Timer, Upload},
    record::{self, Deframer, Header, Output},
    stderr::Stderr,
    stream::Stream,
};

/// The output of a program for one request. If it is dropped before its end, the connection is
/// closed, or the process ended.
#[allow(
    clippy::large_enum_variant,
    reason = "a box would cost the most frequent kind an allocation for each request"
)]
pub(crate) enum Source {
    FastCgi(Box<FastCgiSource>),
    Scgi(ScgiSource),
    #[cfg(unix)]
    Cgi(Box<Process>),
}

impl Source {
    /// Returns the next bytes of the response, and `None` at its end.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, GatewayError>>> {
        match self {
            Self::FastCgi(source) => source.poll_next(cx),
            Self::Scgi(source) => source.poll_next(cx),
            #[cfg(unix)]
            Self::Cgi(process) => process.poll_next(cx),
        }
    }

    /// Returns the next bytes if they were read already, without waiting.
    pub(crate) fn read_already(&mut self) -> Option<Option<Result<Bytes, GatewayError>>> {
        match self {
            Self::FastCgi(source) => source.in_buffer(),
            _ => None,
        }
    }

    /// Returns the timer that is kept with the connection, if there is one.
    pub(crate) fn timer(&mut self) -> Option<&mut Timer> {
        match self {
            Self::FastCgi(source) => Some(&mut source.timer),
            _ => None,
        }
    }

    /// Returns whether nothing came from the program, and the request may have been lost with a
    /// connection that was kept.
    pub(crate) fn is_untouched(&self) -> bool {
        matches!(self, Self::FastCgi(source) if source.is_untouched)
    }
}

/// Logs an error of a connection.
pub(crate) fn broke(error: &(dyn std::error::Error + 'static)) -> GatewayError {
    tracing::warn!(error = %Chain(error), "{}", GatewayError::NoResponse);
    GatewayError::NoResponse
}

/// The output of a FastCGI program.
pub(crate) struct FastCgiSource {
    stream: Arc<Stream>,
    pool: Pool,
    progress: Arc<Progress>,
    stderr: Stderr,
    bytes: BytesMut,
    timer: Timer,
    deframer: Deframer,
    /// Whether END_REQUEST was read.
    is_over: bool,
    is_untouched: bool,
    _permit: Permit,
}

impl FastCgiSource {
    pub(crate) fn new(
        kept: Kept,
        pool: Pool,
        progress: Arc<Progress>,
        stderr: Stderr,
        permit: Permit,
    ) -> Self {
        Self {
            stream: kept.stream,
            pool,
            progress,
            stderr,
            bytes: kept.buffer,
            timer: kept.timer,
            deframer: Deframer::default(),
            is_over: false,
            is_untouched: true,
            _permit: permit,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, GatewayError>>> {
        loop {
            if let Some(next) = self.in_buffer() {
                return Poll::Ready(next);
            }
            match ready!(self.stream.poll_read(cx, &mut self.bytes)) {
                Ok(0) => {
                    let error = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return Poll::Ready(Some(Err(self.lost(error))));
                }
                Ok(_) => self.is_untouched = false,
                Err(error) => return Poll::Ready(Some(Err(self.lost(error)))),
            }
        }
    }

    fn lost(&self, error: io::Error) -> GatewayError {
        match self.is_untouched {
            // It may be sent again, and is logged then.
            true => GatewayError::NoResponse,
            false => broke(&error),
        }
    }

    /// Returns the next output of the bytes that were read.
    fn in_buffer(&mut self) -> Option<Option<Result<Bytes, GatewayError>>> {
        loop {
            if self.is_over {
                return Some(None);
            }
            match self.deframer.next(&mut self.bytes) {
                Ok(Some(Output::Stdout(bytes))) => return Some(Some(Ok(bytes))),
                Ok(Some(Output::Stderr(bytes))) => self.stderr.take(&bytes),
                Ok(Some(Output::End(status))) => {
                    self.is_over = true;
                    if let Err(error) = self.end(status) {
                        return Some(Some(Err(error)));
                    }
                }
                Ok(None) => return None,
                Err(error) => return Some(Some(Err(broke(&error)))),
            }
        }
    }

    fn end(&mut self, status: u8) -> Result<(), GatewayError> {
        let error = match status {
            record::REQUEST_COMPLETE => {
                let is_clean = self.bytes.is_empty()
                    && self.deframer.is_between_records()
                    && self.progress.upload() == Upload::Done;
                if is_clean && self.pool.keeps() {
                    self.pool.keep(Kept {
                        stream: self.stream.clone(),
                        buffer: std::mem::take(&mut self.bytes),
                        timer: self.timer.take(),
                    });
                }
                return Ok(());
            }
            record::OVERLOADED | record::CANT_MPX_CONN => GatewayError::Overloaded,
            _ => GatewayError::NoResponse,
        };
        tracing::warn!(protocol_status = status, "{error}");
        Err(error)
    }
}

impl Drop for FastCgiSource {
    fn drop(&mut self) {
        // The end of the connection says the same, and not every program looks for this record. In
        // the middle of the body it would be taken for a part of it.
        if !self.is_over && self.progress.upload() == Upload::Done {
            self.stream
                .try_write(&Header::of(record::ABORT_REQUEST, 0).bytes());
        }
    }
}

/// The output of an SCGI program, which ends with the connection.
pub(crate) struct ScgiSource {
    stream: Arc<Stream>,
    bytes: BytesMut,
    _permit: Permit,
}

impl ScgiSource {
    pub(crate) fn new(stream: Arc<Stream>, permit: Permit) -> Self {
        Self {
            stream,
            bytes: BytesMut::new(),
            _permit: permit,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, GatewayError>>> {
        Poll::Ready(match ready!(self.stream.poll_read(cx, &mut self.bytes)) {
            Ok(0) => None,
            Ok(_) => Some(Ok(self.bytes.split().freeze())),
            Err(error) => Some(Err(broke(&error))),
        })
    }
}
