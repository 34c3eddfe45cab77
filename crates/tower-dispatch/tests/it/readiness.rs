//! Endpoints and the wrapped service are called only when they are ready.

use std::{
    convert::Infallible,
    future::Ready,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt};
use tower_dispatch::{Dispatch, DispatchLayer, Endpoint};

use crate::probe::{ask, says};

/// Panics unless this very instance was made ready; a clone of it is not ready.
#[derive(Debug, Default)]
struct Strict {
    asked: bool,
    ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Request<()>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Ready the second time, so that whoever takes Pending for an answer is found out.
        if std::mem::replace(&mut self.asked, true) {
            self.ready = true;
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called without being ready"
        );
        std::future::ready(Ok(Response::new("strict".into())))
    }
}

fn urls() -> Dispatch<Endpoint<()>> {
    Dispatch::builder()
        .get("/a", Strict::default())
        .build()
        .unwrap()
}

#[tokio::test]
async fn an_endpoint_is_made_ready_before_it_is_called() {
    let mut urls = urls();
    for _ in 0..2 {
        let urls = urls.ready().await.unwrap();
        assert_eq!(ask(&mut *urls, Method::GET, "/a").await.2, "strict");
    }
}

#[tokio::test]
async fn the_wrapped_service_is_made_ready_before_it_is_called() {
    let app = DispatchLayer::new(urls()).layer(Strict::default());
    for (method, uri) in [
        (Method::GET, "/a"),
        (Method::GET, "/b"),
        (Method::PUT, "/a"),
    ] {
        assert_eq!(ask(app.clone(), method, uri).await.2, "strict");
    }
}

#[test]
fn the_dispatcher_the_layer_and_its_service_are_clone_send_sync_and_static() {
    fn check<T: Clone + Send + Sync + 'static>(_: &T) {}
    check(&urls());
    check(&DispatchLayer::new(urls()));
    check(&DispatchLayer::new(urls()).layer(says("inner")));
}
