//! The allocations of a cascade, and the tasks that it does not wake.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
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

#[test]
fn cascade_20_a_body_costs_one_allocation_a_service() {
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
