//! Connections that speak HTTP/2, which many requests share.

use std::{
    error::Error,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Sleep, sleep, sleep_until},
};

use crate::{
    UpstreamError,
    connection::Lost,
    progress::{Progress, Upload},
    request_body::RequestBody,
};

/// The bytes of one response that the upstream may send before the client reads them.
const STREAM_WINDOW: u32 = 512 * 1024;
/// The bytes of all responses on a connection: as many as there can be (RFC 9113, section 6.9.1).
/// Otherwise a few clients that do not read would stop all the others.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;
/// The number of streams before the upstream's settings have arrived, which is not a usual one.
const UNKNOWN: usize = 97;
/// The time to wait for the upstream's settings, which it sends first.
const SETTINGS_TIME: Duration = Duration::from_secs(1);
/// The largest head of a response: as much as over HTTP/1.
const MAX_HEAD: u32 = 400 * 1024;

/// The connections to one upstream that speak HTTP/2.
#[derive(Default)]
pub(crate) struct Shared {
    connections: Mutex<Vec<Arc<Connection>>>,
}

struct Connection {
    sender: SendRequest<RequestBody>,
    streams: AtomicUsize,
    /// The number of streams that the upstream allows (RFC 9113, section 5.1.2), as it was known
    /// when the last request began.
    limit: AtomicUsize,
    /// It takes no more requests.
    is_retired: AtomicBool,
    /// The time at which the last stream has ended.
    idle_since: Mutex<Instant>,
}

impl Shared {
    /// Returns a place on a connection that is open and has one.
    pub(crate) fn place(&self) -> Option<Place> {
        let mut connections = self.lock();
        connections.retain(|connection| connection.is_usable());
        // The first ones are filled first, so that the last ones become idle.
        connections.iter().find_map(Connection::place)
    }

    /// Makes a connection of a stream, and returns the first place on it. It closes when it has
    /// been idle for this time.
    ///
    /// # Errors
    ///
    /// Returns an error if the stream fails, or if the upstream does not speak HTTP/2.
    pub(crate) async fn connect<S>(
        self: &Arc<Self>,
        stream: S,
        idle_time: Duration,
    ) -> hyper::Result<Place>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, mut driver) = http2::Builder::new(TokioExecutor::new())
            .initial_max_send_streams(UNKNOWN)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await?;
        settle(&mut driver).await?;
        let connection = Arc::new(Connection {
            sender,
            streams: AtomicUsize::new(1),
            limit: AtomicUsize::new(driver.current_max_send_streams()),
            is_retired: AtomicBool::new(false),
            idle_since: Mutex::new(Instant::now()),
        });
        self.lock().push(Arc::clone(&connection));
        let (shared, watched) = (Arc::downgrade(self), Arc::downgrade(&connection));
        tokio::spawn(async move {
            tokio::select! {
                () = drive(driver, watched.clone()) => {}
                () = close_when_idle(shared, watched, idle_time) => {}
            }
        });
        Ok(Place(connection))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        // No code panics while it is locked.
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

type Driver<S> = http2::Connection<TokioIo<S>, RequestBody, TokioExecutor>;

/// Waits until it is known how many streams the upstream allows. It would refuse others.
async fn settle<S>(driver: &mut Driver<S>) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let start = Instant::now();
    while driver.current_max_send_streams() == UNKNOWN && start.elapsed() < SETTINGS_TIME {
        tokio::select! {
            ended = &mut *driver => return ended,
            () = sleep(Duration::from_millis(1)) => {}
        }
    }
    Ok(())
}

/// Drives a connection until it ends, and notes how many streams it may have.
async fn drive<S>(mut driver: Driver<S>, connection: Weak<Connection>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    poll_fn(|cx| {
        // Its requests have their own errors.
        let ended = Pin::new(&mut driver).poll(cx).map(|_| ());
        if let Some(connection) = connection.upgrade() {
            let limit = driver.current_max_send_streams();
            connection.limit.store(limit, Ordering::Relaxed);
        }
        ended
    })
    .await;
}

/// Removes a connection that has been idle for this time, and then waits for its end.
async fn close_when_idle(shared: Weak<Shared>, connection: Weak<Connection>, idle_time: Duration) {
    let mut wait = idle_time;
    loop {
        sleep(wait).await;
        let (Some(shared), Some(connection)) = (shared.upgrade(), connection.upgrade()) else {
            break;
        };
        // A place is taken only while this is locked.
        let mut connections = shared.lock();
        let idle = connection.idle_time();
        if idle >= idle_time {
            connections.retain(|other| !Arc::ptr_eq(other, &connection));
            break;
        }
        wait = idle_time.saturating_sub(idle).max(Duration::from_millis(1));
    }
    // Nothing sends on it any more, so it ends by itself.
    std::future::pending().await
}

impl Connection {
    fn is_usable(&self) -> bool {
        // A connection that is going away is closed for requests.
        !self.is_retired.load(Ordering::Relaxed) && !self.sender.is_closed()
    }

    /// Takes a place if the upstream allows one more stream.
    fn place(self: &Arc<Self>) -> Option<Place> {
        let limit = self.limit.load(Ordering::Relaxed).max(1);
        if self.streams.load(Ordering::Relaxed) >= limit {
            return None;
        }
        self.streams.fetch_add(1, Ordering::Relaxed);
        Some(Place(Arc::clone(self)))
    }

    /// Returns how long there has been no stream.
    fn idle_time(&self) -> Duration {
        match self.streams.load(Ordering::Acquire) {
            0 => self
                .idle_since
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .elapsed(),
            _ => Duration::ZERO,
        }
    }
}

/// A place for one stream on a connection, until it is dropped.
pub(crate) struct Place(Arc<Connection>);

impl Place {
    /// Sends a request, and returns the head of its response. If the future or the response's body
    /// is dropped, the stream is reset.
    ///
    /// The time limit counts from the last bytes of the body that the upstream has taken.
    pub(crate) async fn send(
        &self,
        request: Request<RequestBody>,
        progress: Option<&Progress>,
        limit: Duration,
    ) -> Result<Response<Incoming>, Lost> {
        let began = Instant::now();
        let mut response = pin!(self.0.sender.clone().try_send_request(request));
        let mut timer = pin!(sleep_until(began + limit));
        loop {
            let found = select(response.as_mut(), timer.as_mut()).await;
            if let Some(found) = found {
                return found.map_err(|mut error| Lost::Broken {
                    unsent: error.take_message().map(Box::new),
                    received: false,
                    error: error.into_error(),
                });
            }
            // A moving upload has no limit.
            let (upload, since) = progress.map_or((Upload::Passed, began), Progress::last);
            let deadline = since.max(began) + limit;
            if deadline <= Instant::now() {
                return Err(Lost::Late(match upload {
                    Upload::Awaited => UpstreamError::StalledRequest,
                    Upload::Passed | Upload::Failed => UpstreamError::HeaderTimeout,
                }));
            }
            timer.as_mut().reset(deadline);
        }
    }

    /// Ends the use of the connection for further requests, when the upstream seems to be gone.
    /// Its streams stay.
    pub(crate) fn retire(&self) {
        self.0.is_retired.store(true, Ordering::Relaxed);
    }
}

/// Waits for a response, or until the timer ends, which is `None`.
async fn select<F: Future>(
    mut response: Pin<&mut F>,
    mut timer: Pin<&mut Sleep>,
) -> Option<F::Output> {
    poll_fn(|cx| match response.as_mut().poll(cx) {
        Poll::Ready(found) => Poll::Ready(Some(found)),
        Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
    })
    .await
}

impl Drop for Place {
    fn drop(&mut self) {
        let connection = &self.0;
        *connection
            .idle_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
        connection.streams.fetch_sub(1, Ordering::Release);
    }
}

/// Returns whether the upstream says that it has not processed the request, so that any request may
/// be sent once more: the stream was refused, or began after the last one before the connection
/// goes away (RFC 9113, section 8.7).
pub(crate) fn is_unprocessed(error: &(dyn Error + 'static)) -> bool {
    h2_error(error).is_some_and(|error| {
        let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        error.is_remote() && (refused || error.is_go_away())
    })
}

/// Returns whether the upstream has ended the stream alone, and not the connection.
pub(crate) fn is_reset(error: &(dyn Error + 'static)) -> bool {
    h2_error(error).is_some_and(h2::Error::is_reset)
}

/// Returns the error of HTTP/2 among the causes of an error.
pub(crate) fn h2_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a h2::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
