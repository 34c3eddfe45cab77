//! The services that are called, their requests, and discarded responses.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version, request::Parts};
use http_body::Body as _;
use http_body_util::BodyExt;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_cascade::{CascadeLayer, ReplayBody};
use tower_lint::probe::Body;

use crate::probe::{GONE, Replayed, read, reads_then_responds, trailers, with_status};

type Log = Arc<Mutex<Vec<&'static str>>>;

/// Responds with this status to all requests, and logs its name.
#[derive(Clone)]
struct App {
    log: Log,
    name: &'static str,
    status: StatusCode,
}

fn app(log: &Log, name: &'static str, status: StatusCode) -> App {
    App {
        log: log.clone(),
        name,
        status,
    }
}

impl<B> Service<Request<B>> for App {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        self.log.lock().unwrap().push(self.name);
        let mut response = with_status(self.status);
        response
            .headers_mut()
            .insert("x-app", HeaderValue::from_static(self.name));
        ready(Ok(response))
    }
}

fn get() -> Request<Body> {
    Request::new(Body::default())
}

#[tokio::test]
async fn cascade_1_only_404_falls_through() {
    for status in 200..600 {
        let status = StatusCode::from_u16(status).unwrap();
        let log = Log::default();
        let app =
            CascadeLayer::new(app(&log, "first", status)).layer(app(&log, "last", StatusCode::OK));
        let response = app.oneshot(get()).await.unwrap();
        if status == StatusCode::NOT_FOUND {
            assert_eq!(
                (response.status(), &response.headers()["x-app"]),
                (StatusCode::OK, &"last".parse().unwrap())
            );
            assert_eq!(*log.lock().unwrap(), ["first", "last"]);
        } else {
            assert_eq!(response.status(), status);
            assert_eq!(*log.lock().unwrap(), ["first"], "{status}");
        }
    }
}

#[tokio::test]
async fn cascade_1_named_statuses_fall_through() {
    let log = Log::default();
    let statuses = [StatusCode::METHOD_NOT_ALLOWED, StatusCode::BAD_GATEWAY];
    for (method, status, expected) in [
        (Method::GET, 404, "first"),
        (Method::GET, 405, "last"),
        (Method::GET, 502, "last"),
        (Method::POST, 405, "last"),
        (Method::POST, 502, "first"),
    ] {
        let first = app(&log, "first", StatusCode::from_u16(status).unwrap());
        let layer = CascadeLayer::new(first).statuses(statuses).unwrap();
        let mut request = get();
        *request.method_mut() = method.clone();
        let app = layer.layer(app(&log, "last", StatusCode::OK));
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.headers()["x-app"], expected, "{method} {status}");
    }
    let refused = CascadeLayer::new(()).statuses([StatusCode::NO_CONTENT]);
    assert!(refused.is_err());
}

#[test]
fn cascade_10_auth_statuses_are_allowed_before_or_after() {
    let auth = [StatusCode::FORBIDDEN];
    let layer = CascadeLayer::new(());
    let before = layer.clone().allow_auth_statuses().statuses(auth).unwrap();
    let after = layer.clone().statuses(auth).unwrap().allow_auth_statuses();
    for layer in [before, after] {
        layer.layer(());
    }
    let layer = layer.statuses(auth).unwrap();
    let build = std::panic::AssertUnwindSafe(|| layer.layer(()));
    let payload = std::panic::catch_unwind(build).unwrap_err();
    let text = payload.downcast_ref::<String>().unwrap();
    assert!(
        text.starts_with("403 Forbidden cannot fall through"),
        "{text}"
    );
    assert!(text.ends_with("call allow_auth_statuses()"), "{text}");
}

#[tokio::test]
async fn cascade_9_only_a_final_405_unites_allow() {
    async fn allowing<B>(
        status: u16,
        allow: &'static str,
        _: Request<B>,
    ) -> Result<Response<Body>, Infallible> {
        let mut response = with_status(StatusCode::from_u16(status).unwrap());
        response
            .headers_mut()
            .insert("allow", HeaderValue::from_static(allow));
        Ok(response)
    }
    for (last, expected) in [(405, "DELETE, GET, PUT"), (404, "PUT, GET")] {
        let app = CascadeLayer::new(service_fn(|request| allowing(405, "DELETE,GET", request)))
            .statuses([StatusCode::METHOD_NOT_ALLOWED])
            .unwrap()
            .layer(service_fn(move |request| {
                allowing(last, "PUT, GET", request)
            }));
        let response = app.oneshot(get()).await.unwrap();
        assert_eq!(
            response
                .headers()
                .get_all("allow")
                .iter()
                .collect::<Vec<_>>(),
            [expected]
        );
    }
}

#[tokio::test]
async fn cascade_3_the_last_404_is_returned() {
    let log = Log::default();
    let app = CascadeLayer::new(app(&log, "first", StatusCode::NOT_FOUND)).layer(app(
        &log,
        "last",
        StatusCode::NOT_FOUND,
    ));
    let response = app.oneshot(get()).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        response
            .headers()
            .get_all("x-app")
            .iter()
            .collect::<Vec<_>>(),
        ["last"]
    );
}

#[tokio::test]
async fn cascade_3_layers_are_tried_from_the_outermost() {
    let log = Log::default();
    let app = ServiceBuilder::new()
        .layer(CascadeLayer::new(app(&log, "a", StatusCode::NOT_FOUND)))
        .layer(CascadeLayer::new(app(&log, "b", StatusCode::NOT_FOUND)))
        .service(app(&log, "c", StatusCode::OK));
    assert_eq!(app.oneshot(get()).await.unwrap().status(), StatusCode::OK);
    assert_eq!(*log.lock().unwrap(), ["a", "b", "c"]);
}

#[tokio::test]
async fn cascade_2_stacked_layers_replay_the_whole_body() {
    async fn half<B: http_body::Body<Data = Bytes, Error = BoxError>>(
        request: Request<B>,
    ) -> Result<Response<Body>, BoxError> {
        pin!(request.into_body()).frame().await.unwrap()?;
        Ok(with_status(StatusCode::NOT_FOUND))
    }
    let app = ServiceBuilder::new()
        .layer(CascadeLayer::new(service_fn(half)))
        .layer(CascadeLayer::new(service_fn(half)))
        .service(service_fn(
            async |request: Request<ReplayBody<Replayed>>| {
                assert_eq!(read(request.into_body()).await, Ok(("abc".into(), false)));
                Ok::<_, BoxError>(with_status(StatusCode::OK))
            },
        ));
    let request = Request::new(Body::new(["a".into(), "b".into(), "c".into()]));
    assert_eq!(app.oneshot(request).await.unwrap().status(), StatusCode::OK);
}

#[derive(Clone, Debug, PartialEq)]
struct Mark(&'static str);

/// Changes all parts of a request that can be changed.
async fn spoils_the_request(mut request: Request<Replayed>) -> Result<Response<Body>, Infallible> {
    *request.method_mut() = Method::DELETE;
    *request.uri_mut() = Uri::from_static("/spoilt");
    *request.version_mut() = Version::HTTP_09;
    request.headers_mut().clear();
    request.extensions_mut().insert(Mark("spoilt"));
    request.extensions_mut().insert("left behind");
    Ok(with_status(StatusCode::NOT_FOUND))
}

#[tokio::test]
async fn cascade_2_the_next_service_gets_the_request_as_it_came() {
    let seen: Arc<Mutex<Option<Parts>>> = Arc::default();
    let sees = seen.clone();
    let app = CascadeLayer::new(service_fn(spoils_the_request)).layer(service_fn(
        move |request: Request<Replayed>| {
            *sees.lock().unwrap() = Some(request.into_parts().0);
            async { Ok::<_, Infallible>(with_status(StatusCode::OK)) }
        },
    ));
    let mut request = get();
    *request.method_mut() = Method::PATCH;
    *request.uri_mut() = Uri::from_static("http://example.org/a%2Fb?c");
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().insert("x-one", "1".parse().unwrap());
    request.headers_mut().append("x-one", "2".parse().unwrap());
    request.extensions_mut().insert(Mark("clean"));
    app.oneshot(request).await.unwrap();

    let parts = seen.lock().unwrap().take().unwrap();
    assert_eq!(parts.method, Method::PATCH);
    assert_eq!(parts.uri, "http://example.org/a%2Fb?c");
    assert_eq!(parts.version, Version::HTTP_2);
    assert_eq!(
        parts.headers.get_all("x-one").iter().collect::<Vec<_>>(),
        ["1", "2"]
    );
    assert_eq!(parts.extensions.get::<Mark>(), Some(&Mark("clean")));
    assert_eq!(parts.extensions.get::<&str>(), None);
}

#[tokio::test]
async fn cascade_11_an_unmet_condition_skips_the_service() {
    let log = Log::default();
    let app = CascadeLayer::new(app(&log, "first", StatusCode::OK))
        .only(|parts| parts.method == Method::GET)
        .layer(app(&log, "last", StatusCode::OK));
    for (method, expected) in [(Method::GET, "first"), (Method::POST, "last")] {
        let mut request = get();
        *request.method_mut() = method;
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["x-app"], expected);
    }
    assert_eq!(*log.lock().unwrap(), ["first", "last"]);
}

#[tokio::test]
async fn cascade_11_a_skipping_request_keeps_body_and_extensions() {
    let app = CascadeLayer::new(service_fn(spoils_the_request))
        .only(|_| false)
        .layer(service_fn(async |request: Request<Replayed>| {
            assert_eq!(request.extensions().get::<Mark>(), Some(&Mark("clean")));
            assert_eq!(read(request.into_body()).await, Ok(("abc".into(), false)));
            Ok::<_, Infallible>(with_status(StatusCode::OK))
        }));
    let mut request = Request::new(Body::new(["abc".into()]));
    request.extensions_mut().insert(Mark("clean"));
    app.oneshot(request).await.unwrap();
}

/// Logs that it was dropped.
struct DropLog(Log, &'static str);

impl Drop for DropLog {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(self.1);
    }
}

#[tokio::test]
async fn cascade_9_a_discarded_response_is_dropped_before_a_call() {
    let log = Log::default();
    let first = log.clone();
    let app = CascadeLayer::new(service_fn(move |_: Request<Replayed>| {
        let in_future = DropLog(first.clone(), "future");
        let in_response = Arc::new(DropLog(first.clone(), "response"));
        async move {
            let _in_future = in_future;
            let mut response = with_status(StatusCode::NOT_FOUND);
            response.extensions_mut().insert(in_response);
            Ok::<_, Infallible>(response)
        }
    }))
    .layer(app(&log, "last", StatusCode::OK));
    app.oneshot(get()).await.unwrap();
    assert_eq!(*log.lock().unwrap(), ["future", "response", "last"]);
}

#[tokio::test]
async fn cascade_14_an_error_is_converted_and_ends_the_request() {
    #[derive(Debug, PartialEq)]
    struct Broken;
    #[derive(Debug, PartialEq)]
    enum AnyError {
        First(Broken),
    }
    impl From<Broken> for AnyError {
        fn from(broken: Broken) -> Self {
            Self::First(broken)
        }
    }
    let app = CascadeLayer::new(service_fn(async |_: Request<Replayed>| {
        Err::<Response<Body>, _>(Broken)
    }))
    .layer(service_fn(async |_: Request<Replayed>| {
        Ok::<Response<Body>, AnyError>(with_status(StatusCode::OK))
    }));
    assert_eq!(
        app.oneshot(get()).await.unwrap_err(),
        AnyError::First(Broken)
    );
}

#[tokio::test]
async fn cascade_19_the_final_body_keeps_trailers_and_error() {
    for (steps, expected) in [
        (vec!["a".into(), trailers()], Ok(("a".into(), true))),
        (vec!["a".into(), GONE], Err("the client is gone".to_owned())),
    ] {
        for status in [StatusCode::OK, StatusCode::NOT_FOUND] {
            let steps_of_both = steps.clone();
            let respond = move |status: StatusCode| {
                let mut response = Response::new(Body::new(steps_of_both.clone()));
                *response.status_mut() = status;
                async { Ok::<_, BoxError>(response) }
            };
            let last = respond.clone();
            let app = CascadeLayer::new(service_fn(move |_: Request<Replayed>| respond(status)))
                .layer(service_fn(move |_: Request<Replayed>| last(StatusCode::OK)));
            let response = app.oneshot(get()).await.unwrap();
            assert!(!response.body().is_end_stream());
            assert_eq!(read(response.into_body()).await, expected);
        }
    }
}

#[test]
fn cascade_20_layers_are_clone_send_sync_and_static() {
    fn check<T: Clone + Send + Sync + 'static>(_: &T) {}
    let app = service_fn(|request| reads_then_responds(0, StatusCode::OK, request));
    let layer = CascadeLayer::new(app).only(|_| true);
    check(&layer);
    check(&layer.layer(app));
}
