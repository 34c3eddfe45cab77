//! The layer around services that fail.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod allocations;
mod contract;
mod formats;
mod heads;
mod neighbours;
mod pages;
mod rejections;
mod waiting;

use std::convert::Infallible;

use axum::{Router, body::Body, extract::Request, response::Response};
use http_body_util::BodyExt;
use tower::{Service, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_error_document::ErrorDocumentLayer;
use tower_lint::LintLayer;

type App = BoxCloneSyncService<Request, Response, Infallible>;

/// Wraps a function in the layer, with tower-lint on both sides.
fn app<F>(layer: ErrorDocumentLayer, respond: F) -> App
where
    F: Fn(Request) -> http::response::Response<Body> + Clone + Send + Sync + 'static,
{
    let inner = service_fn(move |request| {
        let response = respond(request);
        async move { Ok::<_, Infallible>(response) }
    });
    around(layer, inner)
}

fn around<S>(layer: ErrorDocumentLayer, inner: S) -> App
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let service = tower::ServiceBuilder::new()
        .layer(LintLayer::new().in_axum())
        .layer(layer)
        .service(inner);
    BoxCloneSyncService::new(
        service.map_response(|response: http::Response<_>| response.map(Body::new)),
    )
}

/// Wraps a router.
fn routed(layer: ErrorDocumentLayer, router: Router) -> App {
    around(layer, router)
}

/// Returns the response in one line: status, headers that are no dates, body.
async fn ask(app: &App, request: http::request::Builder) -> String {
    send(app, request.body(Body::empty()).unwrap()).await
}

async fn send(app: &App, request: Request) -> String {
    let Ok(response) = app.clone().oneshot(request).await;
    let (head, body) = response.into_parts();
    let mut line = head.status.as_str().to_owned();
    let mut headers: Vec<_> = head
        .headers
        .iter()
        .filter(|(name, _)| {
            ![
                "x-content-type-options",
                "vary",
                "cache-control",
                "content-length",
            ]
            .contains(&name.as_str())
        })
        .map(|(name, value)| format!(" {name}={}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    headers.sort();
    line.extend(headers);
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body).trim().replace('\n', " ");
    format!("{line} | {text}")
}

fn failing(status: u16) -> http::response::Builder {
    http::Response::builder().status(status)
}
