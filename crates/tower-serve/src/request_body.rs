use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::{
    runtime::Handle,
    time::{Instant, Sleep, sleep},
};
use tower::BoxError;

use crate::{activity::Open, departure::Upload, linger::Patience, panic::contained};

/// The body of a request from the server.
///
/// If the client sends nothing for the [`body_timeout`](crate::Server::body_timeout) while the
/// service waits for a frame, the body ends with an [`io::Error`] of the kind
/// [`TimedOut`](io::ErrorKind::TimedOut). Other errors are hyper's, for example if the client
/// leaves.
///
/// Over HTTP/2, a body that is dropped unread is read to its end in a task of its own, up to the
/// [`lingering_bytes`](crate::Server::lingering_bytes).
///
/// The [`Default`] is a body without content. A body with content takes one allocation, any other
/// none.
#[derive(Default)]
pub struct RequestBody {
    /// `None` if the request has no content.
    content: Option<Pin<Box<Content>>>,
}

pin_project! {
    struct Content {
        #[pin]
        body: TimedBody<Incoming>,
        open: Open,
        has_failed: bool,
        // Over HTTP/2 only. Over HTTP/1 the connection itself reads on.
        patience: Option<Patience>,
        // As the patience, until the end has been read.
        upload: Option<Upload>,
    }
}

impl RequestBody {
    /// Returns a body that is open until its content ends or is dropped. With patience, it is read
    /// on in a task when it is dropped.
    pub(crate) fn new(
        body: Incoming,
        timeout: Duration,
        open: impl FnOnce() -> Open,
        patience: Option<Patience>,
    ) -> Self {
        let content = (!body.is_end_stream()).then(|| {
            let open = open();
            let upload = patience.map(|_| open.activity().follow_departures().upload());
            Box::pin(Content {
                body: TimedBody::new(body, timeout),
                open,
                has_failed: false,
                patience,
                upload,
            })
        });
        Self { content }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Some(content) = self.content.take() else {
            return;
        };
        if let Some(patience) = content.patience
            && !content.is_end_stream()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(contained(patience.read_on(content)));
        }
    }
}

impl http_body::Body for Content {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        this.open.activity().content_is_awaited(false);
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        if matches!(frame, Some(Err(_))) {
            *this.has_failed = true;
            this.open.activity().content_failed();
        }
        if !*this.has_failed && (frame.is_none() || this.body.is_end_stream()) {
            this.open.activity().content_was_read();
            *this.upload = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.content {
            Some(content) => content.as_mut().poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Some(content) => content.is_end_stream(),
            None => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Some(content) => content.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestBody")
            .field(&self.size_hint())
            .finish()
    }
}

pin_project! {
    /// A body with a timeout for each frame. `tower_http::timeout::TimeoutBody` reports neither the
    /// length nor the end, may fail although there is a frame, and starts a timer for each frame.
    struct TimedBody<B> {
        // `None` after it has failed: dropping the body shows the client that no service reads it.
        #[pin]
        inner: Option<B>,
        timeout: Duration,
        #[pin]
        sleep: Option<Sleep>,
        // Whether the timer runs for the next frame.
        waits: bool,
    }
}

impl<B> TimedBody<B> {
    fn new(inner: B, timeout: Duration) -> Self {
        Self {
            inner: Some(inner),
            timeout,
            sleep: None,
            waits: false,
        }
    }
}

impl<B> http_body::Body for TimedBody<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = inner.poll_frame(cx) {
            *this.waits = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        if !*this.waits {
            *this.waits = true;
            match this.sleep.as_mut().as_pin_mut() {
                Some(sleep) => sleep.reset(Instant::now() + *this.timeout),
                None => this.sleep.set(Some(sleep(*this.timeout))),
            }
        }
        if let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
            ready!(sleep.poll(cx));
        }
        this.inner.set(None);
        let text = "the client stopped sending the request's body";
        let error = io::Error::new(io::ErrorKind::TimedOut, text);
        Poll::Ready(Some(Err(error.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(inner) => inner.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::poll_fn, pin::pin};

    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn timed<B>(inner: B) -> TimedBody<B> {
        TimedBody::new(inner, SECOND)
    }

    /// Returns a body with a frame after each of these times.
    fn frames(
        times: impl IntoIterator<Item = Duration>,
    ) -> impl http_body::Body<Data = Bytes, Error = Infallible> {
        let times = Vec::from_iter(times).into_iter();
        StreamBody::new(futures_util::stream::unfold(times, async |mut times| {
            tokio::time::sleep(times.next()?).await;
            Some((Ok(Frame::data(Bytes::from("x"))), times))
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn serve_10_each_frame_has_the_whole_time() {
        let nearly = SECOND * 9 / 10;
        let mut body = pin!(timed(frames([nearly, nearly, nearly, SECOND * 2])));
        for _ in 0..3 {
            body.frame().await.unwrap().unwrap();
        }
        let error = body.frame().await.unwrap().unwrap_err();
        let error = error.downcast::<io::Error>().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(body.is_end_stream());
        assert!(body.frame().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn serve_10_time_that_the_reader_takes_does_not_count() {
        let mut body = pin!(timed(frames([SECOND / 2, SECOND / 2])));
        let first = poll_fn(|cx| Poll::Ready(body.as_mut().poll_frame(cx))).await;
        assert!(first.is_pending());
        tokio::time::sleep(SECOND * 2).await;
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().is_ok());
    }

    #[test]
    fn length_and_end_are_those_of_the_inner_body() {
        let body = timed(Full::new(Bytes::from("four")));
        assert_eq!(body.size_hint().exact(), Some(4));
        assert!(!body.is_end_stream());
        assert!(timed(Full::new(Bytes::new())).is_end_stream());
    }
}
