//! The status of a call of gRPC, as `finish` gets it.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, request};
use http_body::Body as _;
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};
use tower_hooks::{Hook, HooksLayer, Outcome, OutcomeKind};
use tower_kit::Rejection;
use tower_lint::probe::{self, Error, Step, block_on};

#[derive(Clone, Default)]
struct Outcomes(Arc<Mutex<Option<Outcome>>>);

impl Hook for Outcomes {
    type State = ();

    fn finish(&self, (): (), outcome: Outcome) {
        *self.0.lock().unwrap() = Some(outcome);
    }
}

fn request(content_type: &'static str) -> Request<probe::Body> {
    let request = Request::post("/").header("content-type", content_type);
    request.body(probe::Body::default()).unwrap()
}

/// Returns how a request ends whose response is taken whole.
fn outcome(layer: HooksLayer, app: probe::App, content_type: &'static str) -> Outcome {
    let outcomes = Outcomes::default();
    let inner = layer.layer(app);
    let service = HooksLayer::new().hook(outcomes.clone()).layer(inner);
    let response = block_on(service.oneshot(request(content_type)));
    let body = response.unwrap().unwrap().into_body();
    drop(block_on(body.collect()).unwrap());
    let outcome = outcomes.0.lock().unwrap().take();
    outcome.expect("the request has ended")
}

fn status(status: &'static str) -> HeaderMap {
    let status = HeaderValue::from_static(status);
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), status)])
}

fn in_trailers(trailers: HeaderMap) -> probe::App {
    in_trailers_of("application/grpc", trailers)
}

fn in_trailers_of(content_type: &'static str, trailers: HeaderMap) -> probe::App {
    probe::App::new(move |_| {
        let steps = [Step::from("message"), Step::Trailers(trailers.clone())];
        let mut response = Response::new(probe::Body::new(steps));
        let content_type = HeaderValue::from_static(content_type);
        response.headers_mut().insert("content-type", content_type);
        response
    })
}

fn in_head(content_type: &'static str, headers: HeaderMap) -> probe::App {
    probe::App::new(move |_| {
        let mut response = Response::new(probe::Body::default());
        *response.headers_mut() = headers.clone();
        let content_type = HeaderValue::from_static(content_type);
        response.headers_mut().insert("content-type", content_type);
        response
    })
}

#[test]
fn hooks_3_a_call_that_failed_is_told_from_a_completed_one() {
    let table = [
        (in_trailers(status("0")), Some(0), true),
        (in_trailers(status("13")), Some(13), false),
        (in_trailers(status("x")), None, true),
        (in_trailers(HeaderMap::new()), None, true),
        (in_head("application/grpc", status("5")), Some(5), false),
        (
            in_head("application/grpc+proto", status("0")),
            Some(0),
            true,
        ),
        // It means nothing outside of gRPC.
        (in_head("text/plain", status("5")), None, true),
    ];
    for (index, (app, status, is_success)) in table.into_iter().enumerate() {
        let outcome = outcome(HooksLayer::new(), app, "application/grpc");
        assert_eq!(outcome.kind(), OutcomeKind::Completed, "{index}");
        assert_eq!(outcome.grpc_status(), status, "{index}");
        assert_eq!(outcome.is_success(), is_success, "{index}");
    }
}

/// Any trailer of this name counted.
#[test]
fn hooks_3_the_trailers_of_other_types_have_no_status() {
    for (method, content_type, status_of_call) in [
        ("POST", "application/grpc", Some(5)),
        ("POST", "application/grpc+proto", Some(5)),
        ("POST", "text/plain", None),
        ("GET", "text/plain", None),
        ("GET", "application/grpc", None),
    ] {
        let outcomes = Outcomes::default();
        let layer = HooksLayer::new().hook(outcomes.clone());
        let service = layer.layer(in_trailers_of(content_type, status("5")));
        let request = Request::builder().method(method).uri("/");
        let request = request.body(probe::Body::default()).unwrap();
        let response = block_on(service.oneshot(request)).unwrap().unwrap();
        drop(block_on(response.into_body().collect()).unwrap());
        let outcome = outcomes.0.lock().unwrap().unwrap();
        assert_eq!(outcome.kind(), OutcomeKind::Completed);
        assert_eq!(
            outcome.grpc_status(),
            status_of_call,
            "{method} {content_type}"
        );
        assert_eq!(outcome.is_success(), status_of_call.is_none());
    }
}

#[test]
fn hooks_3_a_rejection_is_told_from_a_completed_call() {
    let rejects = async |request: &mut request::Parts| {
        let rejection = Rejection::new(StatusCode::NOT_FOUND, Error("no"));
        std::ops::ControlFlow::Break(rejection.response_for(&*request))
    };
    let never = || probe::App::new(|_| unreachable!("a hook has responded"));
    for (content_type, status) in [
        ("application/grpc", Some(12)),
        // The status is in the body.
        ("application/grpc-web+proto", Some(12)),
        ("text/plain", None),
    ] {
        // The hook that rejects is in an inner layer, and in the same one.
        let inner = HooksLayer::new().before(rejects);
        let outcome = outcome(inner, never(), content_type);
        assert_eq!(outcome.kind(), OutcomeKind::Completed);
        assert_eq!(outcome.grpc_status(), status, "{content_type}");

        let outcomes = Outcomes::default();
        let layer = HooksLayer::new().hook(outcomes.clone()).before(rejects);
        let response = block_on(layer.layer(never()).oneshot(request(content_type)));
        drop(block_on(response.unwrap().unwrap().into_body().collect()).unwrap());
        let outcome = outcomes.0.lock().unwrap().unwrap();
        assert_eq!(outcome.kind(), OutcomeKind::Aborted);
        assert_eq!(outcome.grpc_status(), status, "{content_type}");
    }
}

#[test]
fn hooks_3_a_call_that_is_cancelled_has_no_status() {
    let outcomes = Outcomes::default();
    let layer = HooksLayer::new().hook(outcomes.clone());
    let service = layer.layer(in_trailers(status("0")));
    let response = block_on(service.oneshot(request("application/grpc")));
    let response = response.unwrap().unwrap();
    assert!(!response.body().is_end_stream());
    drop(response);
    let outcome = outcomes.0.lock().unwrap().unwrap();
    assert_eq!(outcome.kind(), OutcomeKind::Cancelled);
    assert_eq!(outcome.grpc_status(), None);
    assert!(!outcome.is_success());
}
