//! The memory of each thread is reused, and must have no data of the last request. A test runs on
//! one thread.

use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use http_body_util::BodyExt;
use tower::{BoxError, Layer, ServiceExt, service_fn};
#[cfg(feature = "debug")]
use tower_exception::DebugPage;
use tower_exception::{ExceptionLayer, Incident};
use tower_lint::probe::Body;

use crate::probe::{At, Breaks, How, keeping, reason};

async fn fails(_: Request<()>) -> Result<Response<Body>, BoxError> {
    Err("broken".into())
}

/// Returns the incident of a request that fails in this layer.
async fn incident(layer: &ExceptionLayer, request: Request<()>) -> Incident {
    let response = layer.layer(service_fn(fails)).oneshot(request).await;
    let response = response.unwrap();
    reason(&response)
}

fn full() -> Request<()> {
    Request::builder()
        .method(Method::POST)
        .uri("http://example.org/a/long/path?and=a&query")
        .version(Version::HTTP_2)
        .header("host", "example.org")
        .header("accept", "text/html")
        .header("content-type", "application/grpc")
        .header("x-other", "value")
        .body(())
        .unwrap()
}

#[tokio::test]
async fn exception_21_an_incident_has_nothing_of_the_last_request() {
    let (layer, incidents) = keeping();
    let with_headers = layer.clone().headers();
    let before = incident(&with_headers, full()).await;
    assert_eq!(before.method(), Method::POST);
    assert_eq!(before.version(), Version::HTTP_2);
    assert_eq!(before.headers().unwrap().len(), 4);

    let found = incident(&layer, Request::new(())).await;
    assert_eq!(found.method(), Method::GET);
    assert_eq!(found.version(), Version::HTTP_11);
    assert_eq!(found.uri(), "/");
    assert_eq!(found.host(), None);
    assert_eq!(found.headers(), None);
    assert_eq!(found.unredacted_uri(), "/");
    assert_eq!(found.unredacted_headers(), None);
    assert_eq!(found.status(), 500);
    assert_eq!(incidents.lock().unwrap().len(), 2);

    // A path without an authority after one with it, and the reverse. A shorter one after a longer
    // one.
    for uri in ["/a/longer/path?query", "http://example.org/", "/b", "*"] {
        let mut request = Request::new(());
        *request.uri_mut() = uri.parse().unwrap();
        assert_eq!(incident(&layer, request).await.uri(), uri);
    }
}

#[tokio::test]
async fn exception_21_a_response_is_not_grpc_because_the_last_was() {
    let (layer, _) = keeping();
    let app = layer.layer(service_fn(fails));
    let response = app.clone().oneshot(full()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    drop(response);
    let request = Request::post("/").header("content-type", "text/plain");
    let response = app.oneshot(request.body(()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn exception_21_a_body_does_not_fail_because_the_last_did() {
    let (layer, incidents) = keeping();
    let broken = layer.layer(Breaks::new(At::Hint, How::Panic));
    let head = Request::head("/").body(()).unwrap();
    let body = broken.oneshot(head).await.unwrap().into_body();
    // That is an incident, and the next frame would be its error. But no frame is polled.
    assert_eq!(body.size_hint().upper(), None);
    assert_eq!(incidents.lock().unwrap().len(), 1);
    drop(body);

    let whole = layer.layer(Breaks::new(At::Nowhere, How::Panic));
    let response = whole.oneshot(Request::new(())).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "onetwo");
    assert_eq!(incidents.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn exception_21_an_incident_is_reported_to_its_own_layer() {
    let (one, ones) = keeping();
    let (other, others) = keeping();
    incident(&one, Request::new(())).await;
    incident(&other, Request::new(())).await;
    incident(&other, Request::new(())).await;
    assert_eq!(ones.lock().unwrap().len(), 1);
    assert_eq!(others.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn exception_21_a_status_is_not_that_of_the_last_request() {
    let (layer, _) = keeping();
    let gone = layer.clone().status_of(|_| Some(StatusCode::GONE));
    assert_eq!(incident(&gone, Request::new(())).await.status(), 410);
    assert_eq!(incident(&layer, Request::new(())).await.status(), 500);
}

#[cfg(feature = "debug")]
#[tokio::test]
async fn exception_21_a_snapshot_is_not_that_of_the_last_request() {
    use std::{convert::Infallible, future::ready};

    use http::HeaderValue;
    use tower_exception::SnapshotLayer;

    let here = std::net::Ipv4Addr::LOCALHOST.into();
    let debug = ExceptionLayer::debug(|_| {}, DebugPage::new(move |_| Some(here)).force());
    let (production, incidents) = keeping();
    let request = |host: &'static str| {
        let mut request = Request::new(());
        let host = HeaderValue::from_static(host);
        request.headers_mut().insert("host", host);
        request.extensions_mut().insert(7_u32);
        request
    };
    let snapshot = SnapshotLayer::new().show::<u32>("number");
    let fine = service_fn(|_: Request<()>| {
        let body = Body::new(["fine".into()]);
        ready(Ok::<_, Infallible>(Response::new(body)))
    });
    for layer in [&production, &debug.clone()] {
        // The first request may see the page, succeeds, and leaves its snapshots.
        let app = debug.layer(snapshot.layer(fine));
        let response = app.oneshot(request("localhost")).await.unwrap();
        drop(response);
        // The layer of the next request has no page, or the request may not see it.
        let app = layer.layer(service_fn(fails));
        let response = app.oneshot(request("example.org")).await.unwrap();
        let found = reason(&response);
        assert_eq!(found.shown().count(), 0);
        assert!(!response.headers().contains_key("x-frame-options"));
    }
    assert_eq!(incidents.lock().unwrap().len(), 1);
    // A request that may see the page shows its own snapshot once.
    let app = debug.layer(snapshot.layer(service_fn(fails)));
    let response = app.oneshot(request("localhost")).await.unwrap();
    let found = reason(&response);
    assert_eq!(found.shown().collect::<Vec<_>>(), [("number", "7")]);
}
