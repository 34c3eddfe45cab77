//! Pages that are waited for.

use std::{
    convert::Infallible,
    future::{Ready, pending},
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use tokio::time::{sleep, timeout};
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt, limit::ConcurrencyLimitLayer, service_fn,
    timeout::TimeoutLayer,
};
use tower_error_document::{Document, ErrorDocumentLayer};
use tower_exception::ExceptionLayer;

use super::{app, ask, failing};

type Asked = Request<Empty<Bytes>>;

fn around(document: Document) -> super::App {
    let layer = ErrorDocumentLayer::new().all_errors(document);
    app(layer, |_| {
        failing(404).body(Body::from("not here")).unwrap()
    })
}

/// A service that is never ready.
#[derive(Clone)]
struct Broken;

impl Service<Asked> for Broken {
    type Response = Response<String>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Response, io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::Error::other("the pages are closed")))
    }

    fn call(&mut self, _: Asked) -> Self::Future {
        unreachable!("it is not ready")
    }
}

/// A page whose future keeps this value.
fn endless(held: &Arc<()>) -> Document {
    let held = held.clone();
    let service = service_fn(move |_: Asked| {
        let held = held.clone();
        async move {
            let _held = held;
            pending::<Result<Response<String>, Infallible>>().await
        }
    });
    Document::service(service, "/x").unwrap()
}

#[tokio::test(start_paused = true)]
async fn error_document_6_a_page_may_wait_for_the_failed_call() {
    // Both calls need the same permit.
    let site = service_fn(async |request: Asked| {
        let status = match request.uri().path() {
            "/sorry" => 200,
            _ => 404,
        };
        Ok::<_, Infallible>(failing(status).body("text".to_owned()).unwrap())
    });
    let site = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(1))
        .service(site);
    let document = Document::service(site.clone(), "/sorry").unwrap();
    let layer = ErrorDocumentLayer::new().all_errors(document);
    let response = layer.layer(site).oneshot(Request::new(Empty::new()));
    let response = timeout(Duration::from_secs(9), response).await;
    assert_eq!(response.unwrap().unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn error_document_6_a_page_is_dropped_with_its_request() {
    let held = Arc::new(());
    let app = around(endless(&held));
    let request = Request::new(Body::empty());
    let waited = timeout(Duration::from_secs(9), app.oneshot(request)).await;
    assert!(waited.is_err());
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test(start_paused = true)]
async fn error_document_7_a_timeout_ends_a_slow_page() {
    let slow = service_fn(async |_: Asked| {
        sleep(Duration::from_secs(60)).await;
        Ok::<_, Infallible>(Response::new("late".to_owned()))
    });
    let slow = TimeoutLayer::new(Duration::from_secs(1)).layer(slow);
    let app = around(Document::service(slow, "/x").unwrap());
    let found = ask(&app, Request::get("/")).await;
    assert!(found.ends_with("| 404 Not Found"), "{found}");
}

#[tokio::test]
async fn error_document_7_a_body_that_fails_is_no_page() {
    let pages = service_fn(async |_: Asked| {
        let frames = [Ok("<p>half of"), Err(io::Error::other("the disk is gone"))];
        let body = Body::from_stream(stream::iter(frames));
        Ok::<_, Infallible>(Response::new(body))
    });
    let app = around(Document::service(pages, "/x").unwrap());
    let found = ask(&app, Request::get("/")).await;
    assert!(found.ends_with("| 404 Not Found"), "{found}");
}

#[tokio::test]
async fn error_document_7_a_service_that_is_never_ready_has_no_page() {
    let app = around(Document::service(Broken, "/x").unwrap());
    let found = ask(&app, Request::get("/")).await;
    assert!(found.ends_with("| 404 Not Found"), "{found}");
}

#[tokio::test]
async fn error_document_7_a_panic_of_a_page_is_caught_outside() {
    let pages = service_fn(async |_: Asked| -> Result<Response<String>, Infallible> {
        panic!("the page is broken")
    });
    let document = Document::service(pages, "/x").unwrap();
    let inner = service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(failing(404).body(Body::empty()).unwrap())
    });
    let layers = ServiceBuilder::new()
        .layer(ExceptionLayer::production(|_| {}))
        .layer(ErrorDocumentLayer::new().all_errors(document))
        .service(inner);
    let response = layers.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}
