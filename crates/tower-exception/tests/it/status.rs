//! The status of an error.

use std::{error::Error, fmt, future::ready};

use axum::{Router, routing::post};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tower::{BoxError, Layer, ServiceExt, service_fn};
#[cfg(feature = "debug")]
use tower_exception::DebugPage;
use tower_exception::{ExceptionLayer, Incident, UploadError};
use tower_lint::probe::{Body, Step};

use crate::probe::keeping;

/// An error with a source.
#[derive(Debug)]
struct Outer(BoxError);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the order is missing")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

#[derive(Debug)]
struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("busy")
    }
}

impl Error for Busy {}

fn busy(error: &(dyn Error + 'static)) -> Option<StatusCode> {
    error
        .is::<Busy>()
        .then_some(StatusCode::SERVICE_UNAVAILABLE)
}

/// Returns the response to an error, and the incident.
async fn fails(
    change: impl FnOnce(ExceptionLayer) -> ExceptionLayer,
    error: impl Into<BoxError>,
    request: Request<()>,
) -> (Response<String>, Incident) {
    let (layer, incidents) = keeping();
    let error = std::sync::Mutex::new(Some(error.into()));
    let error = std::sync::Arc::new(error);
    let app = change(layer).layer(service_fn(move |_: Request<()>| {
        let error = error.lock().unwrap().take().unwrap();
        ready(Err::<Response<Full<Bytes>>, BoxError>(error))
    }));
    let (head, body) = app.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let incident = incidents.lock().unwrap()[0].clone();
    assert_eq!(head.headers["cache-control"], "no-store");
    let id = incident.id().to_owned();
    let body = String::from_utf8(body.into()).unwrap().replace(&id, "ID");
    (Response::from_parts(head, body), incident)
}

async fn status(
    change: impl FnOnce(ExceptionLayer) -> ExceptionLayer,
    error: impl Into<BoxError>,
) -> u16 {
    let (response, incident) = fails(change, error, Request::new(())).await;
    assert_eq!(response.status(), incident.status());
    response.status().as_u16()
}

#[tokio::test]
async fn exception_10_an_error_has_the_status_of_a_function() {
    assert_eq!(status(|layer| layer, Busy).await, 500);
    assert_eq!(status(|layer| layer.status_of(busy), Busy).await, 503);
    // Wrapped, as a `BoxError` in another one is.
    let wrapped = || Outer(Box::new(Outer(Busy.into())));
    assert_eq!(status(|layer| layer.status_of(busy), wrapped()).await, 503);
    // Two functions: the first one that returns a status counts. Then one that returns none for
    // this error, and one that panics.
    let gone = |_: &(dyn Error + 'static)| Some(StatusCode::GONE);
    let none = |_: &(dyn Error + 'static)| None;
    let two = |layer: ExceptionLayer| layer.status_of(busy).status_of(gone);
    assert_eq!(status(two, Busy).await, 503);
    let two = |layer: ExceptionLayer| layer.status_of(none).status_of(busy);
    assert_eq!(status(two, Busy).await, 503);
    let two = |layer: ExceptionLayer| layer.status_of(none).status_of(none);
    assert_eq!(status(two, Busy).await, 500);
    let panics = |layer: ExceptionLayer| layer.status_of(|_| panic!("no idea"));
    assert_eq!(status(panics, Busy).await, 500);
    // The outer error before its source.
    let outer = |layer: ExceptionLayer| {
        layer
            .status_of(busy)
            .status_of(|error| error.is::<Outer>().then_some(StatusCode::GATEWAY_TIMEOUT))
    };
    assert_eq!(status(outer, wrapped()).await, 504);
}

#[tokio::test]
async fn exception_10_only_the_status_of_an_error_counts() {
    for (says, expected) in [
        (100, 500),
        (200, 500),
        (304, 500),
        (399, 500),
        (400, 400),
        (499, 499),
        (500, 500),
        (599, 599),
        (600, 500),
        (999, 500),
    ] {
        let says = StatusCode::from_u16(says).unwrap();
        let change = |layer: ExceptionLayer| layer.status_of(move |_| Some(says));
        assert_eq!(status(change, Busy).await, expected);
    }
    // It counts as none, so the next function is called.
    let change = |layer: ExceptionLayer| layer.status_of(|_| Some(StatusCode::OK)).status_of(busy);
    assert_eq!(status(change, Busy).await, 503);
}

/// Returns the error of a body that is longer than it may be.
async fn too_long() -> BoxError {
    let limited = Limited::new(Full::<Bytes>::from("one"), 2);
    let error = limited.collect().await.unwrap_err();
    assert!(error.is::<LengthLimitError>());
    error
}

#[tokio::test]
async fn exception_12_a_failed_upload_is_a_client_error() {
    assert_eq!(status(|layer| layer, too_long().await).await, 413);
    let outer = Outer(too_long().await);
    assert_eq!(status(|layer| layer, outer).await, 413);
    assert_eq!(status(|layer| layer, UploadError::mark("gone")).await, 400);
    let outer = Outer(UploadError::mark("gone"));
    assert_eq!(status(|layer| layer, outer).await, 400);
    // A function may set another status.
    let teapot = |error: &(dyn Error + 'static)| {
        error.is::<UploadError>().then_some(StatusCode::IM_A_TEAPOT)
    };
    let change = |layer: ExceptionLayer| layer.status_of(teapot);
    assert_eq!(status(change, UploadError::mark("gone")).await, 418);
    let error = UploadError::mark("gone");
    assert_eq!(error.to_string(), "the request's body could not be read");
    assert_eq!(error.source().unwrap().to_string(), "gone");
}

#[tokio::test]
async fn exception_12_an_outer_body_limit_is_still_a_413() {
    let marked = UploadError::mark(too_long().await);
    assert!(marked.is::<LengthLimitError>());
    let outer = UploadError::mark(Outer(too_long().await));
    assert!(outer.is::<Outer>());
    // axum's extractors look for the error by its type, at a certain depth.
    let mark = |request: axum::extract::Request| {
        request.map(|body| {
            axum::body::Body::new(
                body.map_err(|error| UploadError::mark(axum::Error::into_inner(error))),
            )
        })
    };
    let (layer, incidents) = keeping();
    let layers = tower::ServiceBuilder::new().layer(layer).map_request(mark);
    let app = Router::new()
        .route("/text", post(async |text: String| text))
        .route("/bytes", post(async |bytes: Bytes| bytes))
        .layer(layers)
        .layer(tower::util::MapRequestLayer::new(
            |request: axum::extract::Request| request.map(|body| Limited::new(body, 5)),
        ));
    for path in ["/text", "/bytes"] {
        for (body, expected) in [(["one", "two"], 413), (["one", "."], 200)] {
            let body = axum::body::Body::new(Body::new(body.map(Step::from)));
            let request = Request::post(path).body(body).unwrap();
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), expected, "{path}");
        }
        // The client leaves.
        let left = Body::new(["one".into(), Step::Fail(tower_lint::probe::Error("left"))]);
        let request = Request::post(path).body(axum::body::Body::new(left));
        let response = app.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), 400, "{path}");
    }
    // The extractors have responded.
    assert!(incidents.lock().unwrap().is_empty());
}

#[tokio::test]
async fn exception_12_a_failed_upload_differs_from_a_failed_service() {
    let (layer, incidents) = keeping();
    let reads = service_fn(async |request: Request<axum::body::Body>| {
        let body = request.into_body().collect().await?.to_bytes();
        Ok::<_, BoxError>(Response::new(Full::new(body)))
    });
    let marked = tower::ServiceBuilder::new().map_request(|request: Request<Body>| {
        request.map(|body| axum::body::Body::new(body.map_err(UploadError::mark)))
    });
    let app = layer.layer(marked.service(reads));
    let aborted = Body::new(["one".into(), Step::Fail(tower_lint::probe::Error("left"))]);
    let response = app.clone().oneshot(Request::new(aborted)).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let incident = incidents.lock().unwrap().pop().unwrap();
    assert_eq!(incident.status(), StatusCode::BAD_REQUEST);
    assert!(incident.chain().any(|error| error.to_string() == "left"));
    // A whole body succeeds.
    let whole = Body::new(["one".into()]);
    let response = app.oneshot(Request::new(whole)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(incidents.lock().unwrap().is_empty());
}

#[tokio::test]
async fn exception_10_every_format_has_the_status() {
    for (accept, expected) in [
        ("*/*", "503 Service Unavailable\nincident ID\n"),
        (
            "text/html",
            "<!DOCTYPE html>\n<title>503 Service Unavailable</title>\n<h1>503 Service Unavailable</h1>\n<p>incident <code>ID</code>\n",
        ),
        (
            "application/json",
            "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\"incident\":\"ID\"}\n",
        ),
    ] {
        let request = Request::get("/").header("accept", accept).body(()).unwrap();
        let (response, _) = fails(|layer| layer.status_of(busy), Busy, request).await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.body(), expected);
    }
    let request = Request::post("/").header("content-type", "application/grpc");
    let request = request.body(()).unwrap();
    let (response, _) = fails(|layer| layer.status_of(busy), Busy, request).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["grpc-status"], "14");
    // A status that has no name.
    let change = |layer: ExceptionLayer| layer.status_of(|_| StatusCode::from_u16(499).ok());
    let (response, _) = fails(change, Busy, Request::new(())).await;
    assert_eq!(response.body(), "499 Error\nincident ID\n");
}

#[cfg(feature = "debug")]
#[tokio::test]
async fn exception_10_the_page_has_the_status() {
    let here = std::net::Ipv4Addr::LOCALHOST.into();
    for (accept, expected) in [
        ("text/html", "Others get a 503 with"),
        ("text/plain", "error in the future: busy"),
        ("application/json", "\"title\": \"Service Unavailable\""),
    ] {
        let layer = ExceptionLayer::debug(|_| {}, DebugPage::new(move |_| Some(here)).force());
        let app = layer.status_of(busy).layer(service_fn(|_: Request<()>| {
            ready(Err::<Response<Full<Bytes>>, _>(Busy))
        }));
        let request = Request::get("/")
            .header("host", "localhost")
            .header("accept", accept);
        let response = app.oneshot(request.body(()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 503);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.into()).unwrap();
        assert!(body.contains(expected), "{body}");
    }
}

#[tokio::test]
async fn exception_10_a_body_that_fails_at_once_has_the_status() {
    let (layer, incidents) = keeping();
    let app = layer.layer(service_fn(|_: Request<()>| {
        // Otherwise its size hint would be two bytes.
        let body = Body::new(["one".into()]).claim_hint(http_body::SizeHint::default());
        let body = Limited::new(body, 2);
        ready(Ok::<_, BoxError>(Response::new(body.boxed_unsync())))
    }));
    let response = app.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let incident = incidents.lock().unwrap()[0].clone();
    let line = format!(
        "incident {}: GET / HTTP/1.1: error from the body (413): length limit exceeded",
        incident.id()
    );
    assert_eq!(incident.to_string(), line);
}

#[cfg(feature = "tower")]
#[tokio::test]
async fn exception_10_errors_of_tower_have_a_status() {
    use tower::{load_shed::error::Overloaded, timeout::error::Elapsed};
    use tower_exception::tower_status;

    let overloaded = || Overloaded::new();
    assert_eq!(status(|layer| layer, overloaded()).await, 500);
    let change = |layer: ExceptionLayer| layer.status_of(tower_status);
    assert_eq!(status(change, overloaded()).await, 503);
    assert_eq!(status(change, Elapsed::new()).await, 504);
    assert_eq!(status(change, Outer(Elapsed::new().into())).await, 504);
    assert_eq!(status(change, Busy).await, 500);

    // As the layers make them.
    let (layer, _) = keeping();
    let pending = service_fn(|_: Request<()>| {
        std::future::pending::<Result<Response<Full<Bytes>>, BoxError>>()
    });
    let app = tower::ServiceBuilder::new()
        .layer(layer.status_of(tower_status))
        .load_shed()
        .concurrency_limit(1)
        .service(pending);
    let mut first = app.clone();
    let first = tower::Service::call(first.ready().await.unwrap(), Request::new(()));
    let response = app.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), 503);
    drop(first);
}
