//! What the layer does with a request, seen from the service inside.

mod contract;

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use http::{Request, Response, request::Parts};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_environ::{EnvironLayer, Key, RequestExt};

const NAME: Key<String> = Key::new("test.name");
const OTHER: Key<String> = Key::new("test.other");

/// Answers with the two names that it finds in the environ.
async fn names(request: Request<()>) -> Result<Response<[Option<String>; 2]>, Infallible> {
    let (parts, ()): (Parts, ()) = request.into_parts();
    let from_parts = parts.environ(&NAME).cloned();
    let from_extensions = parts.extensions.environ(&OTHER).cloned();
    Ok(Response::new([from_parts, from_extensions]))
}

#[tokio::test]
async fn the_inner_layer_wins_over_the_outer_one() {
    let app = ServiceBuilder::new()
        .layer(EnvironLayer::new(NAME, "outer".to_owned()))
        .layer(EnvironLayer::new(OTHER, "other".to_owned()))
        .layer(EnvironLayer::new(NAME, "inner".to_owned()))
        .service(service_fn(names));
    let found = app.oneshot(Request::new(())).await.unwrap().into_body();
    assert_eq!(found, [Some("inner".to_owned()), Some("other".to_owned())]);
}

#[tokio::test]
async fn without_the_layer_a_key_is_absent() {
    let found = service_fn(names)
        .oneshot(Request::new(()))
        .await
        .unwrap()
        .into_body();
    assert_eq!(found, [None, None]);
}

/// Refuses to be called unless this very instance was made ready.
#[derive(Clone)]
struct CountsReadiness(bool);

impl Service<Request<()>> for CountsReadiness {
    type Response = ();
    type Error = &'static str;
    type Future = std::future::Ready<Result<(), &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0 = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        std::future::ready(if std::mem::take(&mut self.0) {
            Ok(())
        } else {
            Err("called without a ready poll_ready")
        })
    }
}

#[tokio::test]
async fn the_instance_that_was_made_ready_is_called() {
    let mut app = EnvironLayer::new(NAME, String::new()).layer(CountsReadiness(false));
    for _ in 0..2 {
        let ready = app.ready().await.unwrap();
        assert_eq!(ready.call(Request::new(())).await, Ok(()));
    }
    assert_eq!(
        app.call(Request::new(())).await,
        Err("called without a ready poll_ready")
    );
}

#[test]
fn the_layer_and_its_service_are_clone_send_sync_and_static() {
    fn check<T: Clone + Send + Sync + 'static>(_: &T) {}
    let layer = EnvironLayer::new(NAME, String::new());
    check(&layer);
    check(&layer.layer(CountsReadiness(false)));
}
