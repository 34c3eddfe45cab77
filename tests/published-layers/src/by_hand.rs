//! The checks by hand: each shows a violation with nothing but the layer, a service and a request.

use std::{
    error::Error,
    fmt,
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tower::{BoxError, Layer, Service, ServiceExt, load_shed::LoadShedLayer, service_fn};
use tower_http::compression::CompressionLayer;
use tower_livereload::LiveReloadLayer;

use crate::bench::by_hand;

type Observed = Result<String, BoxError>;

const TAG: &str = "\"tag\"";

/// An error that is looked for among the sources of another one.
#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl Error for Broken {}

/// Returns an observation if the error is not `Broken` and has no such source.
fn without_source(error: BoxError) -> Observed {
    let error: &(dyn Error + 'static) = &*error;
    let mut chain = std::iter::successors(Some(error), |&error| error.source()).take(32);
    match chain.any(|error| error.is::<Broken>()) {
        true => Err("the error is among the sources".into()),
        false => Ok(format!("the error becomes `{error:?}`, without a source")),
    }
}

/// A service whose `poll_ready` has this result.
#[derive(Clone)]
struct Readiness(fn() -> Poll<Result<(), Broken>>);

impl Service<Request<Body>> for Readiness {
    type Response = Response<Body>;
    type Error = Broken;
    type Future = std::future::Ready<Result<Response<Body>, Broken>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        (self.0)()
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(Ok(Response::new(Body::empty())))
    }
}

/// A service that responds with the result of this function.
fn responds(
    respond: fn() -> Result<Response<Body>, Broken>,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Broken, Future: Send>
+ Clone
+ Send
+ Sync {
    service_fn(move |_: Request<Body>| ready(respond()))
}

fn get(uri: &str) -> Result<Request<Body>, http::Error> {
    Request::get(uri).body(Body::empty())
}

fn html(
    status: StatusCode,
    headers: &[(&'static str, &'static str)],
    body: Body,
) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = [("content-type", "text/html")].iter().chain(headers);
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(*name, HeaderValue::from_static(value));
    }
    response
}

/// A body that fails after its first frame.
fn fails() -> Body {
    let frames = [Ok(Bytes::from_static(b"before")), Err(Broken)];
    Body::from_stream(futures_util::stream::iter(frames))
}

fn with_trailers(data: &'static str) -> Body {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-trailer", HeaderValue::from_static("sum"));
    Body::new(Full::<Bytes>::from(data).with_trailers(ready(Some(Ok(trailers)))))
}

pub(crate) fn compression_keeps_the_tag() -> Observed {
    by_hand(async {
        let mut lengths = Vec::new();
        for coding in ["identity", "gzip"] {
            let page = || {
                let headers = &[("etag", TAG)];
                Ok(html(StatusCode::OK, headers, "a line\n".repeat(200).into()))
            };
            let mut request = get("/")?;
            let coding = HeaderValue::from_static(coding);
            request.headers_mut().insert("accept-encoding", coding);
            let response = CompressionLayer::new()
                .layer(responds(page))
                .oneshot(request)
                .await?;
            if response.headers().get("etag").is_none_or(|tag| tag != TAG) {
                return Err(format!("it has {:?}", response.headers()).into());
            }
            lengths.push(response.into_body().collect().await?.to_bytes().len());
        }
        match lengths[..] {
            [plain, packed] if plain != packed => Ok(format!(
                "`identity` gets {plain} bytes and `gzip` {packed}, both with `ETag: {TAG}`"
            )),
            _ => Err(format!("the lengths are {lengths:?}").into()),
        }
    })
}

pub(crate) fn load_shed_does_not_wait() -> Observed {
    by_hand(async {
        let service = LoadShedLayer::new().layer(Readiness(|| Poll::Pending));
        match service.oneshot(get("/")?).await {
            Err(error) => Ok(format!(
                "the inner service is pending, and the call fails at once: {error}"
            )),
            Ok(response) => Err(format!("it responds with {}", response.status()).into()),
        }
    })
}

/// The layer of axum that responds with 502 to errors.
macro_rules! handles_errors {
    ($service:expr) => {
        by_hand(async {
            let layer = axum::error_handling::HandleErrorLayer::new(async |_: Broken| {
                StatusCode::BAD_GATEWAY
            });
            let response = layer.layer($service).oneshot(get("/")?).await?;
            Ok(format!(
                "the error becomes a {}",
                response.status().as_u16()
            ))
        })
    };
}

pub(crate) fn handle_error_responds() -> Observed {
    handles_errors!(responds(|| Err(Broken)))
}

pub(crate) fn handle_error_responds_if_not_ready() -> Observed {
    handles_errors!(Readiness(|| Poll::Ready(Err(Broken))))
}

pub(crate) fn grpc_web_rejects_http_1() -> Observed {
    by_hand(async {
        let called = Arc::new(AtomicBool::new(false));
        let was_called = called.clone();
        let inner = service_fn(move |_: Request<tonic::body::Body>| {
            called.store(true, Ordering::Relaxed);
            ready(Ok::<_, Broken>(Response::new(Body::empty())))
        });
        let response = tonic_web::GrpcWebLayer::new()
            .layer(inner)
            .oneshot(get("/")?)
            .await?;
        match (
            response.status().as_u16(),
            was_called.load(Ordering::Relaxed),
        ) {
            (400, false) => Ok("a GET over HTTP/1.1 gets a 400, and no service".to_owned()),
            other => Err(format!("{other:?}").into()),
        }
    })
}

pub(crate) fn retry_drops_trailers() -> Observed {
    by_hand(async {
        let inner = service_fn(async |request: Request<Body>| {
            let body = request
                .into_body()
                .collect()
                .await
                .expect("it does not fail");
            let text = format!("trailers: {:?}", body.trailers().map(HeaderMap::len));
            Ok(Response::new(Body::from(text)))
        });
        let request = Request::new(with_trailers("content"));
        let response = axum_reverse_proxy::RetryLayer::new(2)
            .layer(inner)
            .oneshot(request)
            .await?;
        let text = response.into_body().collect().await?.to_bytes();
        match &*text {
            b"trailers: None" => {
                Ok("a request's body with trailers arrives without them".to_owned())
            }
            text => Err(String::from_utf8_lossy(text).into()),
        }
    })
}

fn cache() -> http_cache_tower::HttpCacheLayer<http_cache::MokaManager> {
    http_cache_tower::HttpCacheLayer::new(http_cache::MokaManager::default())
}

pub(crate) fn http_cache_needs_a_whole_url() -> Observed {
    by_hand(async {
        let inner = responds(|| Ok(Response::new(Body::empty())));
        match cache().layer(inner).oneshot(get("/")?).await {
            Err(error) => Ok(format!("`GET /` fails: {error}")),
            Ok(response) => Err(format!("it responds with {}", response.status()).into()),
        }
    })
}

pub(crate) fn http_cache_loses_the_error_of_a_body() -> Observed {
    by_hand(async {
        let inner = responds(|| Ok(html(StatusCode::OK, &[], fails())));
        match cache()
            .layer(inner)
            .oneshot(get("https://example.org/")?)
            .await
        {
            Err(error) => without_source(error.into()),
            Ok(response) => Err(format!("it responds with {}", response.status()).into()),
        }
    })
}

/// Sends a request through the layer that injects a script. Returns the head of the response and
/// its frames.
async fn live_reload(
    method: Method,
    respond: fn() -> Result<Response<Body>, Broken>,
) -> Result<(http::response::Parts, Vec<String>), BoxError> {
    let request = Request::builder().method(method).body(Body::empty())?;
    let response = LiveReloadLayer::new()
        .layer(responds(respond))
        .oneshot(request)
        .await?;
    let (parts, mut body) = response.into_parts();
    let mut frames = Vec::new();
    while let Some(frame) = body.frame().await {
        frames.push(match frame?.into_data() {
            Ok(data) => format!("{} bytes", data.len()),
            Err(_) => "trailers".to_owned(),
        });
    }
    Ok((parts, frames))
}

pub(crate) fn live_reload_after_trailers() -> Observed {
    by_hand(async {
        let page = || Ok(html(StatusCode::OK, &[], with_trailers("page")));
        let (_, frames) = live_reload(Method::GET, page).await?;
        match &frames[..] {
            [data, trailers, more] if trailers == "trailers" => {
                Ok(format!("the frames are {data}, {trailers}, {more}"))
            }
            _ => Err(format!("{frames:?}").into()),
        }
    })
}

pub(crate) fn live_reload_of_head() -> Observed {
    by_hand(async {
        let page = || {
            Ok(html(
                StatusCode::OK,
                &[("content-length", "4")],
                Body::empty(),
            ))
        };
        let (_, frames) = live_reload(Method::HEAD, page).await?;
        match &frames[..] {
            [content] => Ok(format!("the response to HEAD has {content} of content")),
            _ => Err(format!("{frames:?}").into()),
        }
    })
}

pub(crate) fn live_reload_of_a_range() -> Observed {
    by_hand(async {
        let part = || {
            let headers = &[("content-range", "bytes 0-3/9"), ("content-length", "4")];
            Ok(html(StatusCode::PARTIAL_CONTENT, headers, "page".into()))
        };
        let (parts, frames) = live_reload(Method::GET, part).await?;
        let (range, length) = (
            &parts.headers["content-range"],
            &parts.headers["content-length"],
        );
        match frames.len() {
            2 => Ok(format!(
                "a 206 has `Content-Range: {}` and {} bytes",
                range.to_str()?,
                length.to_str()?
            )),
            _ => Err(format!("{frames:?}").into()),
        }
    })
}

pub(crate) fn live_reload_keeps_the_tag() -> Observed {
    by_hand(async {
        let page = || Ok(html(StatusCode::OK, &[("etag", TAG)], "page".into()));
        let (parts, frames) = live_reload(Method::GET, page).await?;
        match (frames.len(), parts.headers["etag"] == TAG) {
            (2, true) => Ok(format!(
                "a page of 4 bytes with `ETag: {TAG}` gets {} more, and keeps it",
                frames[1]
            )),
            _ => Err(format!("{frames:?}").into()),
        }
    })
}

/// The error of a service inside of the layer that injects a script.
async fn live_reload_fails<S>(inner: S) -> Observed
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Broken, Future: Send>,
{
    match LiveReloadLayer::new().layer(inner).oneshot(get("/")?).await {
        Err(error) => without_source(error.into()),
        Ok(response) => Err(format!("it responds with {}", response.status()).into()),
    }
}

pub(crate) fn live_reload_loses_the_error() -> Observed {
    by_hand(live_reload_fails(responds(|| Err(Broken))))
}

pub(crate) fn live_reload_loses_the_error_of_poll_ready() -> Observed {
    by_hand(live_reload_fails(Readiness(|| Poll::Ready(Err(Broken)))))
}

pub(crate) fn live_reload_loses_the_error_of_a_body() -> Observed {
    by_hand(async {
        let inner = service_fn(async |_: Request<Body>| {
            let frames = [Ok(Frame::data(Bytes::from_static(b"before"))), Err(Broken)];
            let body = StreamBody::new(futures_util::stream::iter(frames));
            Ok::<_, Broken>(Response::new(body))
        });
        let layer = LiveReloadLayer::new();
        let response = layer.layer(inner).oneshot(get("/")?).await?;
        match response.into_body().collect().await {
            Err(error) => without_source(error.into()),
            Ok(_) => Err("the body does not fail".into()),
        }
    })
}
