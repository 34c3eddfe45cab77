//! One request on its way to a program, and the response on its way back, at the same time.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Method, Response, StatusCode, header::CONTENT_LENGTH};
use tokio::task::JoinHandle;
use tower_kit::content::RequestKind;

use crate::{
    GatewayError, ResponseBody,
    body::Received,
    content,
    head::{self, Head, HeadReader},
    options::Options,
    progress::{self, Clock, Progress},
    source::{Source, broke},
};

/// The rest of a request on its way to the program.
pub(crate) type Rest = Pin<Box<dyn Future<Output = Result<(), GatewayError>> + Send>>;

/// A request that was begun.
pub(crate) struct Exchange {
    pub(crate) source: Source,
    /// `None` if the whole request is sent.
    pub(crate) rest: Option<Rest>,
    pub(crate) progress: Arc<Progress>,
    /// Whether it is on a connection that an earlier request has used.
    pub(crate) is_on_kept: bool,
}

impl Exchange {
    /// Waits for the head of the response. Returns it with the bytes that came after it.
    pub(crate) async fn head(&mut self, options: &Options) -> Result<(Head, Bytes), GatewayError> {
        let mut reader = HeadReader::new(options.head_limit);
        let timer = self.source.timer().and_then(Option::take);
        let mut clock = Clock::with(options.header_timeout, timer);
        let found = poll_fn(|cx| self.poll_head(cx, &mut reader, &mut clock)).await;
        if let Some(timer) = self.source.timer() {
            *timer = clock.into_timer();
        }
        found
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut HeadReader,
        clock: &mut Clock,
    ) -> Poll<Result<(Head, Bytes), GatewayError>> {
        if let Some(rest) = &mut self.rest
            && let Poll::Ready(result) = rest.as_mut().poll(cx)
        {
            self.rest = None;
            result?;
        }
        while let Poll::Ready(next) = self.source.poll_next(cx) {
            let Some(bytes) = next else {
                return Poll::Ready(Err(no_head(reader)));
            };
            let fed = reader.feed(bytes?).map_err(|error| broke(&error))?;
            if let Some(found) = fed {
                return Poll::Ready(Ok(found));
            }
        }
        ready!(clock.poll(cx, &self.progress));
        let error = match self.progress.upload() {
            progress::Upload::Awaited => GatewayError::StalledRequest,
            _ => GatewayError::HeaderTimeout,
        };
        tracing::warn!("{error}");
        Poll::Ready(Err(error))
    }

    /// Returns the response with this head.
    pub(crate) fn response(
        self,
        method: &Method,
        status: StatusCode,
        mut head: Head,
        first: Bytes,
        options: &Options,
    ) -> Result<Response<ResponseBody>, GatewayError> {
        let length = head::length(&head.headers).map_err(|error| broke(&error))?;
        // Other statuses without content may state a length, that of another response.
        if matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) {
            head.headers.remove(CONTENT_LENGTH);
        }
        let body = match RequestKind::of(method).has_content(status) {
            true => self.body(first, length, options)?,
            false => {
                self.finish(options);
                ResponseBody::default()
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = head.headers;
        Ok(response)
    }

    fn body(
        mut self,
        first: Bytes,
        length: Option<u64>,
        options: &Options,
    ) -> Result<ResponseBody, GatewayError> {
        let (read, is_whole) = self.read_already(first)?;
        if is_whole {
            if length.is_some_and(|length| length != read.len() as u64) {
                return Err(broke(&WrongLength));
            }
            return Ok(ResponseBody::own(read));
        }
        let body = Received::new(self.source, self.progress.clone(), options.idle_timeout)
            .after(read, length)
            .with_upload(self.rest.map(spawn));
        Ok(ResponseBody::received(body))
    }

    /// Returns the bytes that were read already, and whether they are all. Mostly a small response
    /// comes as a whole, and then has a length.
    fn read_already(&mut self, first: Bytes) -> Result<(Bytes, bool), GatewayError> {
        let mut joined: Option<BytesMut> = None;
        let mut first = first;
        loop {
            let Some(next) = self.source.read_already() else {
                return Ok((joined.map_or(first, BytesMut::freeze), false));
            };
            let Some(bytes) = next else {
                return Ok((joined.map_or(first, BytesMut::freeze), true));
            };
            let bytes = bytes?;
            match (&mut joined, first.is_empty()) {
                (Some(joined), _) => joined.extend_from_slice(&bytes),
                (None, true) => first = bytes,
                (None, false) => {
                    let mut both = BytesMut::from(&first[..]);
                    both.extend_from_slice(&bytes);
                    joined = Some(both);
                }
            }
        }
    }

    /// Lets the program finish although the rest of its output is of no use.
    pub(crate) fn finish(mut self, options: &Options) {
        while let Some(next) = self.source.read_already() {
            if !matches!(next, Some(Ok(_))) {
                return;
            }
        }
        let upload = self.rest.map(spawn);
        tokio::spawn(drain(
            self.source,
            upload,
            self.progress,
            options.idle_timeout,
        ));
    }
}

/// Reads the rest of an output and drops it, so that the program finishes. It has a time for that,
/// which a moving upload restarts.
pub(crate) async fn drain(
    mut source: Source,
    mut upload: Option<Upload>,
    progress: Arc<Progress>,
    limit: Duration,
) {
    let mut clock = Clock::new(limit);
    poll_fn(|cx| {
        while let Poll::Ready(next) = source.poll_next(cx) {
            if !matches!(next, Some(Ok(_))) {
                return Poll::Ready(());
            }
        }
        if let Some(running) = &mut upload
            && let Poll::Ready(result) = running.poll(cx)
        {
            upload = None;
            if result.is_err() {
                return Poll::Ready(());
            }
        }
        clock.poll(cx, &progress)
    })
    .await;
}

/// Sends the rest of a request in a task of its own, so that the program gets it also while the
/// client does not read the response.
fn spawn(rest: Rest) -> Upload {
    Upload(tokio::spawn(rest))
}

/// The task that sends the rest of a request. It ends with its owner.
pub(crate) struct Upload(JoinHandle<Result<(), GatewayError>>);

impl Upload {
    /// Becomes ready when the program has the request, or does not read it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), GatewayError>> {
        Pin::new(&mut self.0).poll(cx).map(|result| match result {
            Ok(result) => result,
            // The client's body has panicked, or the runtime ends.
            Err(error) => Err(content::broken(error.into())),
        })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn no_head(reader: &HeadReader) -> GatewayError {
    let found = match reader.is_empty() {
        true => "the program has sent nothing",
        false => "the program's output ends within the head",
    };
    tracing::warn!(found, "{}", GatewayError::NoResponse);
    GatewayError::NoResponse
}

/// The program's output is not as long as announced.
#[derive(Debug)]
pub(crate) struct WrongLength;

impl std::fmt::Display for WrongLength {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the program's output is not as long as its Content-Length")
    }
}

impl std::error::Error for WrongLength {}
