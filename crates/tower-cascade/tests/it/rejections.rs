//! Rejections: the cascade's own, and those of the services that it tries.

use std::convert::Infallible;

use http::{HeaderValue, Method, Request, Response, StatusCode, header::ALLOW};
use http_body::Body as _;
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_cascade::{CascadeError, CascadeLayer, CascadeTrace, Tried};
use tower_kit::{Rejection, status_of};
use tower_lint::probe::{Body, Error};

use crate::probe::{Replayed, not_found, reads_then_responds};

const TEXT: &str = "services whose responses fell through had read more than 3 bytes of the request's \
    body, and no more is kept for the next service\n";

fn grpc() -> Request<Body> {
    let request = Request::post("/").header("content-type", "application/grpc");
    request.body(Body::new(["ab".into(), "cd".into()])).unwrap()
}

/// A service that rejects all requests with this status, as a layer does.
macro_rules! rejects {
    ($status:expr, $allow:expr) => {
        service_fn(async |request: Request<_>| {
            let rejection = Rejection::new($status, Error("no"));
            let rejection = rejection.with_header(ALLOW, HeaderValue::from_static($allow));
            Ok::<_, Infallible>(rejection.response_for(&request))
        })
    };
}

#[tokio::test]
async fn cascade_1_a_grpc_rejection_with_404_falls_through() {
    let inner = CascadeLayer::new(rejects!(StatusCode::NOT_FOUND, "GET")).trace();
    let app = CascadeLayer::new(not_found(1))
        .trace()
        .layer(inner.layer(rejects!(StatusCode::FORBIDDEN, "GET")));
    let response = app.oneshot(grpc()).await.unwrap();
    // It is a 200 on the wire.
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(status_of(&response), StatusCode::FORBIDDEN);
    let trace = response.extensions().get::<CascadeTrace>().unwrap();
    let statuses = [404, 404, 403].map(|status| StatusCode::from_u16(status).unwrap());
    assert_eq!(trace.tried(), statuses.map(Tried::Answered));
}

#[tokio::test]
async fn cascade_1_a_grpc_rejection_with_403_is_returned() {
    let app = CascadeLayer::new(rejects!(StatusCode::FORBIDDEN, "GET"))
        .layer(rejects!(StatusCode::NOT_FOUND, "GET"));
    let response = app.oneshot(grpc()).await.unwrap();
    assert_eq!(status_of(&response), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn cascade_9_the_allow_of_a_grpc_405_is_merged() {
    let layer = CascadeLayer::new(rejects!(StatusCode::METHOD_NOT_ALLOWED, "PUT, GET"));
    let layer = layer.statuses([StatusCode::METHOD_NOT_ALLOWED]).unwrap();
    for (status, allow) in [
        (StatusCode::METHOD_NOT_ALLOWED, "DELETE, GET, PUT"),
        (StatusCode::NOT_FOUND, "DELETE"),
    ] {
        let last = service_fn(move |request: Request<Replayed>| async move {
            let rejection = Rejection::new(status, Error("no"));
            let rejection = rejection.with_header(ALLOW, HeaderValue::from_static("DELETE"));
            Ok::<_, Infallible>(rejection.response_for(&request))
        });
        let response = layer.layer(last).oneshot(grpc()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let lines: Vec<_> = response.headers().get_all(ALLOW).iter().collect();
        assert_eq!(lines, [allow]);
    }
}

#[tokio::test]
async fn cascade_6_the_413_has_the_clients_protocol() {
    let not_found = || service_fn(|request| reads_then_responds(9, StatusCode::NOT_FOUND, request));
    let app = CascadeLayer::new(not_found())
        .replay_limit(3)
        .layer(not_found());
    let response = app.clone().oneshot(grpc()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["grpc-status"], "8");
    assert_eq!(response.headers()["grpc-message"], TEXT.trim_end());
    let rejection = Rejection::of(&response).unwrap();
    assert_eq!(
        rejection.reason::<CascadeError>(),
        Some(&CascadeError::ReplayLimitExceeded { limit: 3 })
    );

    for (method, has_body) in [(Method::PUT, true), (Method::HEAD, false)] {
        let mut request = grpc();
        *request.method_mut() = method;
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let headers = response.headers();
        assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(headers["cache-control"], "no-store");
        let length = headers.get("content-length").cloned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        if has_body {
            assert_eq!((body.as_ref(), length), (TEXT.as_bytes(), None));
        } else {
            assert_eq!((body.len(), length.unwrap()), (0, TEXT.len().into()));
        }
    }
}

#[tokio::test]
async fn cascade_3_an_empty_list_is_a_404_with_a_reason() {
    let service = service_fn(|request| reads_then_responds(0, StatusCode::OK, request));
    let empty = CascadeLayer::list([service].into_iter().take(0));
    let app = empty.trace().service();
    let response = app.clone().oneshot(Request::default()).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let rejection = Rejection::of(&response).unwrap();
    assert!(rejection.reason() == Some(&CascadeError::NoServices));
    assert_eq!(rejection.error().to_string(), "the cascade has no services");
    let trace = response.extensions().get::<CascadeTrace>().unwrap();
    assert_eq!(trace.tried(), []);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "no service responds here\n");

    let response = app.oneshot(grpc()).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "12");
    assert_eq!(status_of(&response), StatusCode::NOT_FOUND);
}

#[test]
fn cascade_19_the_default_body_is_empty() {
    let app = CascadeLayer::new(not_found(0)).layer(not_found(0));
    fn default_of<S: Service<Request<Body>, Response = Response<B>>, B: Default>(_: &S) -> B {
        B::default()
    }
    assert!(default_of(&app).is_end_stream());
}
