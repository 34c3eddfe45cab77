//! The body and the future of a mount's response.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_environ::MountLayer;

#[tokio::test]
async fn environ_16_the_body_reports_the_length_of_the_inner_body() {
    for (text, length) in [("abc", 3), ("", 0)] {
        let inner = service_fn(async |_: Request<()>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text)))
        });
        let mut app = MountLayer::new("/").unwrap().layer(inner);
        let future = app.call(Request::new(()));
        assert_eq!(format!("{future:?}"), "EitherFuture { .. }");
        let body = future.await.unwrap().into_body();
        assert_eq!(body.size_hint().exact(), Some(length));
        assert_eq!(body.is_end_stream(), length == 0);
        assert_eq!(format!("{body:?}"), "EitherBody(\"inner\")");
    }
    let mut app = MountLayer::new("/a")
        .unwrap()
        .layer(service_fn(async |_: Request<()>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
    let body = app.call(Request::new(())).await.unwrap().into_body();
    assert_eq!(body.size_hint().exact(), Some(32));
    assert!(!body.is_end_stream());
    assert_eq!(format!("{body:?}"), "EitherBody(\"own\")");
}
