//! Endpoints and the wrapped service are called only when they are ready.

use std::{
    convert::Infallible,
    future::Ready,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, layer::layer_fn, service_fn, util::MapRequestLayer};
use tower_dispatch::{Dispatch, DispatchLayer, Endpoint, View};

use crate::probe::{ask, says};

/// Panics unless this instance was made ready. A clone of it is not ready.
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
        // Ready the second time, so that a caller that takes Pending for a response is found.
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
async fn dispatch_18_an_endpoint_is_ready_before_it_is_called() {
    let mut urls = urls();
    for _ in 0..2 {
        let urls = urls.ready().await.unwrap();
        assert_eq!(ask(&mut *urls, Method::GET, "/a").await.2, "strict");
    }
}

#[tokio::test]
async fn dispatch_18_endpoints_of_every_kind_are_made_ready() {
    let nested = Dispatch::builder()
        .get("/c", Strict::default())
        .build()
        .unwrap();
    let boxed = Dispatch::builder()
        .get("/replaced", says("replaced"))
        .layer(layer_fn(|_| Strict::default()))
        .get("/layered", Strict::default())
        .mount("/mounted", Strict::default())
        .mount("/nested", nested.clone())
        .layer(MapRequestLayer::new(|request: Request<()>| request))
        .route("/any", Strict::default())
        .route(
            "/endpoint/{*all}",
            nested.map_request(|mut request: Request<()>| {
                *request.uri_mut() = "/c".parse().unwrap();
                request
            }),
        )
        .first_path_match_decides()
        .build()
        .unwrap();
    let typed = Dispatch::typed()
        .get("/typed", Strict::default())
        .build()
        .unwrap();
    let mut app =
        DispatchLayer::new(boxed).layer(DispatchLayer::new(typed).layer(Strict::default()));
    for _ in 0..2 {
        for (method, uri, text) in [
            (Method::GET, "/replaced", "strict"),
            (Method::GET, "/layered", "strict"),
            (Method::HEAD, "/layered", ""),
            (Method::GET, "/mounted/x", "strict"),
            // It cannot be decoded below the mount.
            (Method::GET, "/mounted/%zz", "strict"),
            (Method::GET, "/nested/c", "strict"),
            (Method::DELETE, "/any", "strict"),
            (Method::GET, "/endpoint/x", "strict"),
            (Method::GET, "/typed", "strict"),
            (Method::OPTIONS, "/typed", "strict"),
            (Method::GET, "/%zz", "strict"),
            (Method::PUT, "/layered", "strict"),
        ] {
            let app = app.ready().await.unwrap();
            let got = ask(&mut *app, method.clone(), uri).await;
            assert_eq!(
                (got.0.as_u16(), got.2.as_str()),
                (200, text),
                "{method} {uri}"
            );
        }
    }
}

/// A future that holds its field until it is dropped, and is ready at once.
struct Holds(#[allow(dead_code, reason = "it is only held")] Arc<()>);

impl Future for Holds {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(Response::default()))
    }
}

#[tokio::test]
async fn dispatch_18_an_endpoints_future_ends_with_its_response() {
    let held = Arc::new(());
    let holds = held.clone();
    let endpoint = move |_: Request<()>| Holds(holds.clone());
    let view = {
        let endpoint = endpoint.clone();
        View::new(()).get(move |_: Arc<()>, request| endpoint(request))
    };
    let urls = Dispatch::builder()
        .get("/endpoint", service_fn(endpoint.clone()))
        .layer(MapRequestLayer::new(|request: Request<()>| request))
        .mount("/mount", service_fn(endpoint))
        .view("/view", view)
        .build()
        .unwrap();
    // The endpoints have these.
    let idle = Arc::strong_count(&held);
    for (method, path) in [
        (Method::GET, "/endpoint"),
        (Method::HEAD, "/endpoint"),
        (Method::GET, "/mount/x"),
        (Method::GET, "/view"),
    ] {
        let request = Request::builder()
            .method(&method)
            .uri(path)
            .body(())
            .unwrap();
        let mut future = std::pin::pin!(urls.clone().call(request));
        assert_eq!(Arc::strong_count(&held), idle + 1, "{method} {path}");
        let response = future.as_mut().await.unwrap();
        // The future itself is not dropped.
        assert_eq!(Arc::strong_count(&held), idle, "{method} {path}");
        drop(response);
    }
}

#[tokio::test]
async fn dispatch_18_the_wrapped_service_is_ready_before_a_call() {
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
fn dispatch_18_all_services_are_clone_send_sync_and_static() {
    fn check<T: Clone + Send + Sync + 'static>(_: &T) {}
    check(&urls());
    check(&DispatchLayer::new(urls()));
    check(&DispatchLayer::new(urls()).layer(says("inner")));
}
