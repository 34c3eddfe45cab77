//! Responses that need only the head of a request.

use std::{convert::Infallible, pin::pin, task::Context};

use axum::{Router, response::IntoResponse, routing::get};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, request::Parts};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_cascade::{CascadeLayer, Lookup};
use tower_kit::EitherBody;
use tower_lint::{contract, probe::Body};

use crate::probe::{not_found, read, trailers};

type Reply = Response<Full<Bytes>>;

/// Returns what is found at the path.
fn found(head: &Parts) -> Option<Reply> {
    let status = match head.uri.path() {
        "/found" => StatusCode::OK,
        "/404" => StatusCode::NOT_FOUND,
        _ => return None,
    };
    let mut response = Response::new(Full::from("found"));
    *response.status_mut() = status;
    Some(response)
}

#[tokio::test]
async fn cascade_12_a_response_is_returned_whatever_its_status() {
    let next = service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("next")))
    });
    let app = Lookup::new(found).layer(next);
    for (path, status, body) in [
        ("/found", 200, "found"),
        ("/", 200, "next"),
        ("/404", 404, "found"),
    ] {
        let request = Request::get(path).body(Body::default()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let collected = response.into_body().collect().await.unwrap();
        assert_eq!(collected.to_bytes(), body, "{path}");
    }
}

#[tokio::test]
async fn cascade_12_other_requests_are_passed_on_as_they_are() {
    let last = service_fn(async |request: Request<Body>| {
        assert_eq!(request.headers()["x-own"], "as it came");
        assert_eq!(request.extensions().get::<&str>(), Some(&"own"));
        let body = request.into_body().map_err(Into::into);
        assert_eq!(read(body).await.unwrap(), ("abc".into(), true));
        Ok::<_, Infallible>(Reply::default())
    });
    let app = Lookup::new(found).layer(last);
    let body = Body::new(["ab".into(), "c".into(), trailers()]);
    let mut request = Request::put("/").body(body).unwrap();
    let header = HeaderValue::from_static("as it came");
    request.headers_mut().insert("x-own", header);
    request.extensions_mut().insert("own");
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn cascade_12_its_body_is_that_of_the_inner_service() {
    // A cascade.
    let look = |head: &Parts| found(head).map(|response| response.map(EitherBody::own));
    let app = ServiceBuilder::new()
        .layer(Lookup::new(look))
        .layer(CascadeLayer::new(not_found(0)))
        .service(not_found(0));
    for (path, status) in [("/found", 200), ("/", 404)] {
        let request = Request::get(path).body(Body::default()).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status);
    }
    // A router, and within a cascade.
    let look = |head: &Parts| (head.uri.path() == "/found").then(|| "found".into_response());
    let router: Router = Router::new().route("/", get(async || "route"));
    let router = router.fallback(async || StatusCode::NOT_FOUND);
    let app = CascadeLayer::new(router.layer(Lookup::new(look))).layer(not_found(0));
    for (path, status) in [("/found", 200), ("/", 200), ("/none", 404)] {
        let request = Request::get(path).body(Body::default()).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status);
    }
}

#[test]
fn cascade_12_it_costs_no_allocation_and_no_copy_of_the_head() {
    let mut app =
        (Lookup::new(found), Lookup::new(found)).layer(service_fn(async |_: Request<_>| {
            Ok::<_, Infallible>(Reply::default())
        }));
    let mut request = Request::new(Full::<Bytes>::from("a body"));
    for name in ["x-one", "x-two", "x-three"] {
        let value = HeaderValue::from_static("some value");
        request.headers_mut().insert(name, value);
    }
    let mut request = Some(request);
    let allocations = allocation_counter::measure(|| {
        let mut response = pin!(app.call(request.take().unwrap()));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(response.as_mut().poll(&mut cx).is_ready());
    });
    assert_eq!(allocations.count_total, 0);
}

#[test]
fn the_inner_service_of_a_lookup_sees_the_contract_kept() {
    contract::check(|inner| Lookup::new(|_| None).layer(inner)).assert_kept();
}
