//! Well-known layers and services under the contract and under the lint.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body as AxumBody,
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::{MethodFilter, get, on},
};
use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, StatusCode, Version};
use http_body_util::BodyExt;
use tower::{
    BoxError, Layer, Service, ServiceExt, buffer::BufferLayer, filter::FilterLayer,
    limit::ConcurrencyLimitLayer,
};
use tower_http::{
    compression::CompressionLayer, cors::CorsLayer, services::ServeDir, timeout::TimeoutLayer,
};
use tower_lint::{
    LintLayer, Rule, Violation, contract,
    probe::{Body, Error},
};

/// Returns the rules that are broken, and the report. The check is inside of a runtime, which some
/// layers need.
fn broken(check: impl FnOnce() -> contract::Report) -> (Vec<Rule>, String) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    let report = check();
    (report.broken().collect(), report.to_string())
}

#[test]
fn lint_1_concurrency_limit_keeps_the_contract() {
    let layer = ConcurrencyLimitLayer::new(1);
    let (broken, report) = broken(|| contract::check(|inner| layer.layer(inner)));
    assert_eq!(broken, [], "{report}");
}

#[test]
fn lint_1_buffer_keeps_the_contract() {
    let (broken, report) = broken(|| contract::check(|inner| BufferLayer::new(4).layer(inner)));
    assert_eq!(broken, [], "{report}");
}

#[test]
fn lint_1_timeout_keeps_the_contract() {
    let layer =
        TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(60));
    let (broken, report) = broken(|| contract::check(|inner| layer.layer(inner)));
    assert_eq!(broken, [], "{report}");
}

/// The compressed page has the strong entity tag of the plain one.
#[test]
fn lint_411_compression_keeps_all_other_rules() {
    let layer = CompressionLayer::new();
    let (broken, report) = broken(|| contract::check(|inner| layer.layer(inner)));
    assert_eq!(broken, [Rule::EntityTag], "{report}");
}

#[test]
fn lint_1_cors_keeps_the_contract() {
    let layer = CorsLayer::permissive();
    let (broken, report) = broken(|| contract::check(|inner| layer.layer(inner)));
    assert_eq!(broken, [], "{report}");
}

#[test]
fn lint_1_a_layer_that_rejects_origins_keeps_the_contract() {
    let layer = FilterLayer::new(|request: Request<Body>| {
        let own = !request.headers().contains_key("origin");
        own.then_some(request).ok_or(Error("another origin"))
    });
    let (broken, report) = broken(|| contract::check(|inner| layer.layer(inner)));
    assert_eq!(broken, [], "{report}");
}

/// Returns every violation while these requests are sent and the bodies are read.
fn linted<S, B>(service: S, requests: Vec<Request<AxumBody>>) -> Vec<Violation>
where
    S: Service<Request<AxumBody>, Response = http::Response<B>, Error = Infallible> + Clone,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError> + std::fmt::Debug>,
{
    let violations: Arc<Mutex<Vec<Violation>>> = Arc::default();
    let keeps = violations.clone();
    let lint =
        LintLayer::new().report(move |violation| keeps.lock().unwrap().push(violation.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for request in requests {
            let response = lint.layer(service.clone()).oneshot(request).await.unwrap();
            response.into_body().collect().await.unwrap();
        }
    });
    let violations = violations.lock().unwrap();
    violations.clone()
}

fn requests(paths: &[&str]) -> Vec<Request<AxumBody>> {
    let mut requests = Vec::new();
    for path in paths {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS] {
            for version in [Version::HTTP_11, Version::HTTP_2] {
                for range in [None, Some("bytes=0-3"), Some("bytes=999999-")] {
                    let mut request = Request::builder()
                        .method(method.clone())
                        .uri(*path)
                        .version(version)
                        .header("accept-encoding", "gzip");
                    if let Some(range) = range {
                        request = request.header("range", range);
                    }
                    requests.push(request.body(AxumBody::empty()).unwrap());
                }
            }
        }
    }
    requests
}

const FILES: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn lint_2_serve_dir_breaks_no_rule() {
    let service = ServeDir::new(FILES);
    let violations = linted(service, requests(&["/README.md", "/none", "/src"]));
    assert_eq!(violations, []);
}

#[test]
fn lint_2_serve_dir_in_compression_breaks_no_rule() {
    let service = CompressionLayer::new().layer(ServeDir::new(FILES));
    let violations = linted(service, requests(&["/README.md", "/none", "/src"]));
    assert_eq!(violations, []);
}

#[test]
fn lint_2_an_axum_router_breaks_no_rule() {
    let router = Router::new()
        .route("/text", get(async || "text"))
        .route("/json", get(async || Json([1, 2, 3])))
        .route(
            "/stream",
            get(async || {
                let chunks = ["one", "two"].map(Ok::<_, Infallible>);
                AxumBody::from_stream(stream::iter(chunks))
            }),
        )
        .route(
            "/sse",
            get(async || {
                let events =
                    ["one", "two"].map(|data| Ok::<_, Infallible>(Event::default().data(data)));
                Sse::new(stream::iter(events))
            }),
        );
    let paths = ["/text", "/json", "/stream", "/sse", "/none"];
    assert_eq!(linted(router.clone(), requests(&paths)), []);
    let compressed = CompressionLayer::new().layer(router);
    assert_eq!(linted(compressed, requests(&paths)), []);
}

/// Returns the violations inside axum's routing and around the router, for a handler with this
/// response.
fn in_axum(lint: LintLayer, method: &Method, response: fn() -> Response) -> [Vec<Rule>; 2] {
    let rules: Arc<Mutex<Vec<Rule>>> = Arc::default();
    let keeps = rules.clone();
    let lint = lint.report(move |violation| keeps.lock().unwrap().push(violation.rule));
    let route = on(
        MethodFilter::GET.or(MethodFilter::CONNECT),
        async move || response(),
    );
    let router = Router::new().route("/", route).layer(lint);
    let request = Request::builder().method(method).uri("/");
    let around = linted(router, vec![request.body(AxumBody::empty()).unwrap()]);
    let mut inside = rules.lock().unwrap().clone();
    inside.dedup();
    let mut around: Vec<_> = around.iter().map(|violation| violation.rule).collect();
    around.dedup();
    [inside, around]
}

#[test]
fn lint_3_in_axum_ignores_responses_that_axum_completes() {
    let text = || "text".into_response();
    let table = [
        (Method::HEAD, Rule::BodyNotAllowed),
        (Method::POST, Rule::AllowMissing),
    ];
    for (method, rule) in table {
        let rules = in_axum(LintLayer::new(), &method, text);
        assert_eq!(rules, [vec![rule], vec![]], "{method}");
        let rules = in_axum(LintLayer::new().in_axum(), &method, text);
        assert_eq!(rules, [vec![], vec![]], "{method}");
    }
}

#[test]
fn lint_3_in_axum_reports_everything_else() {
    let table: [(Method, fn() -> Response, Rule); 3] = [
        (
            Method::GET,
            || (StatusCode::NO_CONTENT, "text").into_response(),
            Rule::BodyNotAllowed,
        ),
        (
            Method::GET,
            || (StatusCode::RESET_CONTENT, "text").into_response(),
            Rule::ContentOfReset,
        ),
        (
            Method::CONNECT,
            || [("content-length", "0")].into_response(),
            Rule::ContentOfConnect,
        ),
    ];
    for (method, response, rule) in table {
        let rules = in_axum(LintLayer::new().in_axum(), &method, response);
        assert_eq!(rules, [vec![rule], vec![rule]]);
    }
}

/// A layer whose inner call runs in a task of its own.
#[derive(Clone)]
struct Spawns<S>(S);

impl<S> Service<Request<tower_lint::probe::Body>> for Spawns<S>
where
    S: Service<Request<tower_lint::probe::Body>, Error: Into<BoxError>> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send,
    S::Error: Send,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), BoxError>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tower_lint::probe::Body>) -> Self::Future {
        let inner = self.0.clone();
        let task = tokio::spawn(inner.oneshot(request));
        Box::pin(async move { task.await?.map_err(Into::into) })
    }
}

#[test]
fn lint_1_a_layer_that_spawns_the_call_keeps_the_contract() {
    let (broken, report) = broken(|| contract::check(Spawns));
    assert_eq!(broken, [], "{report}");
}
