//! Responses without a failure are unchanged.

use http::{Request, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, util::BoxCloneService};

use crate::probe::{At, Breaks, How, keeping, poll};

#[tokio::test]
async fn exception_20_frames_trailers_and_size_hints_pass() {
    let (layer, incidents) = keeping();
    let mut app = layer.layer(Breaks::new(At::Nowhere, How::Panic));
    for _ in 0..2 {
        let app = app.ready().await.unwrap();
        let response = app.call(Request::new(())).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let mut body = response.into_body();
        assert_eq!(body.size_hint().exact(), Some(6));
        assert_eq!(
            body.frame().await.unwrap().unwrap().into_data().unwrap(),
            "one"
        );
        assert_eq!(body.size_hint().exact(), Some(3));
        assert_eq!(
            body.frame().await.unwrap().unwrap().into_data().unwrap(),
            "two"
        );
        assert!(!body.is_end_stream());
        assert!(body.frame().await.unwrap().unwrap().is_trailers());
        assert!(body.is_end_stream());
        assert!(poll(&mut body).is_ready());
    }
    assert!(incidents.lock().unwrap().is_empty());
}

#[test]
fn exception_20_layer_and_service_are_clone_send_and_sync() {
    fn check<T: Clone + Send + Sync + 'static>(_: &T) {}
    let (layer, _) = keeping();
    check(&layer);
    check(&layer.layer(Breaks::new(At::Nowhere, How::Panic)));
}

#[test]
fn exception_20_around_a_service_that_is_not_sync_it_is_send() {
    fn is_send<T: Clone + Send + 'static>(_: &T) {}
    let (layer, _) = keeping();
    let not_sync = BoxCloneService::new(Breaks::new(At::Nowhere, How::Panic));
    is_send(&layer.layer(not_sync));
}
