//! The first frame, which is polled before the head is sent, and drops before the end.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, service_fn, util::ServiceFn};
use tower_exception::Phase;
use tower_lint::probe::{Body, Error, Step};

use crate::probe::{keeping, poll};

type Reply = Ready<Result<Response<Body>, Infallible>>;

const FAIL: Step = Step::Fail(Error("broken at once"));

/// Responds with a stream of these steps, of unknown length.
fn streams(status: u16, steps: Vec<Step>) -> ServiceFn<impl Fn(Request<()>) -> Reply + Clone> {
    service_fn(move |_| {
        let body = Body::new(steps.clone()).claim_hint(http_body::SizeHint::default());
        ready(Ok(Response::builder().status(status).body(body).unwrap()))
    })
}

fn request(method: Method) -> Request<()> {
    Request::builder().method(method).body(()).unwrap()
}

#[tokio::test]
async fn exception_5_a_body_that_fails_at_once_becomes_a_500() {
    let (layer, incidents) = keeping();
    let app = layer.layer(streams(200, vec![FAIL]));
    let response = app.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let [incident] = &incidents.lock().unwrap()[..] else {
        panic!("one incident")
    };
    assert_eq!(
        (incident.phase(), incident.is_head_sent()),
        (Phase::Body, false)
    );
}

#[tokio::test]
async fn exception_5_a_body_without_content_is_not_polled() {
    for (method, status) in [
        (Method::HEAD, 200),
        (Method::CONNECT, 200),
        (Method::CONNECT, 299),
        (Method::GET, 101),
        (Method::GET, 204),
        (Method::GET, 205),
        (Method::GET, 304),
    ] {
        let (layer, incidents) = keeping();
        let app = layer.layer(streams(status, vec![FAIL]));
        let response = app.oneshot(request(method)).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert!(incidents.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn exception_5_a_response_that_denies_a_tunnel_is_polled() {
    let (layer, _) = keeping();
    let app = layer.layer(streams(403, vec![FAIL]));
    let response = app.oneshot(request(Method::CONNECT)).await.unwrap();
    assert_eq!(response.status(), 500);
}

#[tokio::test]
async fn exception_5_a_frame_read_ahead_is_the_first_frame() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("1"));
    let trailers = Step::Trailers(trailers);
    for steps in [
        vec!["one".into(), "two".into(), trailers.clone()],
        vec![
            Step::Yield,
            "one".into(),
            Step::Yield,
            "two".into(),
            trailers.clone(),
        ],
        vec!["".into(), "onetwo".into(), trailers.clone()],
    ] {
        let (layer, incidents) = keeping();
        let response = layer
            .layer(streams(200, steps))
            .oneshot(request(Method::GET))
            .await
            .unwrap();
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["x-sum"], "1");
        assert_eq!(body.to_bytes(), "onetwo");
        assert!(incidents.lock().unwrap().is_empty());
    }
    // Only trailers, and no frames.
    for steps in [vec![trailers], vec![]] {
        let (layer, _) = keeping();
        let response = layer
            .layer(streams(200, steps.clone()))
            .oneshot(request(Method::GET))
            .await
            .unwrap();
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().is_some(), !steps.is_empty());
    }
}

#[tokio::test]
async fn exception_5_size_hints_count_the_frame_read_ahead() {
    let (layer, _) = keeping();
    let app = layer.layer(service_fn(async |_: Request<()>| {
        let mut hint = http_body::SizeHint::default();
        hint.set_lower(1);
        hint.set_upper(9);
        let body = Body::new(["one".into(), Step::Yield, "two".into()]).claim_hint(hint);
        Ok::<_, Infallible>(Response::new(body))
    }));
    let mut body = app.oneshot(request(Method::GET)).await.unwrap().into_body();
    assert_eq!(
        (body.size_hint().lower(), body.size_hint().upper()),
        (4, Some(12))
    );
    assert!(!body.is_end_stream());
    assert!(poll(&mut body).is_ready());
    assert_eq!(
        (body.size_hint().lower(), body.size_hint().upper()),
        (1, Some(9))
    );
    // A sum that overflows gives no upper bound.
    let (layer, _) = keeping();
    let app = layer.layer(service_fn(async |_: Request<()>| {
        let mut hint = http_body::SizeHint::default();
        hint.set_lower(u64::MAX - 1);
        let body = Body::new(["one".into()]).claim_hint(hint);
        Ok::<_, Infallible>(Response::new(body))
    }));
    let body = app.oneshot(request(Method::GET)).await.unwrap().into_body();
    assert_eq!(
        (body.size_hint().lower(), body.size_hint().upper()),
        (u64::MAX, None)
    );
}

/// Panics when it is dropped.
#[derive(Clone)]
struct Bomb(Arc<()>);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(Arc::strong_count(&self.0) > 1, "broken at drop");
    }
}

#[tokio::test]
async fn exception_1_a_panic_in_the_drop_of_a_pending_future() {
    let (layer, incidents) = keeping();
    let mut app = layer.layer(service_fn(|_: Request<()>| {
        let bomb = Bomb(Arc::default());
        async move {
            let _bomb = bomb;
            std::future::pending::<Result<Response<Body>, Infallible>>().await
        }
    }));
    let mut future = Box::pin(app.call(request(Method::GET)));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(future.as_mut().poll(&mut cx).is_pending());
    drop(future);
    let incidents = incidents.lock().unwrap();
    assert_eq!(incidents.len(), 1);
    assert_eq!(
        (incidents[0].phase(), incidents[0].panic_message()),
        (Phase::Drop, Some("broken at drop"))
    );
}

#[tokio::test]
async fn exception_1_a_panic_in_the_drop_of_a_body() {
    struct Explosive(Body, #[allow(dead_code, reason = "dropped")] Bomb);

    impl http_body::Body for Explosive {
        type Data = bytes::Bytes;
        type Error = Error;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Error>>> {
            std::pin::Pin::new(&mut self.0).poll_frame(cx)
        }

        fn size_hint(&self) -> http_body::SizeHint {
            self.0.size_hint()
        }
    }

    for length in [
        http_body::SizeHint::default(),
        http_body::SizeHint::with_exact(6),
    ] {
        for frames in 0..3 {
            let (layer, incidents) = keeping();
            let app = layer.layer(service_fn(move |_: Request<()>| {
                let body = Body::new(["one".into(), "two".into()]).claim_hint(length);
                ready(Ok::<_, Infallible>(Response::new(Explosive(
                    body,
                    Bomb(Arc::default()),
                ))))
            }));
            let mut body = app.oneshot(request(Method::GET)).await.unwrap().into_body();
            for _ in 0..frames {
                body.frame().await.unwrap().unwrap();
            }
            drop(body);
            let incidents = incidents.lock().unwrap();
            assert_eq!(incidents.len(), 1, "{frames} frames");
            assert_eq!(
                (incidents[0].phase(), incidents[0].is_head_sent()),
                (Phase::Drop, true)
            );
        }
    }
}

#[tokio::test]
async fn exception_5_a_body_is_not_polled_after_its_end() {
    /// Panics when it is polled after its end, as a stream may.
    struct Unfused(Vec<&'static str>, bool);

    impl http_body::Body for Unfused {
        type Data = bytes::Bytes;
        type Error = Error;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Error>>> {
            assert!(!self.1, "polled after its end");
            let next = self.0.pop();
            self.1 = next.is_none();
            std::task::Poll::Ready(next.map(|next| Ok(http_body::Frame::data(next.into()))))
        }
    }

    for frames in [vec![], vec!["one"], vec!["two", "one"]] {
        let (layer, incidents) = keeping();
        let sent = frames.clone();
        let app = layer.layer(service_fn(move |_: Request<()>| {
            ready(Ok::<_, Infallible>(Response::new(Unfused(
                sent.clone(),
                false,
            ))))
        }));
        let mut body = app.oneshot(request(Method::GET)).await.unwrap().into_body();
        assert_eq!(body.is_end_stream(), frames.is_empty());
        for _ in &frames {
            body.frame().await.unwrap().unwrap();
        }
        assert!(body.frame().await.is_none());
        assert!(incidents.lock().unwrap().is_empty());
    }
}

/// An error that panics in `source`, or when it is dropped.
#[derive(Debug)]
struct Bad {
    source: bool,
    drop: bool,
}

impl std::fmt::Display for Bad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bad")
    }
}

impl std::error::Error for Bad {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        assert!(!self.source, "broken at source");
        None
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        assert!(!self.drop, "broken at drop");
    }
}

#[tokio::test]
async fn exception_7_an_error_that_panics_does_not_unwind() {
    for (source, drop) in [(true, false), (false, true)] {
        // As the service's error, and as the error of a body before and after its head.
        let (layer, incidents) = keeping();
        let app = layer.layer(service_fn(move |_: Request<()>| {
            ready(Err::<Response<Body>, _>(Bad { source, drop }))
        }));
        let response = app.oneshot(request(Method::GET)).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        std::mem::drop(response);
        assert_eq!(incidents.lock().unwrap().len(), 1);
        incidents.lock().unwrap().clear();

        for ready_frames in 0..2 {
            let (layer, incidents) = keeping();
            let app = layer.layer(service_fn(move |_: Request<()>| {
                let frames = futures_util::stream::iter((0..=ready_frames).map(move |at| {
                    match at == ready_frames {
                        true => Err(Bad { source, drop }),
                        false => Ok(http_body::Frame::data(bytes::Bytes::from_static(b"one"))),
                    }
                }));
                let body = http_body_util::StreamBody::new(frames);
                ready(Ok::<_, Infallible>(Response::new(body)))
            }));
            let response = app.oneshot(request(Method::GET)).await.unwrap();
            let collected = response.into_body().collect().await;
            assert_eq!(collected.is_err(), ready_frames > 0);
            std::mem::drop(collected);
            assert_eq!(incidents.lock().unwrap().len(), 1);
            incidents.lock().unwrap().clear();
        }
    }
}

#[tokio::test]
async fn exception_7_a_report_that_panics_in_drop_does_not_unwind() {
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            panic!("broken at drop");
        }
    }
    let guard = Guard;
    let layer = tower_exception::ExceptionLayer::production(move |_| {
        let _ = &guard;
    });
    let app = layer.layer(streams(200, vec!["one".into()]));
    let body = app
        .clone()
        .oneshot(request(Method::GET))
        .await
        .unwrap()
        .into_body();
    // The service and the layer are dropped where a panic may unwind. The body is not.
    let services = std::panic::AssertUnwindSafe((app, layer));
    let caught = std::panic::catch_unwind(move || std::mem::drop(services));
    assert!(caught.is_ok());
    std::mem::drop(body);
}

#[tokio::test]
async fn exception_19_a_body_that_became_an_error_is_one_incident() {
    let (layer, incidents) = keeping();
    let inner = layer.layer(streams(200, vec!["one".into(), Step::Yield, FAIL]));
    let collecting = service_fn(move |request: Request<()>| {
        let inner = inner.clone();
        async move {
            let response = inner
                .oneshot(request)
                .await
                .unwrap_or_else(|never| match never {});
            let body = response.into_body().collect().await?;
            Ok::<_, tower_exception::Incident>(Response::new(http_body_util::Full::new(
                body.to_bytes(),
            )))
        }
    });
    let response = layer
        .layer(collecting)
        .oneshot(request(Method::GET))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let incidents = incidents.lock().unwrap();
    assert_eq!(incidents.len(), 1);
    assert_eq!(response.headers()["x-incident-id"], incidents[0].id());
}
