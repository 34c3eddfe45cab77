use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::{Extensions, HeaderMap, Request, Response, request::Parts};
use tower_service::Service;

use super::{Body, DropLog, Error, Gate};

/// A request that an [`App`] got.
///
/// # Examples
///
/// ```
/// use http::{Request, Response};
/// use tower::ServiceExt;
/// use tower_lint::probe::{App, Body, block_on};
///
/// let app = App::new(|_| Response::new(Body::default()));
/// let request = Request::put("/a").body(Body::new(["content".into()]))?;
/// drop(block_on(app.clone().oneshot(request)));
/// assert_eq!(app.seen()[0].parts.method, "PUT");
/// assert_eq!(app.seen()[0].body, "content");
/// # Ok::<_, http::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Seen {
    /// The request's head.
    pub parts: Parts,
    /// The bytes of the body that were read.
    pub body: Bytes,
    /// The trailers, if they were read.
    pub trailers: Option<HeaderMap>,
    /// The text of the body's error, if there was one.
    pub error: Option<String>,
}

type Respond = dyn Fn(&Seen) -> Response<Body> + Send + Sync;

/// A service that follows a script.
///
/// It panics if an instance is called without being ready. Each clone has its own readiness.
///
/// # Examples
///
/// ```
/// use http::{Request, Response};
/// use tower::ServiceExt;
/// use tower_lint::probe::{App, Body, block_on};
///
/// let app = App::new(|_| Response::new(Body::new(["fine".into()]))).not_ready(1).yields(2);
/// let response = block_on(app.clone().oneshot(Request::new(Body::default()))).unwrap();
/// assert_eq!(response.unwrap().status(), 200);
/// assert_eq!(app.calls(), 1);
/// ```
#[derive(Clone)]
pub struct App {
    script: Script,
    readiness: Readiness,
    seen: Arc<Mutex<Vec<Seen>>>,
    calls: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Script {
    respond: Arc<Respond>,
    frames: usize,
    not_ready: usize,
    ready_gate: Option<Gate>,
    ready_error: Option<Error>,
    gate: Option<Gate>,
    yields: usize,
    error: Option<Error>,
    log: DropLog,
    lenient: bool,
    keep: fn(&mut Extensions),
}

/// The readiness of this instance. A clone starts without one.
struct Readiness {
    asked: usize,
    ready: bool,
}

impl Clone for Readiness {
    fn clone(&self) -> Self {
        Self {
            asked: 0,
            ready: false,
        }
    }
}

impl App {
    /// Creates a service that reads the whole request, and responds with the result of this
    /// function.
    pub fn new(respond: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static) -> Self {
        Self {
            script: Script {
                respond: Arc::new(respond),
                frames: usize::MAX,
                not_ready: 0,
                ready_gate: None,
                ready_error: None,
                gate: None,
                yields: 0,
                error: None,
                log: DropLog::default(),
                lenient: false,
                keep: |_| {},
            },
            readiness: Readiness {
                asked: 0,
                ready: false,
            },
            seen: Arc::default(),
            calls: Arc::default(),
        }
    }

    /// Sets the maximum number of frames that are read of the request's body. By default all are
    /// read.
    #[must_use]
    pub fn reads(mut self, frames: usize) -> Self {
        self.script.frames = frames;
        self
    }

    /// Sets how many times `poll_ready` returns pending and wakes the task. By default it is zero.
    #[must_use]
    pub fn not_ready(mut self, times: usize) -> Self {
        self.script.not_ready = times;
        self
    }

    /// Sets a gate: the service is not ready before it opens. By default there is none.
    #[must_use]
    pub fn ready_behind(mut self, gate: Gate) -> Self {
        self.script.ready_gate = Some(gate);
        self
    }

    /// Sets the error of `poll_ready`. By default there is none.
    #[must_use]
    pub fn fails_ready(mut self, error: Error) -> Self {
        self.script.ready_error = Some(error);
        self
    }

    /// Sets a gate: the service does not respond before it opens. By default there is none.
    #[must_use]
    pub fn answers_behind(mut self, gate: Gate) -> Self {
        self.script.gate = Some(gate);
        self
    }

    /// Sets how many times the future returns pending and wakes the task. By default it is zero.
    #[must_use]
    pub fn yields(mut self, times: usize) -> Self {
        self.script.yields = times;
        self
    }

    /// Sets the error of the future, instead of a response. By default there is none.
    #[must_use]
    pub fn fails(mut self, error: Error) -> Self {
        self.script.error = Some(error);
        self
    }

    /// Logs the drops of the futures here. By default they are not logged.
    #[must_use]
    pub fn log(mut self, log: &DropLog) -> Self {
        self.script.log = log.clone();
        self
    }

    /// Allows calls of an instance that is not ready. By default they panic.
    #[must_use]
    pub fn lenient(mut self) -> Self {
        self.script.lenient = true;
        self
    }

    /// Removes extensions from the requests that [`seen`](Self::seen) returns, because a layer may
    /// wait until its extension is dropped. By default all are kept.
    #[must_use]
    pub(crate) fn keeping(mut self, keep: fn(&mut Extensions)) -> Self {
        self.script.keep = keep;
        self
    }

    /// Returns the requests that the service and its clones have got and read so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns how many times the service and its clones were called so far.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl<B> Service<Request<B>> for App
where
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = AppFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.readiness.asked < self.script.not_ready {
            self.readiness.asked += 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(gate) = &self.script.ready_gate
            && gate.poll(cx).is_pending()
        {
            return Poll::Pending;
        }
        if let Some(error) = self.script.ready_error {
            return Poll::Ready(Err(error));
        }
        self.readiness.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> AppFuture {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let ready = std::mem::take(&mut self.readiness.ready);
        self.readiness.asked = 0;
        assert!(ready || self.script.lenient, "called without being ready");
        let (script, seen) = (self.script.clone(), self.seen.clone());
        let tracked = script.log.track("the inner future");
        AppFuture(Box::pin(async move {
            let _tracked = tracked;
            let mut request = read(request, script.frames).await;
            let mut yields = script.yields;
            std::future::poll_fn(|cx| {
                if yields > 0 {
                    yields -= 1;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                script
                    .gate
                    .as_ref()
                    .map_or(Poll::Ready(()), |gate| gate.poll(cx))
            })
            .await;
            let result = match script.error {
                Some(error) => Err(error),
                None => Ok((script.respond)(&request)),
            };
            (script.keep)(&mut request.parts.extensions);
            seen.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(request);
            result
        }))
    }
}

async fn read<B>(request: Request<B>, frames: usize) -> Seen
where
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>>,
{
    let (parts, body) = request.into_parts();
    let mut body = pin!(body);
    let (mut bytes, mut trailers, mut error) = (BytesMut::new(), None, None);
    for _ in 0..frames {
        match std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            None => break,
            Some(Err(failed)) => {
                error = Some(failed.into().to_string());
                break;
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => bytes.extend_from_slice(&data),
                Err(frame) => trailers = frame.into_trailers().ok(),
            },
        }
    }
    Seen {
        parts,
        body: bytes.freeze(),
        trailers,
        error,
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("calls", &self.calls())
            .finish_non_exhaustive()
    }
}

/// The future of [`App`].
pub struct AppFuture(Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>);

impl Future for AppFuture {
    type Output = Result<Response<Body>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for AppFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppFuture").finish_non_exhaustive()
    }
}
