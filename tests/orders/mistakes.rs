//! Orders that are mistakes, each beside the order that was meant, and how one notices them. The
//! order that the compiler rejects is in the documentation of tower-exception.

use std::{future::pending, net::Ipv4Addr, sync::mpsc, time::Duration};

use axum::{Router, body::Body, routing::get};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_body_rewrite::PrefixLayer;
use tower_cascade::{CascadeError, CascadeLayer};
use tower_dispatch::{Dispatch, DispatchLayer};
use tower_environ::{Environ, EnvironLayer, MountLayer};
use tower_exception::{DebugPage, ExceptionLayer, Incident, SnapshotLayer};
use tower_hooks::{HooksLayer, OutcomeKind};
use tower_http::{
    compression::CompressionLayer, limit::RequestBodyLimitLayer,
    map_request_body::MapRequestBodyLayer, timeout::TimeoutLayer,
};
use tower_kit::Rejection;
use tower_lint::Rule;

use crate::{
    requests::{AUTHORITY, Answered, Came, UPLOAD, ask},
    stack::{
        Answer, HELLO, Layers, PANIC, Stack, Told, boxed, fails, files, not_found, text, upload,
    },
};

async fn answered(stack: &Stack, method: Method, path: &str) -> Answered {
    match ask(stack, &method, path).await {
        Came::Response(came) => came,
        other => panic!("{method} {path}: {other:?}"),
    }
}

async fn ok(_: Request<Body>) -> Answer {
    Ok(text("fine"))
}

#[tokio::test]
async fn what_breaks_outside_of_the_exception_layer_goes_past_it() {
    // Its hook keeps the test's own panics quiet.
    let layers = Layers::new();
    let told = &layers.told;
    let breaks = EnvironLayer::from_fn(HELLO, |_| -> Option<&'static str> { panic!("{PANIC}") });
    let inner = boxed(service_fn(ok));
    let outside = boxed((breaks.clone(), told.exception()).layer(inner.clone()));
    let inside = boxed((told.exception(), breaks).layer(inner));
    assert!(matches!(
        ask(&outside, &Method::GET, "/").await,
        Came::Panic
    ));
    assert!(told.take().incidents.is_empty());
    assert_eq!(answered(&inside, Method::GET, "/").await.status, 500);
    assert_eq!(told.take().incidents.len(), 1);
}

#[tokio::test]
async fn a_snapshot_outside_of_a_layer_does_not_show_what_that_puts_into_the_request() {
    let (report, reports) = mpsc::channel();
    let report = move |incident: &Incident| report.send(incident.clone()).unwrap();
    // In production no value is kept.
    let page = DebugPage::new(|_| Some(Ipv4Addr::LOCALHOST.into())).hosts([AUTHORITY]);
    let exception = ExceptionLayer::debug(report, page);
    let snapshot = SnapshotLayer::new().show::<Environ>("environ");
    let environ = EnvironLayer::new(HELLO, "Hello World");
    let inner = boxed(service_fn(fails));
    let outside = boxed((&exception, &snapshot, &environ).layer(inner.clone()));
    let inside = boxed((&exception, &environ, &snapshot).layer(inner));
    for (stack, shows) in [(outside, false), (inside, true)] {
        assert_eq!(answered(&stack, Method::GET, "/").await.status, 500);
        let incident = reports.recv().unwrap();
        let shown: String = incident.shown().map(|(_, value)| value).collect();
        assert_eq!(shown.contains("Hello World"), shows, "{shown}");
    }
}

#[tokio::test]
async fn hooks_outside_of_the_dispatcher_see_no_route() {
    let told = Told::default();
    let hooks = || HooksLayer::new().hook(told.clone());
    let urls = || Dispatch::builder().get("/", service_fn(ok));
    let outside = boxed(hooks().layer(urls().build().unwrap()));
    let around_endpoints = boxed(urls().layer(hooks()).build().unwrap());
    for stack in [outside, around_endpoints] {
        assert_eq!(answered(&stack, Method::GET, "/").await.status, 200);
    }
    assert_eq!(told.take().routes, [false, true]);
}

/// A text that is worth compressing, for a client that knows gzip.
async fn long(request: Request<Body>) -> Answer {
    Ok(match *request.method() {
        Method::HEAD => text(""),
        _ => text("one\n".repeat(100)),
    })
}

async fn asked_for_gzip(stack: &Stack, method: Method) -> (Response<()>, Vec<u8>) {
    let request = Request::builder()
        .method(method)
        .header("accept-encoding", "gzip");
    let request = request.body(Body::default()).unwrap();
    let response = stack.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(parts, ()), bytes.into())
}

#[tokio::test]
async fn a_text_that_is_compressed_inside_of_the_prefix_layer_has_no_prefix() {
    let inner = boxed(service_fn(long));
    let prefix = PrefixLayer::new("yikes: ");
    let inside = boxed((prefix.clone(), CompressionLayer::new()).layer(inner.clone()));
    let bare = boxed(CompressionLayer::new().layer(inner.clone()));
    let outside = boxed((CompressionLayer::new(), prefix).layer(inner));
    let (_, bare) = asked_for_gzip(&bare, Method::GET).await;
    let (head, inside) = asked_for_gzip(&inside, Method::GET).await;
    assert_eq!(
        (head.headers()["content-encoding"].as_bytes(), &inside),
        (&b"gzip"[..], &bare)
    );
    let (head, outside) = asked_for_gzip(&outside, Method::GET).await;
    assert_eq!(head.headers()["content-encoding"], "gzip");
    assert_ne!(outside, bare);
}

#[tokio::test]
async fn lint_finds_the_gzip_stream_of_compression_for_head() {
    let told = Told::default();
    let stack = boxed(
        (told.lint(), CompressionLayer::new(), PrefixLayer::new("")).layer(boxed(service_fn(long))),
    );
    let _ = asked_for_gzip(&stack, Method::HEAD).await;
    let rules: Vec<_> = told
        .take()
        .violations
        .iter()
        .map(|violation| violation.rule)
        .collect();
    assert_eq!(rules, [Rule::BodyNotAllowed]);
}

#[tokio::test]
async fn a_body_limit_around_one_app_of_a_cascade_speaks_for_all_of_them() {
    let limit = |bytes| RequestBodyLimitLayer::new(bytes);
    let plain = MapRequestBodyLayer::new(Body::new);
    let files = boxed(service_fn(files));
    let last = boxed(service_fn(upload));
    let limited = boxed((limit(3), plain.clone()).layer(files.clone()));
    let plainly = MapRequestBodyLayer::new(Body::new);
    let inside = CascadeLayer::new(plainly.clone().layer(limited));
    let inside = boxed(inside.layer(plainly.clone().layer(last.clone())));
    let cascade = CascadeLayer::new(plainly.clone().layer(files)).layer(plainly.layer(last));
    let outside = boxed((limit(UPLOAD.len()), plain).layer(boxed(cascade)));

    let request = || {
        let request = Request::put("/upload").header("content-length", UPLOAD.len());
        request
            .body(Body::from(bytes::Bytes::from(UPLOAD)))
            .unwrap()
    };
    let refused = inside.clone().oneshot(request()).await.unwrap();
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    // Without a length it is the first service's own error.
    assert!(matches!(
        ask(&inside, &Method::PUT, "/upload").await,
        Came::Error(_)
    ));
    let answer = outside.clone().oneshot(request()).await.unwrap();
    assert_eq!(
        answer.into_body().collect().await.unwrap().to_bytes(),
        UPLOAD
    );
}

#[tokio::test]
async fn an_app_that_reads_beyond_the_replay_limit_belongs_behind_a_guard_or_last() {
    let reads = |request: Request<Body>| async {
        request.into_body().collect().await?;
        Ok::<_, BoxError>(not_found())
    };
    let plain = MapRequestBodyLayer::new(Body::new);
    let last = plain.layer(boxed(service_fn(upload)));
    let first = CascadeLayer::new(plain.layer(boxed(service_fn(reads)))).replay_limit(4);
    let request = Request::put("/").body(Body::from("too much")).unwrap();
    let answer = boxed(first.layer(last)).oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let rejection = Rejection::of(&answer).unwrap();
    let exceeded = CascadeError::ReplayLimitExceeded { limit: 4 };
    assert_eq!(rejection.reason(), Some(&exceeded));
}

#[tokio::test]
async fn a_body_that_was_taken_outside_of_a_cascade_is_there_for_none_of_its_apps() {
    let layers = Layers::new();
    let taken = MapRequestBodyLayer::new(|_: Body| Body::default());
    let stack = boxed(taken.layer(layers.stack(&crate::stack::UNMOUNTED)));
    let came = answered(&stack, Method::PUT, "/upload").await;
    assert_eq!((came.status.as_u16(), &came.body[..]), (200, &b""[..]));
    assert!(layers.told.take().violations.is_empty());
}

#[tokio::test]
async fn an_inner_exception_layer_hides_an_error_from_the_cascade() {
    let told = Told::default();
    let plain = MapRequestBodyLayer::new(Body::new);
    let last = || plain.layer(boxed(service_fn(ok)));
    let first = boxed(service_fn(fails));
    let guarded = boxed(told.exception().layer(first.clone()));
    for (first, status) in [(first, 200), (guarded, 500)] {
        let cascade = CascadeLayer::new(plain.layer(first)).on_error(|_: &BoxError| true);
        let stack = boxed(told.exception().layer(cascade.layer(last())));
        assert_eq!(answered(&stack, Method::GET, "/").await.status, status);
    }
}

#[tokio::test]
async fn a_timeout_is_no_incident_and_outer_hooks_see_a_response() {
    let told = Told::default();
    let timeout =
        || TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_millis(1));
    let hooks = || HooksLayer::new().hook(told.clone());
    let never = boxed(service_fn(async |_: Request<Body>| {
        pending::<Answer>().await
    }));
    // The layer makes an empty body, and those of the other two have no default.
    let outside = boxed((told.exception(), hooks()).layer(never.clone()));
    let outside = boxed(timeout().layer(outside));
    let inside = boxed((told.exception(), hooks(), timeout()).layer(never));
    for (stack, end) in [
        (outside, OutcomeKind::Cancelled),
        (inside, OutcomeKind::Completed),
    ] {
        assert_eq!(answered(&stack, Method::GET, "/").await.status, 504);
        let notes = told.take();
        assert!(notes.incidents.is_empty());
        assert_eq!(notes.ends, [end]);
    }
}

#[tokio::test]
async fn two_prefix_layers_are_two_prefixes() {
    let stack = ServiceBuilder::new()
        .layer(PrefixLayer::new("one: "))
        .layer(PrefixLayer::new("two: "))
        .service(boxed(service_fn(ok)));
    let came = answered(&boxed(stack), Method::GET, "/").await;
    assert_eq!(came.body, "one: two: fine");
}

/// A router of axum as a service of the common type.
fn axum_app(router: Router) -> Stack {
    boxed(router)
}

#[tokio::test]
async fn a_mount_inside_of_axums_routing_comes_after_the_choice_of_the_route() {
    let router = || Router::new().route("/text", get(async || "text"));
    let mount = MountLayer::new("/at").unwrap();
    let inside = axum_app(router().layer(mount.clone()));
    let around = boxed(mount.layer(axum_app(router())));
    assert_eq!(answered(&inside, Method::GET, "/at/text").await.status, 404);
    assert_eq!(
        answered(&around, Method::GET, "/at/text").await.body,
        "text"
    );
}

#[tokio::test]
async fn inside_axums_routing_lint_reports_what_axum_changes_later() {
    let told = Told::default();
    let router = || Router::new().route("/text", get(async || "text"));
    let inside = axum_app(router().layer(told.lint()));
    let around = boxed(told.lint().layer(axum_app(router())));
    for (stack, expected) in [(inside, 2), (around, 0)] {
        assert_eq!(answered(&stack, Method::HEAD, "/text").await.body, "");
        assert_eq!(answered(&stack, Method::PUT, "/text").await.status, 405);
        assert_eq!(told.take().violations.len(), expected);
    }
}

#[tokio::test]
async fn a_dispatcher_inside_of_axums_routing_does_not_know_axums_methods_nor_axum_its() {
    let router = || Router::new().route("/text", get(async || "text"));
    let urls = Dispatch::builder().put("/text", get(async || "").put(async || ""));
    let urls = DispatchLayer::new(urls.build().unwrap());
    let inside = axum_app(router().layer(urls.clone()));
    let around = axum_app(Router::new().fallback_service(urls.layer(router())));
    let table = [
        (&inside, Method::DELETE, 405, Some("PUT")),
        (&around, Method::DELETE, 405, Some("GET, HEAD, PUT")),
        // axum adds its own if there is none, even to a response that is not 405.
        (&inside, Method::PUT, 200, Some("GET,HEAD")),
        (&around, Method::PUT, 200, None),
    ];
    for (stack, method, status, expected) in table {
        let came = answered(stack, method, "/text").await;
        let allow = came.headers.get("allow");
        let allow = allow.map(|allow| allow.to_str().unwrap());
        assert_eq!((came.status.as_u16(), allow), (status, expected));
    }
}
