//! Hooks that respond with what a handler of axum may return.

use std::{convert::Infallible, io, ops::ControlFlow};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, Response, StatusCode, request},
    routing::post,
};
use futures_util::stream;
use tower::ServiceExt;
use tower_hooks::{HooksLayer, respond};
use tower_kit::{Rejection, status_of};

/// Returns the response, with its body read.
async fn ask(hooks: HooksLayer, content_type: &str) -> (StatusCode, HeaderMap, String) {
    let app = Router::new()
        .route("/", post(async || "inner"))
        .layer(hooks);
    let request = Request::post("/").header("content-type", content_type);
    let request = request.body(Body::empty()).unwrap();
    let response: Result<Response<Body>, Infallible> = app.oneshot(request).await;
    let response = response.unwrap();
    let status = status_of(&response);
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (
        head.status,
        head.headers,
        format!("{} {}", status.as_u16(), str::from_utf8(&body).unwrap()),
    )
}

#[tokio::test]
async fn hooks_10_a_hook_responds_as_a_handler_of_axum_does() {
    let hooks = HooksLayer::new().before(async |request: &mut request::Parts| {
        if request.uri.path() != "/" {
            return ControlFlow::Continue(());
        }
        respond((StatusCode::UNAUTHORIZED, [("x-key", "none")], Json("no"))).await
    });
    let (status, headers, body) = ask(hooks, "text/plain").await;
    assert_eq!((status.as_u16(), &*body), (401, "401 \"no\""));
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["x-key"], "none");

    let hooks = HooksLayer::new().before(async |_: &mut request::Parts| {
        let chunks = stream::iter(["a", "b"].map(Ok::<_, Infallible>));
        respond(Body::from_stream(chunks)).await
    });
    assert_eq!(ask(hooks, "text/plain").await.2, "200 ab");
}

#[tokio::test]
async fn hooks_11_a_rejection_in_axum_is_rendered_for_its_client() {
    let hooks = HooksLayer::new().before(async |_: &mut request::Parts| {
        let error = io::Error::other("banned");
        respond(Rejection::new(StatusCode::FORBIDDEN, error).with_detail("go away")).await
    });
    let (status, _, body) = ask(hooks.clone(), "text/plain").await;
    assert_eq!((status.as_u16(), &*body), (403, "403 go away\n"));
    let (status, headers, body) = ask(hooks, "application/grpc").await;
    assert_eq!((status.as_u16(), &*body), (200, "403 "));
    assert_eq!(headers["grpc-status"], "7");
    assert_eq!(headers["grpc-message"], "go away");
}

#[tokio::test]
async fn hooks_10_a_body_of_axum_that_fails_is_a_500() {
    let hooks = HooksLayer::new().before(async |_: &mut request::Parts| {
        let chunks = stream::iter([Ok("some"), Err(io::Error::other("broken"))]);
        respond(Body::from_stream(chunks)).await
    });
    assert_eq!(ask(hooks, "text/plain").await.2, "500 ");
}
