//! Stacks of one type, made of layers in any order, with their notes.

use std::{
    convert::Infallible,
    ops::ControlFlow,
    sync::{Arc, Mutex, Once},
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Method, Request, Response, StatusCode, header::CONTENT_TYPE, request};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_body_rewrite::PrefixLayer;
use tower_cascade::CascadeLayer;
use tower_dispatch::{Dispatch, DispatchLayer, Endpoint, UrlArgs};
use tower_environ::{EnvironExt, EnvironLayer, Key, MountExt, MountLayer};
use tower_exception::{ExceptionLayer, Incident};
use tower_hooks::{Hook, HooksLayer, Outcome, OutcomeKind};
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_lint::{LintLayer, Violation};
use tower_origin::{Origin, OriginLayer};

pub(crate) const HELLO: Key<&'static str> = Key::new("orders.hello");
pub(crate) const PREFIX: &str = "yikes: ";
pub(crate) const MOUNTED_AT: &str = "/at";

/// Any service, whatever its type. It may fail, so that layers may be outside of the exception
/// layer.
pub(crate) type Stack = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

pub(crate) fn boxed<S, B>(service: S) -> Stack
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let service = service.map_response(|response| response.map(Body::new));
    BoxCloneSyncService::new(service.map_err(Into::into))
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Exception,
    Hooks,
    Environ,
    Origin,
    Prefix,
    Cascade,
    Dispatch,
    Mount,
}

/// Without the mount, which changes the services that can respond.
pub(crate) const UNMOUNTED: [Kind; 7] = [
    Kind::Exception,
    Kind::Hooks,
    Kind::Environ,
    Kind::Origin,
    Kind::Prefix,
    Kind::Cascade,
    Kind::Dispatch,
];

/// The notes of the layers of a stack since they were last taken.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) incidents: Vec<Incident>,
    /// The end of each request that entered the hook.
    pub(crate) ends: Vec<OutcomeKind>,
    /// Whether the hook has seen the route, for each request that entered it.
    pub(crate) routes: Vec<bool>,
    pub(crate) violations: Vec<Violation>,
}

impl Told {
    pub(crate) fn take(&self) -> Notes {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn note(&self, note: impl FnOnce(&mut Notes)) {
        note(&mut self.0.lock().unwrap());
    }

    pub(crate) fn lint(&self) -> LintLayer {
        let told = self.clone();
        LintLayer::new().report(move |violation| {
            told.note(|notes| notes.violations.push(violation.clone()));
        })
    }

    pub(crate) fn exception(&self) -> ExceptionLayer {
        let told = self.clone();
        ExceptionLayer::production(move |incident| {
            told.note(|notes| notes.incidents.push(incident.clone()));
        })
    }
}

impl Hook for Told {
    type State = ();

    async fn before(
        &self,
        (): &mut (),
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        let route = request.extensions.get::<UrlArgs>().is_some();
        self.note(|notes| notes.routes.push(route));
        ControlFlow::Continue(())
    }

    fn finish(&self, (): (), outcome: Outcome) {
        self.note(|notes| notes.ends.push(outcome.kind()));
    }
}

/// The layers, made once, and put together in any order.
pub(crate) struct Layers {
    pub(crate) told: Told,
    urls: Dispatch<Endpoint<Body, BoxError>>,
    origin: OriginLayer,
}

impl Layers {
    pub(crate) fn new() -> Self {
        quiet();
        let urls = Dispatch::builder()
            .get("/hello/{name}", service_fn(endpoint))
            .put("/hello/{name}", service_fn(endpoint))
            .put("/upload", service_fn(upload))
            .get("/panic", service_fn(panics))
            .get("/error", service_fn(fails))
            .get("/broken", service_fn(breaks_off));
        Self {
            told: Told::default(),
            urls: urls.build().unwrap(),
            origin: OriginLayer::new()
                .hosts(["example.org", "127.0.0.1"])
                .unwrap(),
        }
    }

    /// One layer around a service.
    pub(crate) fn around(&self, kind: Kind, inner: Stack) -> Stack {
        match kind {
            Kind::Exception => boxed(self.told.exception().layer(inner)),
            Kind::Hooks => boxed(HooksLayer::new().hook(self.told.clone()).layer(inner)),
            Kind::Environ => boxed(EnvironLayer::new(HELLO, "Hello World").layer(inner)),
            Kind::Origin => boxed(self.origin.clone().layer(inner)),
            Kind::Prefix => boxed(PrefixLayer::new(PREFIX).layer(inner)),
            Kind::Cascade => {
                let plain = MapRequestBodyLayer::new(Body::new);
                let files = plain.layer(self.lint(boxed(service_fn(files))));
                boxed(CascadeLayer::new(files).layer(plain.layer(inner)))
            }
            Kind::Dispatch => boxed(DispatchLayer::new(self.urls.clone()).layer(inner)),
            Kind::Mount => boxed(MountLayer::new(MOUNTED_AT).unwrap().layer(inner)),
        }
    }

    pub(crate) fn lint(&self, inner: Stack) -> Stack {
        boxed(self.told.lint().layer(inner))
    }

    /// The layers in this order, the first one outermost, watched on both sides of each.
    pub(crate) fn stack(&self, order: &[Kind]) -> Stack {
        self.stack_on(order, boxed(service_fn(rest)))
    }

    /// The same around another service.
    pub(crate) fn stack_on(&self, order: &[Kind], inner: Stack) -> Stack {
        let outward = order.iter().rev();
        let inner = self.lint(inner);
        outward.fold(inner, |inner, kind| self.lint(self.around(*kind, inner)))
    }
}

pub(crate) fn permutations<T: Copy>(of: &[T]) -> Vec<Vec<T>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let each = (0..of.len()).flat_map(|first| {
        let mut others = of.to_vec();
        let first = others.remove(first);
        permutations(&others).into_iter().map(move |mut order| {
            order.insert(0, first);
            order
        })
    });
    each.collect()
}

/// The panics that are part of a test print nothing.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<&str>().copied();
            let owned = info.payload().downcast_ref::<String>();
            if text.or(owned.map(String::as_str)) != Some(PANIC) {
                loud(info);
            }
        }));
    });
}

pub(crate) const PANIC: &str = "this route always panics";
pub(crate) const DISK: &str = "the disk is gone";

pub(crate) type Answer = Result<Response<Body>, BoxError>;

pub(crate) fn text(body: impl Into<Body>) -> Response<Body> {
    typed("text/plain", body)
}

fn typed(content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    let value = http::HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, value);
    response
}

pub(crate) fn not_found() -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// The layers that the responding app sees around it, a line each.
fn seen(who: &str, request: Request<Body>) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let hello = parts.environ(&HELLO).copied().unwrap_or("-");
    let origin = parts.extensions.get::<Origin>();
    let url = origin.and_then(|origin| origin.url(&parts));
    let url = url.as_deref().unwrap_or("-");
    let (script_name, path_info) = (parts.script_name(), parts.path_info());
    let body = format!("{who}\n{hello}\n{url}\n{script_name} {path_info}");
    match parts.method {
        Method::HEAD => text(""),
        _ => text(body),
    }
}

/// The first service: it begins to read the body, and then responds with 404.
pub(crate) async fn files(mut request: Request<Body>) -> Answer {
    if request.uri().path() == "/file" {
        return Ok(seen("files", request));
    }
    if let Some(frame) = request.body_mut().frame().await {
        frame?;
    }
    Ok(not_found())
}

async fn endpoint(request: Request<Body>) -> Answer {
    Ok(seen("endpoint", request))
}

/// Responds with the body that it got, and with the trailer.
pub(crate) async fn upload(request: Request<Body>) -> Answer {
    let body = request.into_body().collect().await?;
    let trailer = body.trailers().and_then(|trailers| trailers.get("x-sum"));
    let mut answer = typed("application/octet-stream", "");
    if let Some(sum) = trailer {
        answer.headers_mut().insert("x-sum", sum.clone());
    }
    *answer.body_mut() = body.to_bytes().into();
    Ok(answer)
}

async fn panics(_: Request<Body>) -> Answer {
    panic!("{PANIC}")
}

pub(crate) async fn fails(_: Request<Body>) -> Answer {
    Err(DISK.into())
}

async fn breaks_off(_: Request<Body>) -> Answer {
    let frames = [
        Ok(Frame::data(Bytes::from("one\n"))),
        Ok(Frame::data(Bytes::from("two"))),
        Err(DISK),
    ];
    // A server that has no time to send the head sends nothing at all.
    let frames = stream::iter(frames).then(async |frame| {
        if frame.is_err() {
            tokio::task::yield_now().await;
        }
        frame
    });
    Ok(text("").map(|_| Body::new(StreamBody::new(frames))))
}

/// The innermost one.
pub(crate) async fn rest(request: Request<Body>) -> Answer {
    Ok(match request.uri().path() {
        "/page" if request.method() == Method::HEAD => typed("text/html", ""),
        "/page" => typed("text/html", "<p>\n<p>\n"),
        "/text" => seen("rest", request),
        _ => not_found(),
    })
}

/// A body in three frames and with a trailer.
pub(crate) fn uploaded(bytes: &'static [u8]) -> Body {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", http::HeaderValue::from_static("45"));
    let data = bytes.chunks(bytes.len().div_ceil(3));
    let data = data.map(|chunk| Frame::data(Bytes::from_static(chunk)));
    let frames = data.chain([Frame::trailers(trailers)]);
    let frames: Vec<_> = frames.map(Ok::<_, Infallible>).collect();
    Body::new(StreamBody::new(stream::iter(frames)))
}
