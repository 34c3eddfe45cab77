//! Apps that look at the head of a request that goes on as it is.

use std::{convert::Infallible, pin::pin, task::Context};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::ALLOW, request::Parts};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_cascade::{CascadeLayer, CascadeTrace, Final, Lookup, Pass, Tried};
use tower_lint::{
    contract,
    probe::{self, Body},
};

use crate::probe::{Replayed, read, reads_then_answers, trailers};

type Answer = Response<Full<Bytes>>;

fn text(text: &'static str) -> Answer {
    Response::new(Full::from(text))
}

fn status(status: StatusCode) -> Answer {
    let mut response = Answer::default();
    *response.status_mut() = status;
    response
}

/// What is found at the path.
fn found(head: &Parts) -> Option<Answer> {
    let mut response = match head.uri.path() {
        "/found" => text("found"),
        "/404" | "/final" => status(StatusCode::NOT_FOUND),
        "/403" => status(StatusCode::FORBIDDEN),
        "/pass" => text("pass"),
        "/405" => {
            let mut response = status(StatusCode::METHOD_NOT_ALLOWED);
            let allow = HeaderValue::from_static("PUT");
            response.headers_mut().insert(ALLOW, allow);
            response
        }
        _ => return None,
    };
    match head.uri.path() {
        "/final" => drop(response.extensions_mut().insert(Final)),
        "/pass" => drop(response.extensions_mut().insert(Pass)),
        _ => {}
    }
    Some(response)
}

#[tokio::test]
async fn an_answer_counts_as_any_other_apps_and_none_asks_the_next() {
    let next = service_fn(async |_: Request<Replayed>| Ok::<_, Infallible>(text("next")));
    let app = CascadeLayer::new(Lookup::new(found))
        .trace(true)
        .layer(next);
    let ok = Tried::Answered(StatusCode::OK);
    let not_found = Tried::Answered(StatusCode::NOT_FOUND);
    for (path, status, body, tried) in [
        ("/found", 200, "found", &[ok][..]),
        ("/", 200, "next", &[Tried::Skipped, ok]),
        ("/404", 200, "next", &[not_found, ok]),
        ("/403", 403, "", &[Tried::Answered(StatusCode::FORBIDDEN)]),
        ("/final", 404, "", &[not_found]),
        ("/pass", 200, "next", &[ok, ok]),
    ] {
        let request = Request::get(path).body(Body::default()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let trace = response.extensions().get::<CascadeTrace>().unwrap();
        assert_eq!(trace.tried(), tried, "{path}");
        let collected = response.into_body().collect().await.unwrap();
        assert_eq!(collected.to_bytes(), body, "{path}");
    }
}

#[tokio::test]
async fn what_it_does_not_answer_goes_on_whole_wherever_it_stands() {
    let last = service_fn(async |request: Request<Replayed>| {
        assert_eq!(request.headers()["x-own"], "as it came");
        assert_eq!(request.extensions().get::<&str>(), Some(&"own"));
        let seen = read(request.into_body()).await.unwrap();
        assert_eq!(seen, ("abc".into(), true));
        Ok::<_, Infallible>(text("last"))
    });
    let app = CascadeLayer::new(Lookup::new(found))
        .then(service_fn(|request| {
            reads_then_answers(1, StatusCode::NOT_FOUND, request)
        }))
        .then(Lookup::new(found))
        .layer(last);
    let body = Body::new(["ab".into(), "c".into(), trailers()]);
    let mut request = Request::put("/404").body(body).unwrap();
    let header = HeaderValue::from_static("as it came");
    request.headers_mut().insert("x-own", header);
    request.extensions_mut().insert("own");
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn it_is_not_asked_what_its_guard_turns_away() {
    let app = CascadeLayer::new(Lookup::new(|_: &Parts| -> Option<Answer> {
        panic!("the guard said no")
    }))
    .only(|_| false)
    .layer(service_fn(async |_: Request<Replayed>| {
        Ok::<_, Infallible>(text("next"))
    }));
    let response = app.oneshot(Request::new(Body::default())).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn methods_that_it_allows_are_united_with_the_next_ones() {
    let app = CascadeLayer::new(Lookup::new(found))
        .on([StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED])
        .unwrap()
        .layer(service_fn(async |_: Request<Replayed>| {
            let mut response = status(StatusCode::METHOD_NOT_ALLOWED);
            let allow = HeaderValue::from_static("GET");
            response.headers_mut().insert(ALLOW, allow);
            Ok::<_, Infallible>(response)
        }));
    let request = Request::post("/405").body(Body::default()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    let allow = response.headers()[ALLOW].to_str().unwrap();
    let mut methods: Vec<_> = allow.split(", ").collect();
    methods.sort_unstable();
    assert_eq!(methods, ["GET", "PUT"]);
}

#[test]
fn it_costs_no_allocation_and_no_copy_of_the_head() {
    let mut app = CascadeLayer::new(Lookup::new(found))
        .then(Lookup::new(found))
        .layer(service_fn(async |_: Request<_>| {
            Ok::<_, Infallible>(Answer::default())
        }));
    let mut request = Request::new(Full::from("a body"));
    for name in ["x-one", "x-two", "x-three"] {
        let value = HeaderValue::from_static("some value");
        request.headers_mut().insert(name, value);
    }
    let mut request = Some(request);
    let allocations = allocation_counter::measure(|| {
        let mut answer = pin!(app.call(request.take().unwrap()));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(answer.as_mut().poll(&mut cx).is_ready());
    });
    assert_eq!(allocations.count_total, 0);
}

#[test]
fn the_next_app_sees_the_contract_kept() {
    contract::check(|inner| CascadeLayer::new(Lookup::new(found)).layer(inner)).assert_kept();
    let answers = |_: &Parts| Some(Response::new(probe::Body::default()));
    let report = contract::check(|inner| {
        CascadeLayer::new(Lookup::new(answers))
            .only(|_| false)
            .layer(inner)
    });
    report.assert_kept();
}
