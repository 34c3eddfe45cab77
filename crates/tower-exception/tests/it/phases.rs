//! Every phase and every kind of failure: one incident, one report, and a defined response.

use std::{
    error::Error,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{BoxError, Layer, Service, ServiceExt};
use tower_exception::{Incident, Phase};

use crate::probe::{At, Breaks, How, keeping, poll, reason};

fn request(method: Method) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = "http://example.org/a/b?c".parse().unwrap();
    *request.version_mut() = Version::HTTP_2;
    request
}

fn check(incident: &Incident, phase: Phase, how: How) {
    assert_eq!(incident.phase(), phase);
    assert_eq!(incident.method(), Method::GET);
    assert_eq!(incident.uri(), "http://example.org/a/b?c");
    assert_eq!(incident.version(), Version::HTTP_2);
    let (panic, error) = (incident.panic_message(), incident.error());
    assert_eq!(panic.is_some(), how != How::Error);
    let text = panic.map_or_else(|| error.unwrap().to_string(), str::to_owned);
    assert!(text.starts_with("broken at"), "{text}");
}

/// Returns the one incident.
#[track_caller]
fn only(incidents: &Mutex<Vec<Incident>>) -> Incident {
    let incidents = incidents.lock().unwrap();
    let [incident] = &incidents[..] else {
        panic!("{incidents:?}")
    };
    incident.clone()
}

#[tokio::test]
async fn exception_1_a_failure_before_the_head_is_one_report() {
    let table = [
        (At::Ready, How::Error, Phase::Ready),
        (At::Ready, How::Panic, Phase::Ready),
        (At::Ready, How::PanicTwice, Phase::Ready),
        (At::Call, How::Panic, Phase::Call),
        (At::Call, How::PanicTwice, Phase::Call),
        (At::FirstPoll, How::Error, Phase::Future),
        (At::FirstPoll, How::Panic, Phase::Future),
        (At::FirstPoll, How::PanicTwice, Phase::Future),
        (At::LaterPoll, How::Error, Phase::Future),
        (At::LaterPoll, How::Panic, Phase::Future),
        (At::LaterPoll, How::PanicTwice, Phase::Future),
    ];
    for (at, how, phase) in table {
        let (layer, incidents) = keeping();
        let response = layer
            .layer(Breaks::new(at, how))
            .oneshot(request(Method::GET))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let incident = only(&incidents);
        check(&incident, phase, how);

        let id = incident.id().to_owned();
        assert_eq!(reason(&response).id(), id);
        let headers = response.headers();
        assert_eq!(headers["x-incident-id"], id);
        assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, format!("500 Internal Server Error\nincident {id}\n"));
    }
}

#[tokio::test]
async fn exception_6_a_failed_body_ends_with_its_incident() {
    for how in [How::Error, How::Panic, How::PanicTwice] {
        for frames in 0..3 {
            let (layer, incidents) = keeping();
            let app = layer.layer(Breaks::new(At::Frame(frames), how));
            let response = app.oneshot(request(Method::GET)).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            let mut body = response.into_body();
            for _ in 0..frames {
                body.frame().await.unwrap().unwrap();
            }
            let aborted = body.frame().await.unwrap().unwrap_err();
            // No frame follows.
            assert!(body.frame().await.is_none());

            let incident = only(&incidents);
            check(&incident, Phase::Body, how);
            let id = incident.id();
            assert_eq!(aborted.id(), id);
            assert_eq!(aborted.to_string(), incident.to_string());
            let source = aborted.source().map(ToString::to_string);
            assert_eq!(
                source,
                (how == How::Error).then(|| "broken at a frame".to_owned())
            );
        }
    }
}

#[tokio::test]
async fn exception_4_a_failed_service_is_not_used_again() {
    for at in [At::Ready, At::Call] {
        for how in [How::Error, How::Panic, How::PanicTwice] {
            if (at, how) == (At::Call, How::Error) {
                continue;
            }
            let (layer, incidents) = keeping();
            let breaks = Breaks::new(at, how);
            let calls = breaks.calls.clone();
            let mut app = layer.layer(breaks);
            for _ in 0..3 {
                let app = app.ready().await.unwrap();
                // It stays ready, however often it is polled.
                app.ready().await.unwrap();
                let response = app.call(request(Method::GET)).await.unwrap();
                assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            }
            let phase = if at == At::Ready {
                Phase::Ready
            } else {
                Phase::Call
            };
            let incidents = incidents.lock().unwrap().clone();
            assert_eq!(incidents.len(), 3);
            incidents
                .iter()
                .for_each(|incident| check(incident, phase, how));
            let expected = if at == At::Ready { 0 } else { 3 };
            assert_eq!(calls.load(Ordering::Relaxed), expected);
        }
    }
}

#[tokio::test]
async fn exception_4_a_clone_of_a_failed_service_works() {
    for at in [At::Ready, At::Call] {
        let (layer, incidents) = keeping();
        let mut app = layer.layer(Breaks::new(at, How::Panic).only_first());
        app.ready().await.unwrap();
        let response = match at {
            At::Ready => {
                let response = app.clone().oneshot(request(Method::GET)).await.unwrap();
                assert_eq!(
                    app.call(request(Method::GET))
                        .await
                        .unwrap()
                        .status()
                        .as_u16(),
                    500
                );
                response
            }
            _ => {
                assert_eq!(
                    app.call(request(Method::GET))
                        .await
                        .unwrap()
                        .status()
                        .as_u16(),
                    500
                );
                app.clone().oneshot(request(Method::GET)).await.unwrap()
            }
        };
        assert_eq!(response.status(), StatusCode::OK);
        // The replacement of the failed one works too.
        let response = app
            .ready()
            .await
            .unwrap()
            .call(request(Method::GET))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(incidents.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn exception_4_a_call_without_readiness_is_a_500() {
    for how in [How::Error, How::Panic] {
        let (layer, incidents) = keeping();
        let mut app = layer.layer(Breaks::new(At::Ready, how));
        app.ready().await.unwrap();
        // A clone that was not made ready, as axum's `from_extractor` calls one. A clone of that.
        // Then the service itself.
        let mut clone = app.clone();
        for service in [&mut clone.clone(), &mut clone, &mut app] {
            let response = service.call(request(Method::GET)).await.unwrap();
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            check(&only(&incidents), Phase::Ready, how);
            incidents.lock().unwrap().clear();
        }
        // A service that has reported its failure does not report it again.
        let response = app.call(request(Method::GET)).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let incident = only(&incidents);
        assert_eq!(incident.phase(), Phase::Ready);
        let text = incident.error().unwrap().to_string();
        assert_eq!(text, "the service was called before it was ready");
    }
    // The same after a panic in `call`.
    let (layer, incidents) = keeping();
    let mut app = layer.layer(Breaks::new(At::Call, How::Panic).only_first());
    app.ready().await.unwrap();
    for phase in [Phase::Call, Phase::Ready] {
        let response = app.call(request(Method::GET)).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(incidents.lock().unwrap().pop().unwrap().phase(), phase);
    }
    // It works when it is ready.
    let response = app.ready().await.unwrap().call(request(Method::GET)).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn exception_4_from_extractor_calls_a_clone_that_is_not_ready() {
    use axum::{body::Body, middleware::from_extractor};
    let (layer, incidents) = keeping();
    #[derive(Clone)]
    struct Unready;
    impl Service<Request<Body>> for Unready {
        type Response = Response<Full<Bytes>>;
        type Error = BoxError;
        type Future = std::future::Ready<Result<Response<Full<Bytes>>, BoxError>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Err("the pool is empty".into()))
        }
        fn call(&mut self, _: Request<Body>) -> Self::Future {
            panic!("it is never ready")
        }
    }
    let app = from_extractor::<Method>().layer(layer.layer(Unready));
    let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let text = only(&incidents).error().unwrap().to_string();
    assert_eq!(text, "the pool is empty");
}

/// A service that cannot be cloned a second time, and whose errors cannot be converted.
struct Unclonable {
    clones: Arc<AtomicUsize>,
}

impl Clone for Unclonable {
    fn clone(&self) -> Self {
        let before = self.clones.fetch_add(1, Ordering::Relaxed);
        assert!(before == 0, "broken at clone");
        Self {
            clones: self.clones.clone(),
        }
    }
}

struct Inconvertible;

impl From<Inconvertible> for BoxError {
    fn from(_: Inconvertible) -> Self {
        panic!("broken at into")
    }
}

impl Service<Request<()>> for Unclonable {
    type Response = Response<Full<Bytes>>;
    type Error = Inconvertible;
    type Future = std::future::Ready<Result<Response<Full<Bytes>>, Inconvertible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Inconvertible>> {
        Poll::Ready(Err(Inconvertible))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        panic!("it is never ready")
    }
}

#[tokio::test]
async fn exception_7_a_conversion_that_panics_does_not_unwind() {
    let (layer, incidents) = keeping();
    let mut app = layer.layer(Unclonable {
        clones: Arc::default(),
    });
    for text in ["broken at into", "broken at clone", "broken at clone"] {
        let response = app
            .ready()
            .await
            .unwrap()
            .call(request(Method::GET))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let incident = incidents.lock().unwrap().pop().unwrap();
        assert_eq!(
            (incident.phase(), incident.panic_message()),
            (Phase::Ready, Some(text))
        );
    }
    assert!(incidents.lock().unwrap().is_empty());
}

#[tokio::test]
async fn exception_7_a_response_is_final_if_its_future_panics() {
    let (layer, incidents) = keeping();
    let app = layer.layer(Breaks::new(At::Drop, How::Panic));
    let response = app.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "onetwo"
    );
    let incident = only(&incidents);
    check(&incident, Phase::Drop, How::Panic);
}

#[tokio::test]
async fn exception_1_a_panic_in_a_size_hint_is_one_incident() {
    let (layer, incidents) = keeping();
    let app = layer.layer(Breaks::new(At::Hint, How::Panic));
    let response = app.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let incident = only(&incidents);
    check(&incident, Phase::Body, How::Panic);
    assert!(!incident.is_head_sent());

    // A response whose hints are not needed before the head is sent.
    let (layer, incidents) = keeping();
    let app = layer.layer(Breaks::new(At::Hint, How::Panic));
    let head = app.oneshot(request(Method::HEAD)).await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
    let mut body = head.into_body();
    assert!(!body.is_end_stream());
    assert_eq!(
        (body.size_hint().lower(), body.size_hint().upper()),
        (0, None)
    );
    let aborted = body.frame().await.unwrap().unwrap_err();
    assert!(body.frame().await.is_none());
    let incident = only(&incidents);
    assert_eq!(
        (incident.phase(), incident.is_head_sent()),
        (Phase::Body, true)
    );
    assert_eq!(aborted.id(), incident.id());
}

#[tokio::test]
async fn exception_19_two_layers_make_one_incident_of_a_body() {
    for how in [How::Error, How::Panic] {
        let (layer, incidents) = keeping();
        let app = layer.layer(layer.layer(Breaks::new(At::Frame(1), how)));
        let body = app.oneshot(request(Method::GET)).await.unwrap().into_body();
        let aborted = body.collect().await.unwrap_err();
        let incident = only(&incidents);
        assert_eq!(aborted.id(), incident.id());
    }
}

#[tokio::test]
async fn exception_1_a_caught_panic_is_no_incident() {
    let (layer, incidents) = keeping();
    let app = layer.layer(tower::service_fn(async |_: Request<()>| {
        let caught = std::panic::catch_unwind(|| panic!("caught"));
        assert!(caught.is_err());
        let body = http_body_util::Full::<bytes::Bytes>::from("fine");
        Ok::<_, std::convert::Infallible>(http::Response::new(body))
    }));
    let mut response = app.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(poll(response.body_mut()).is_ready());
    assert!(incidents.lock().unwrap().is_empty());
}

/// The first `poll_ready` of all clones fails, and then each `call` panics.
#[derive(Clone, Default)]
struct FailsThenPanics(Arc<AtomicUsize>);

impl Service<Request<()>> for FailsThenPanics {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Err("not ready".into()),
            _ => Ok(()),
        })
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        panic!("called")
    }
}

#[tokio::test]
async fn exception_4_a_ready_clone_forgets_the_failure() {
    let (layer, incidents) = keeping();
    let mut app = layer.layer(FailsThenPanics::default());
    app.ready().await.unwrap();
    let mut clone = app.clone();
    clone.ready().await.unwrap();
    for (phase, text) in [
        (Phase::Call, "called"),
        (Phase::Ready, "the service was called before it was ready"),
    ] {
        clone.call(request(Method::GET)).await.unwrap();
        let incident = incidents.lock().unwrap().pop().unwrap();
        assert_eq!(incident.phase(), phase);
        let error = incident.error().map(ToString::to_string);
        let found = error.as_deref().or(incident.panic_message());
        assert_eq!(found, Some(text));
    }
}
