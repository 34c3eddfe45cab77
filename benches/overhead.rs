//! What each layer adds to a request: the time of a service with the layer, less that of the bare service.
//! The two take turns in the same run, so that a busy machine slows both.

#![allow(
    missing_docs,
    reason = "criterion's macros make an undocumented function"
)]

use std::{
    convert::Infallible,
    hint::black_box,
    pin::pin,
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, service_fn};
use tower_body_rewrite::PrefixLayer;
use tower_cascade::CascadeLayer;
use tower_dispatch::{Dispatch, DispatchLayer, Endpoint};
use tower_environ::{EnvironLayer, Key};
use tower_exception::ExceptionLayer;

type ReqBody = Full<Bytes>;

/// How many requests one side gets before it is the other's turn.
const TURN: u64 = 100;

async fn bare<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("Hello World\nand all who live there\n"));
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

async fn not_found<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

fn request() -> Request<ReqBody> {
    Request::get("/hello/John?lang=en")
        .header("host", "localhost:8080")
        .header(
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        )
        .header(
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        )
        .header("accept-language", "en-GB,en;q=0.7,de;q=0.3")
        .header("accept-encoding", "gzip, deflate, br, zstd")
        .header("cookie", "session=0123456789abcdef")
        .body(Full::default())
        .expect("the parts are all well-formed")
}

/// The time that so many requests take, from the call to the last frame of the body.
fn time<S, B>(service: &mut S, requests: u64) -> Duration
where
    S: Service<Request<ReqBody>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes>,
{
    let requests: Vec<_> = (0..requests).map(|_| request()).collect();
    let start = Instant::now();
    for request in requests {
        let ready = std::future::poll_fn(|cx| service.poll_ready(cx)).now_or_never();
        let response = ready.and_then(|_| service.call(request).now_or_never());
        let response = response
            .expect("nothing here waits")
            .unwrap_or_else(|never| match never {});
        let mut body = pin!(response.into_body());
        while let Some(frame) = body.frame().now_or_never().expect("nothing here waits") {
            black_box(frame.ok());
        }
    }
    start.elapsed()
}

/// Prints what `service` costs more than the bare service.
fn overhead<S, B>(criterion: &mut Criterion, name: &str, mut service: S)
where
    S: Service<Request<ReqBody>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes>,
{
    criterion.bench_function(&format!("overhead/{name}"), |bencher| {
        bencher.iter_custom(|iterations| {
            let (mut with, mut without) = (Duration::ZERO, Duration::ZERO);
            let mut left = iterations;
            while left > 0 {
                let turn = left.min(TURN);
                with += time(&mut service, turn);
                without += time(&mut service_fn(bare), turn);
                left -= turn;
            }
            // Criterion cannot do with nothing, which noise may make of very little.
            with.saturating_sub(without).max(Duration::from_nanos(1))
        });
    });
}

fn urls(template: &str) -> Dispatch<Endpoint<ReqBody>> {
    Dispatch::builder()
        .get(template, service_fn(bare))
        .build()
        .expect("the template is well-formed")
}

fn layers(criterion: &mut Criterion) {
    const HELLO: Key<&'static str> = Key::new("bench.hello");

    criterion.bench_function("bare", |bencher| {
        bencher.iter_custom(|iterations| time(&mut service_fn(bare), iterations));
    });
    let environ = EnvironLayer::new(HELLO, "Hello World");
    overhead(criterion, "environ", environ.layer(service_fn(bare)));

    let matched = DispatchLayer::new(urls("/hello/{name}")).layer(service_fn(bare));
    overhead(criterion, "dispatch, matched", matched);
    let unmatched = DispatchLayer::new(urls("/other/{name}")).layer(service_fn(bare));
    overhead(criterion, "dispatch, not matched", unmatched);

    let first = CascadeLayer::new(service_fn(bare)).layer(service_fn(not_found));
    overhead(criterion, "cascade, first answers", first);
    let next = CascadeLayer::new(service_fn(not_found)).layer(service_fn(bare));
    overhead(criterion, "cascade, falls through", next);
    let guarded = CascadeLayer::new(service_fn(not_found))
        .only(|parts| parts.method == Method::PUT)
        .layer(service_fn(bare));
    overhead(criterion, "cascade, guard skips", guarded);

    overhead(
        criterion,
        "body-rewrite, prefixed",
        PrefixLayer::new("> ").layer(service_fn(bare)),
    );
    let html = PrefixLayer::new("> ")
        .types(["text/html"])
        .expect("a media type");
    overhead(
        criterion,
        "body-rewrite, left alone",
        html.layer(service_fn(bare)),
    );

    let exception = ExceptionLayer::production(|_| {});
    overhead(
        criterion,
        "exception, good path",
        exception.layer(service_fn(bare)),
    );
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = layers
}
criterion_main!(benches);
