//! Allocations: none on the good path, and few for an incident.

use std::{
    convert::Infallible,
    panic::resume_unwind,
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_exception::ExceptionLayer;

fn exchange<S, B>(service: &mut S, headers: &HeaderMap) -> u64
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes>,
{
    let mut request = Request::get("/a/path?and=a&query=of&some=length")
        .body(())
        .unwrap();
    request.headers_mut().clone_from(headers);
    let mut request = Some(request);
    let work = || {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(service.poll_ready(&mut cx).is_ready());
        let mut future = pin!(service.call(request.take().unwrap()));
        let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut cx) else {
            unreachable!("it responds at once");
        };
        let mut body = pin!(response.into_body());
        while let Poll::Ready(Some(_)) = body.as_mut().poll_frame(&mut cx) {}
    };
    allocation_counter::measure(work).count_total
}

#[test]
fn exception_20_the_good_path_allocates_nothing() {
    let responds = service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::new(Full::from("Hello World")))
    });
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("localhost:8080"));
    headers.insert("accept", HeaderValue::from_static("text/html, */*;q=0.8"));
    let bare = exchange(&mut responds.clone(), &headers);
    let mut service = ExceptionLayer::production(|_| {}).layer(responds);
    // The first request fills the thread's stock.
    exchange(&mut service, &headers);
    for _ in 0..3 {
        assert_eq!(exchange(&mut service, &headers), bare);
    }
}

/// The panic is resumed, so that no panic hook runs and allocates.
#[test]
fn exception_20_a_panic_takes_at_most_22_allocations() {
    let panics = service_fn(
        async |_: Request<()>| -> Result<Response<Full<Bytes>>, Infallible> {
            resume_unwind(Box::new("one that is meant"))
        },
    );
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("localhost:8080"));
    headers.insert("accept", HeaderValue::from_static("text/html, */*;q=0.8"));
    let mut service = ExceptionLayer::production(|_| {}).layer(panics);
    exchange(&mut service, &headers);
    let count = exchange(&mut service, &headers);
    assert!(count <= 22, "{count}");
}
