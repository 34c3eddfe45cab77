//! tower-http's layers that respond themselves with an empty body of the inner type, directly
//! around each layer. They need `Default`.

use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use http::{Method, Request, Response, StatusCode};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_body_rewrite::PrefixLayer;
use tower_cascade::CascadeLayer;
use tower_dispatch::{Dispatch, DispatchLayer};
use tower_environ::{EnvironLayer, Key, MountLayer};
use tower_exception::ExceptionLayer;
use tower_hooks::{Hook, HooksLayer};
use tower_http::{cors::CorsLayer, timeout::TimeoutLayer};
use tower_lint::LintLayer;
use tower_origin::OriginLayer;

const NAME: Key<&str> = Key::new("test.name");

struct Nothing;

impl Hook for Nothing {
    type State = ();
}

async fn app<B>(_: Request<B>) -> Result<Response<Body>, Infallible> {
    Ok(Response::default())
}

/// A preflight, to which CORS responds itself.
async fn is_answered<S, B>(service: S)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body + Default,
{
    let service = CorsLayer::permissive().layer(service);
    let status = StatusCode::GATEWAY_TIMEOUT;
    let timeout = TimeoutLayer::with_status_code(status, Duration::from_secs(9));
    let request = Request::builder()
        .method(Method::OPTIONS)
        .header("origin", "https://example.org")
        .header("access-control-request-method", "GET");
    let request = request.body(Body::default()).unwrap();
    let Ok(response) = timeout.layer(service).oneshot(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(
        response
            .headers()
            .contains_key("access-control-allow-origin")
    );
    assert!(response.body().is_end_stream());
    assert_eq!(response.body().size_hint().exact(), Some(0));
}

#[tokio::test]
async fn cors_and_timeouts_go_around_every_layer() {
    let urls = Dispatch::builder()
        .get("/x", service_fn(app))
        .layer(CorsLayer::permissive())
        .build()
        .unwrap();
    is_answered(ExceptionLayer::production(|_| {}).layer(service_fn(app))).await;
    is_answered(HooksLayer::new().hook(Nothing).layer(service_fn(app))).await;
    is_answered(EnvironLayer::new(NAME, "x").layer(service_fn(app))).await;
    is_answered(MountLayer::new("/x").unwrap().layer(service_fn(app))).await;
    is_answered(OriginLayer::new().layer(service_fn(app))).await;
    is_answered(PrefixLayer::new("> ").layer(service_fn(app))).await;
    is_answered(CascadeLayer::new(service_fn(app)).layer(service_fn(app))).await;
    is_answered(DispatchLayer::new(urls).layer(service_fn(app))).await;
    is_answered(LintLayer::new().layer(service_fn(app))).await;
}
