//! Every phase, every way to break: one incident, one report, and a defined answer.

use std::error::Error;

use http::{Method, Request, StatusCode, Version};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};
use tower_exception::{Incident, Phase};

use crate::probe::{At, Breaks, How, keeping, poll};

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
    let said = panic.map_or_else(|| error.unwrap().to_string(), str::to_owned);
    assert!(said.starts_with("broken at"), "{said}");
}

#[tokio::test]
async fn what_breaks_before_the_head_is_500_and_one_report() {
    let table = [
        (At::Ready, How::Error, Phase::Ready),
        (At::Ready, How::Panic, Phase::Ready),
        (At::Call, How::Panic, Phase::Call),
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
        let incidents = incidents.lock().unwrap().clone();
        let [incident] = &incidents[..] else {
            panic!("{at:?} {how:?}: {incidents:?}")
        };
        check(incident, phase, how);

        let id = incident.id().to_owned();
        assert_eq!(response.extensions().get::<Incident>().unwrap().id(), id);
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
async fn an_answer_to_head_has_no_body() {
    let (layer, _) = keeping();
    let app = layer.layer(Breaks::new(At::Call, How::Panic));
    let response = app.oneshot(request(Method::HEAD)).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "");
}

#[tokio::test]
async fn a_body_that_breaks_ends_with_aborted_and_one_report() {
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
            // And nothing after that.
            assert!(body.frame().await.is_none());

            let incidents = incidents.lock().unwrap();
            let [incident] = &incidents[..] else {
                panic!("{how:?} {frames}: {incidents:?}")
            };
            check(incident, Phase::Body, how);
            let id = incident.id();
            assert_eq!(aborted.incident().id(), id);
            assert_eq!(
                aborted.to_string(),
                format!("the response was broken off by incident {id}")
            );
            let source = aborted.source().map(ToString::to_string);
            assert_eq!(
                source,
                (how == How::Error).then(|| "broken at a frame".to_owned())
            );
        }
    }
}

#[tokio::test]
async fn a_service_that_failed_is_not_used_again() {
    for (at, how) in [
        (At::Ready, How::Error),
        (At::Ready, How::Panic),
        (At::Call, How::Panic),
    ] {
        let (layer, incidents) = keeping();
        let breaks = Breaks::new(at, how);
        let calls = breaks.calls.clone();
        let mut app = layer.layer(breaks);
        for _ in 0..3 {
            let app = app.ready().await.unwrap();
            // Ready is ready, however often it is asked.
            app.ready().await.unwrap();
            let response = app.call(request(Method::GET)).await.unwrap();
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        }
        assert_eq!(incidents.lock().unwrap().len(), 3);
        let expected = if at == At::Ready { 0 } else { 3 };
        assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), expected);
    }
}

#[tokio::test]
async fn a_clone_of_a_failed_service_is_not_failed() {
    let (layer, incidents) = keeping();
    let mut app = layer.layer(Breaks::new(At::Ready, How::Error));
    app.ready().await.unwrap();
    // The clone has not been made ready, so nothing was found wrong with it.
    drop(app.clone());
    assert!(incidents.lock().unwrap().is_empty());
    app.call(request(Method::GET)).await.unwrap();
    assert_eq!(incidents.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_panic_that_somebody_catches_is_no_incident() {
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
