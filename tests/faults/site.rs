//! The site under test: the five layers around routes that misbehave.

use std::{
    convert::Infallible,
    fmt::Write,
    future::pending,
    ops::ControlFlow,
    pin::pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE, request};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use sha2::{Digest, Sha256};
use tokio::time::sleep;
use tower::{BoxError, ServiceBuilder, service_fn};
use tower_body_rewrite::PrefixLayer;
use tower_cascade::CascadeLayer;
use tower_deploy::{App, Body};
use tower_dispatch::{Dispatch, DispatchLayer};
use tower_environ::{EnvironExt, EnvironLayer, Key};
use tower_exception::ExceptionLayer;
use tower_hooks::{Hook, HooksLayer, Outcome};

use crate::Failure;

const PREFIX: &str = "yikes: ";
const SITE: Key<&'static str> = Key::new("faults.site");
/// The message of `/panic`, which is not logged each time.
pub(crate) const PANIC: &str = "this route always panics";
const LINE: &str = "What is written here is as good as anything else that has so many letters.\n";
const FRAME: usize = 64 << 10;
/// The interval of the frames of `/slow`, and their number.
const SLOW: (Duration, usize) = (Duration::from_millis(50), 20);

type Answer = Result<Response<Body>, BoxError>;

/// The counts so far.
#[derive(Default)]
pub(crate) struct Counts {
    /// Those that the server has given a service, whether it called the service or not.
    pub(crate) requests: AtomicU64,
    pub(crate) begun: AtomicU64,
    pub(crate) finished: AtomicU64,
    pub(crate) incidents: AtomicU64,
    pub(crate) reloads: AtomicU64,
}

/// Counts requests at both ends: one that begins and never finishes is lost.
struct Counted(Arc<Counts>);

impl Hook for Counted {
    type State = ();

    async fn before(
        &self,
        (): &mut (),
        _: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        ControlFlow::Continue(())
    }

    fn finish(&self, (): (), _: Outcome) {
        self.0.finished.fetch_add(1, Ordering::Relaxed);
    }
}

/// The page as it is stored.
fn page() -> String {
    LINE.repeat(50)
}

/// The page as a client gets it.
pub(crate) fn page_as_sent() -> String {
    page().lines().fold(String::new(), |mut sent, line| {
        // Writing into a string cannot fail.
        let _ = writeln!(sent, "{PREFIX}{line}");
        sent
    })
}

pub(crate) fn site(counts: &Arc<Counts>) -> Result<App, Failure> {
    let urls = Dispatch::builder()
        .put("/upload", service_fn(upload))
        .get("/hang", service_fn(hangs))
        .get("/panic", service_fn(panics))
        .get("/drop", service_fn(drops))
        .get("/flood", service_fn(floods))
        .get("/slow", service_fn(slow))
        .build()?;
    let incidents = Arc::clone(counts);
    let page = Bytes::from(page());
    let memory = service_fn(move |request: Request<_>| {
        let page = page.clone();
        async move {
            match request.uri().path() {
                "/page" => Ok::<_, Infallible>(text(page.into())),
                _ => Ok(not_found()),
            }
        }
    });
    let stack = ServiceBuilder::new()
        .layer(ExceptionLayer::production(move |_| {
            incidents.incidents.fetch_add(1, Ordering::Relaxed);
        }))
        .layer(HooksLayer::new().hook(Counted(Arc::clone(counts))))
        .layer(EnvironLayer::new(SITE, "faults"))
        .layer(PrefixLayer::new(PREFIX))
        .layer(CascadeLayer::new(memory))
        .layer(DispatchLayer::new(urls))
        .service(service_fn(async |_: Request<_>| {
            Ok::<_, BoxError>(not_found())
        }));
    Ok(App::new(stack))
}

/// Responds with the SHA-256 of the body.
async fn upload<B>(request: Request<B>) -> Answer
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    request
        .environ(&SITE)
        .ok_or("no layer has set faults.site")?;
    let mut body = pin!(request.into_body());
    let mut sha256 = Sha256::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(Into::into)?;
        sha256.update(frame.data_ref().map_or(&[][..], |data| data));
    }
    let hash = Bytes::copy_from_slice(&sha256.finalize());
    Ok(Response::new(Body::new(Full::from(hash))))
}

async fn hangs<B>(_: Request<B>) -> Answer {
    pending().await
}

async fn panics<B>(_: Request<B>) -> Answer {
    panic!("{PANIC}")
}

/// Two frames, and then an error instead of the third. The error comes later, because hyper drops
/// its buffer, head included, when a body fails.
async fn drops<B>(_: Request<B>) -> Answer {
    let error = stream::once(async {
        sleep(SLOW.0).await;
        Err("this body always fails".into())
    });
    let frames = stream::iter([Ok(frame()), Ok(frame())]);
    Ok(streamed(frames.chain(error)))
}

async fn floods<B>(_: Request<B>) -> Answer {
    Ok(streamed(stream::repeat_with(|| Ok(frame()))))
}

async fn slow<B>(_: Request<B>) -> Answer {
    let (pause, times) = SLOW;
    Ok(streamed(stream::iter(0..times).then(move |_| async move {
        sleep(pause).await;
        Ok(Frame::data(Bytes::from_static(LINE.as_bytes())))
    })))
}

fn frame() -> Frame<Bytes> {
    static BYTES: LazyLock<Bytes> = LazyLock::new(|| {
        let lines = LINE.repeat(FRAME / LINE.len() + 1);
        Bytes::from(lines).slice(..FRAME)
    });
    Frame::data(BYTES.clone())
}

fn streamed(
    frames: impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send + 'static,
) -> Response<Body> {
    text(Body::new(StreamBody::new(frames)))
}

/// Text, so that the prefix layer has work with it.
fn text(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let text = HeaderValue::from_static("text/plain");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

fn not_found() -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
