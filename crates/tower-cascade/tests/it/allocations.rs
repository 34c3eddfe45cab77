//! The allocations of a cascade, and the tasks that it does not wake.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_cascade::{CascadeLayer, ReplayBody};
use tower_lint::probe::{Body, Gate, Step, WakeCounter};

use crate::probe::{Replayed, with_status};

type Reply = Ready<Result<Response<Full<Bytes>>, Infallible>>;

fn not_found(_: Request<ReplayBody<Full<Bytes>>>) -> Reply {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NOT_FOUND;
    ready(Ok(response))
}

fn reads_all(request: Request<ReplayBody<Full<Bytes>>>) -> Reply {
    let mut body = pin!(request.into_body());
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
        frame.unwrap();
    }
    ready(Ok(Response::default()))
}

/// Counts the allocations of a request with this body, if two services respond with 404 before one
/// reads it.
fn allocations(body: &'static str) -> u64 {
    let list = [service_fn(not_found as fn(_) -> _), service_fn(not_found)];
    let mut app = CascadeLayer::list(list).layer(service_fn(reads_all));
    let mut request = Some(Request::new(Full::from(body)));
    allocation_counter::measure(|| {
        let mut response = pin!(app.call(request.take().unwrap()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(response.as_mut().poll(&mut cx).is_ready());
    })
    .count_total
}

/// Counts the allocations of the third of three requests, of which the first service responds with
/// this status. The first requests fill the thread's stock and form the habit.
fn allocations_of_headers(status: u16) -> u64 {
    let first = service_fn(move |request: Request<ReplayBody<Full<Bytes>>>| {
        drop(request);
        let mut response = Response::new(Full::<Bytes>::default());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        ready(Ok::<_, Infallible>(response))
    });
    let mut app = CascadeLayer::new(first).layer(service_fn(reads_all));
    let mut count = || {
        let mut request = Request::new(Full::default());
        for name in ["host", "accept", "cookie", "user-agent", "x-one", "x-two"] {
            let value = HeaderValue::from_static("a text as long as in most requests");
            request.headers_mut().insert(name, value);
        }
        let mut request = Some(request);
        allocation_counter::measure(|| {
            let mut response = pin!(app.call(request.take().unwrap()));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(response.as_mut().poll(&mut cx).is_ready());
        })
        .count_total
    };
    (0..3).map(|_| count()).last().unwrap()
}

#[test]
fn cascade_20_headers_are_cloned_only_to_fall_through() {
    assert_eq!(allocations_of_headers(200), 0);
    // The two tables of a header map, and the first clone of two names that are not standard.
    assert_eq!(allocations_of_headers(404), 4);
}

#[test]
fn cascade_20_a_body_costs_one_allocation_a_service() {
    // The first request fills the thread's stock.
    allocations("");
    assert_eq!(allocations(""), 0);
    assert_eq!(allocations("two services could have read this"), 2);
}

#[tokio::test]
async fn cascade_8_a_service_that_dropped_its_body_is_not_woken() {
    let waits = Arc::new(WakeCounter::new());
    let waker = waits.waker();
    let mut app = CascadeLayer::new(service_fn(move |request: Request<Replayed>| {
        let mut body = request.into_body();
        let mut cx = Context::from_waker(&waker);
        assert!(pin!(&mut body).poll_frame(&mut cx).is_pending());
        drop(body);
        ready(Ok::<_, Infallible>(with_status(StatusCode::NOT_FOUND)))
    }))
    .layer(service_fn(async |_: Request<Replayed>| {
        Ok::<_, Infallible>(with_status(StatusCode::OK))
    }));
    let request = Request::new(Body::new([Step::Wait(Gate::new())]));
    assert_eq!(app.call(request).await.unwrap().status(), StatusCode::OK);
    assert_eq!(waits.wakes(), 0);
}
