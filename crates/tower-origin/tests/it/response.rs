//! The body and the future of the layer's response.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_kit::{Rejection, status_of};
use tower_origin::{BadOrigin, OriginLayer};

#[tokio::test]
async fn origin_15_the_body_reports_the_length_of_the_inner_body() {
    for (text, length) in [("abc", 3), ("", 0)] {
        let inner = service_fn(async |_: Request<()>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text)))
        });
        let mut app = OriginLayer::new().layer(inner);
        let future = app.call(Request::new(()));
        assert_eq!(format!("{future:?}"), "EitherFuture { .. }");
        let body = future.await.unwrap().into_body();
        assert_eq!(body.size_hint().exact(), Some(length));
        assert_eq!(body.is_end_stream(), length == 0);
        assert_eq!(format!("{body:?}"), "EitherBody(\"inner\")");
    }
    let mut app =
        OriginLayer::new()
            .hosts(["a"])
            .unwrap()
            .layer(service_fn(async |_: Request<()>| {
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            }));
    let body = app.call(Request::new(())).await.unwrap().into_body();
    assert_eq!(body.size_hint().exact(), Some(26));
    assert!(!body.is_end_stream());
    assert_eq!(format!("{body:?}"), "EitherBody(\"own\")");
}

#[tokio::test]
async fn origin_9_a_rejection_speaks_the_clients_protocol() {
    let inner = service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let mut app = OriginLayer::new().hosts(["a"]).unwrap().layer(inner);
    let request = Request::post("/").header("content-type", "application/grpc");
    let response = app.call(request.body(()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["grpc-status"], "3");
    let message = &response.headers()["grpc-message"];
    assert_eq!(message, "the request names no host");
    assert_eq!(status_of(&response), StatusCode::BAD_REQUEST);
    let reason = Rejection::of(&response).and_then(Rejection::reason);
    assert_eq!(reason, Some(&BadOrigin::NoHost));
}
