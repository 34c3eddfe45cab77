//! One connection to the upstream.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{self, SendRequest},
    },
};
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::{
    UpstreamError,
    alarm::Alarm,
    link::Link,
    progress::{Progress, Upload},
    request_body::RequestBody,
    stream::{Linked, Stream},
};

/// The largest number of header lines in a response. hyper's own limit is 100. With another one it
/// makes two arrays of this size for each response: with 512 that costs 0.7 µs, with 2048 2.5 µs.
const MAX_HEADERS: usize = 512;

/// A connection to the upstream, which is used by one request at a time.
///
/// No task of its own drives it. It is polled by the future of the request, and then by the body of
/// the response, so nothing has to wake another task. In between, nothing polls it. If it is
/// dropped, it is closed.
pub(crate) struct Connection {
    sender: SendRequest<RequestBody>,
    /// `None` after it has ended.
    driver: Option<Driver>,
    alarm: Alarm,
    link: Arc<Link>,
    /// The waker of `link`.
    own: Waker,
    /// Whether content may follow a response that must have none.
    is_doubtful: bool,
}

type Driver = http1::Connection<TokioIo<Linked>, RequestBody>;

/// The reason why a request has no response.
pub(crate) enum Lost {
    /// Nothing came in time.
    Late(UpstreamError),
    /// The connection has ended.
    Broken {
        error: hyper::Error,
        /// The request, if nothing of it was sent.
        unsent: Option<Box<Request<RequestBody>>>,
        /// Whether a part of the response has arrived.
        received: bool,
    },
}

impl Connection {
    /// Returns a connection that speaks HTTP/1 over this stream.
    pub(crate) async fn over(stream: Stream) -> Result<Self, hyper::Error> {
        let link = Link::new();
        let stream = TokioIo::new(Linked::new(stream, link.clone()));
        let mut builder = http1::Builder::new();
        builder
            // RFC 9112, sections 5.1 and 5.2, has a proxy remove these spaces and unfold these
            // lines.
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .max_headers(MAX_HEADERS);
        let (sender, driver) = builder.handshake(stream).await?;
        Ok(Self {
            sender,
            driver: Some(driver),
            alarm: Alarm::default(),
            own: Waker::from(link.clone()),
            link,
            is_doubtful: false,
        })
    }

    /// Has the system asked, before the next request is written, whether the other end has closed
    /// the connection or has sent anything. The runtime may not have seen that yet.
    pub(crate) fn probe(&self) {
        self.link.probe();
    }

    /// Notes whether the response that is here must not have content. Some servers send it all the
    /// same, after the head, and it would be taken for the next response.
    pub(crate) fn doubt(&mut self, is_doubtful: bool) {
        self.is_doubtful = is_doubtful;
    }

    pub(crate) fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// Keeps what is written first, which is the head of the next request.
    pub(crate) fn keep_written(&self) {
        self.link.keep_written();
    }

    /// Returns what was written first, if anything was.
    pub(crate) fn take_written(&self) -> Option<Vec<u8>> {
        self.link.take_written()
    }

    /// Returns whether the last exchange is over, and the connection takes another request.
    pub(crate) fn is_ready(&self) -> bool {
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Leaves the connection to itself until the next request.
    pub(crate) fn rest(&self) {
        self.link.rest();
    }

    /// Sends a request, and returns the head of its response.
    ///
    /// The request comes back unsent if the other end has closed the connection, or has sent
    /// anything: that would be taken for the response. hyper reads before it writes.
    ///
    /// The time limit counts from the last bytes of the body that the upstream has taken.
    pub(crate) fn send<'a>(
        &'a mut self,
        request: Request<RequestBody>,
        progress: Option<&'a Progress>,
        limit: Duration,
    ) -> impl Future<Output = Result<Response<Incoming>, Lost>> + use<'a> {
        self.link.begin();
        Sent {
            response: self.sender.try_send_request(request),
            driver: &mut self.driver,
            alarm: &mut self.alarm,
            link: &self.link,
            own: &self.own,
            progress,
            began: Instant::now(),
            limit,
        }
    }

    /// Polls something of the connection together with the connection, until it is ready or a time
    /// has come.
    pub(crate) fn poll_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
        mut deadline: impl FnMut() -> Instant,
    ) -> Poll<Option<T>> {
        let Self {
            driver,
            alarm,
            link,
            own,
            ..
        } = self;
        // What is there already needs no look at the stream.
        if let Poll::Ready(found) = poll(&mut Context::from_waker(own)) {
            return Poll::Ready(Some(found));
        }
        link.turn(own, cx, |cx| {
            drive(driver, cx);
            if let Poll::Ready(found) = poll(cx) {
                return Poll::Ready(Some(found));
            }
            alarm.poll(deadline(), cx).map(|()| None)
        })
    }

    /// Lets a task drive the connection, so that it can leave HTTP, and returns what sends its only
    /// request.
    pub(crate) fn for_upgrade(self) -> Option<SendRequest<RequestBody>> {
        tokio::spawn(self.driver?.with_upgrades());
        Some(self.sender)
    }

    /// Lets a task drive the connection to the end of its exchange, so that neither direction waits
    /// for the other one. It is not used again.
    pub(crate) fn spawn(self) {
        if let Some(driver) = self.driver {
            tokio::spawn(driver.with_upgrades());
        }
    }
}

pin_project! {
    /// A request that is under way, until the head of its response is there.
    ///
    /// It is no `async` block, because that would have room for the response's future twice: as a
    /// value that it captures, and as what it awaits.
    struct Sent<'a, F> {
        #[pin]
        response: F,
        driver: &'a mut Option<Driver>,
        alarm: &'a mut Alarm,
        link: &'a Link,
        own: &'a Waker,
        progress: Option<&'a Progress>,
        began: Instant,
        limit: Duration,
    }
}

impl<F> Future for Sent<'_, F>
where
    F: Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>>,
{
    type Output = Result<Response<Incoming>, Lost>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        this.link.turn(this.own, cx, |cx| {
            drive(this.driver, cx);
            if let Poll::Ready(found) = this.response.as_mut().poll(cx) {
                return Poll::Ready(found.map_err(|mut error| Lost::Broken {
                    unsent: error.take_message().map(Box::new),
                    received: this.link.has_received(),
                    error: error.into_error(),
                }));
            }
            let (upload, since) = match this.progress {
                Some(progress) => progress.last(),
                None => (Upload::Passed, *this.began),
            };
            let deadline = since.max(*this.began) + *this.limit;
            ready!(this.alarm.poll(deadline, cx));
            Poll::Ready(Err(Lost::Late(match upload {
                Upload::Awaited => UpstreamError::StalledRequest,
                Upload::Passed | Upload::Failed => UpstreamError::HeaderTimeout,
            })))
        })
    }
}

/// Polls the driver, if it has not ended.
fn drive(driver: &mut Option<Driver>, cx: &mut Context<'_>) {
    // An error has reached the request or the response.
    if let Some(running) = driver
        && Pin::new(running).poll(cx).is_ready()
    {
        *driver = None;
    }
}
