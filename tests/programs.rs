//! Programs that a newcomer writes first. They compile as they stand, and each test runs one.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

use std::{
    collections::HashSet,
    convert::Infallible,
    io,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    body::Body,
    extract::Request,
    middleware::{Next, from_fn},
    response::IntoResponse,
    routing::{get, post},
};
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tonic::transport::Server;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_body_rewrite::PrefixLayer;
use tower_cascade::{Cascade, CascadeLayer, ReplayBody};
use tower_dispatch::{Args, Dispatch};
use tower_exception::{ExceptionLayer, Incident};
use tower_hooks::HooksLayer;
use tower_http::{limit::RequestBodyLimitLayer, map_request_body::MapRequestBodyLayer};
use tower_kit::{EitherBody, Rejection, RenderLayer};
use tower_origin::{Origin, OriginLayer};

async fn text<B>(response: Response<B>) -> String
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

fn ask(path: &str) -> Request {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn on_error_in_a_spawned_task() {
    async fn down<B>(_: http::Request<B>) -> Result<Response<Full<Bytes>>, BoxError> {
        Err(io::Error::from(io::ErrorKind::ConnectionRefused).into())
    }
    async fn up<B>(_: http::Request<B>) -> Result<Response<Full<Bytes>>, BoxError> {
        Ok(Response::new("second".into()))
    }
    let app = CascadeLayer::new(service_fn(down))
        .on_error(|error: &BoxError| error.is::<io::Error>())
        .layer(service_fn(up));
    let task = tokio::spawn(async move { app.oneshot(ask("/")).await });
    assert_eq!(text(task.await.unwrap().unwrap()).await, "second");
}

#[tokio::test]
async fn from_fn_inside_of_a_cascaded_service() {
    let files = Router::new().route("/file", get(async || "file"));
    let first = ServiceBuilder::new()
        .map_request(ReplayBody::into_axum)
        .layer(from_fn(async |request: Request, next: Next| {
            next.run(request).await
        }))
        .service(files);
    let pages = Router::new().route("/page", get(async || "page"));
    let app: Router = Router::new().fallback_service(CascadeLayer::new(first).layer(pages));
    for (path, expected) in [("/file", "file"), ("/page", "page")] {
        let response = app.clone().oneshot(ask(path)).await.unwrap();
        assert_eq!(text(response).await, expected);
    }
}

#[tokio::test]
async fn builder_alone() {
    let urls = Dispatch::builder()
        .get(
            "/users/{id:int}",
            get(async |Args(id): Args<u32>| format!("user {id}")),
        )
        .get("/users/{name}", get(async |Args(name): Args<String>| name))
        .build()
        .unwrap();
    let app: Router = Router::new().fallback_service(urls);
    let response = app.oneshot(ask("/users/7")).await.unwrap();
    assert_eq!(text(response).await, "user 7");
}

/// Without the layer in the middle, the compiler's message names it.
#[tokio::test]
async fn a_body_limit_above_the_prefix_layer() {
    let layers = ServiceBuilder::new()
        .layer(RequestBodyLimitLayer::new(1024))
        .layer(MapRequestBodyLayer::new(EitherBody::inner))
        .layer(PrefixLayer::new("yikes: "));
    let app: Router = Router::new()
        .route("/", post(async |body: String| body))
        .layer(layers);
    let request = Request::post("/").body(Body::from("line")).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(text(response).await, "yikes: line");
}

#[tokio::test]
async fn a_fallible_endpoint() {
    async fn disk<B>(_: http::Request<B>) -> Result<Response<Body>, io::Error> {
        Err(io::Error::other("no disk"))
    }
    async fn page<B>(_: http::Request<B>) -> Result<Response<Body>, Infallible> {
        Ok("page".into_response())
    }
    let urls = Dispatch::fallible()
        .get("/disk", service_fn(disk))
        .get("/page", service_fn(page))
        .build()
        .unwrap();
    let layer = ExceptionLayer::production(|incident: &Incident| {
        assert_eq!(incident.error().unwrap().to_string(), "no disk");
    });
    let app: Router = Router::new().fallback_service(layer.layer(urls));
    for (path, status) in [("/disk", 500), ("/page", 200)] {
        let response = app.clone().oneshot(ask(path)).await.unwrap();
        assert_eq!(response.status(), status);
    }
}

#[tokio::test]
async fn a_function_that_takes_any_cascade_layer() {
    fn in_front<A>(pages: Router, first: CascadeLayer<A>) -> Router
    where
        A: Clone + Send + Sync + 'static,
        Cascade<A, Router>:
            Service<Request, Response: IntoResponse, Error = Infallible, Future: Send>,
    {
        Router::new().fallback_service(first.layer(pages))
    }
    let pages = Router::new().route("/", get(async || "page"));
    let files = Router::new().route("/file", get(async || "file"));
    let first = CascadeLayer::new(files)
        .statuses([StatusCode::NOT_FOUND, StatusCode::GONE])
        .unwrap()
        .trace();
    let app = in_front(pages, first);
    assert_eq!(text(app.oneshot(ask("/")).await.unwrap()).await, "page");
}

#[tokio::test]
async fn a_rendered_rejection() {
    let render = RenderLayer::new(|rejection: &Rejection| {
        let problem = json!({ "sorry": rejection.status().as_u16() });
        Some((rejection.status(), Json(problem)).into_response())
    });
    let layers = ServiceBuilder::new()
        .layer(render)
        .layer(OriginLayer::new().hosts(["example.org"]).unwrap());
    let app: Router = Router::new().route("/", get(async || "page")).layer(layers);
    let request = Request::get("http://elsewhere/").body(Body::empty());
    let response = app.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(text(response).await, r#"{"sorry":400}"#);
}

/// tonic's server leaves the address in an extension of its own.
#[tokio::test]
async fn origin_under_tonic() {
    async fn client(request: http::Request<tonic::body::Body>) -> Response<tonic::body::Body> {
        let origin: &Origin = request.extensions().get().unwrap();
        let client = origin.client().unwrap();
        let mut response = tonic::Status::ok("").into_http();
        response
            .headers_mut()
            .insert("client", client.to_string().parse().unwrap());
        response
    }
    let routes = Router::new().fallback(async |request: Request| {
        let request = request.map(tonic::body::Body::new);
        client(request).await.map(Body::new)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder()
        .layer(OriginLayer::new())
        .add_routes(routes.into())
        .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener));
    let server = tokio::spawn(server);
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .http2_only(true)
        .build_http::<Full<Bytes>>();
    let request = http::Request::post(format!("http://{address}/package.Service/Method"))
        .header("content-type", "application/grpc")
        .body(Full::default());
    let response = client.request(request.unwrap()).await.unwrap();
    assert_eq!(response.headers()["client"], "127.0.0.1");
    server.abort();
}

#[tokio::test]
async fn a_hook_that_captures() {
    let keys = HashSet::from(["Bearer 7"]);
    let hooks = HooksLayer::new().before(move |request: &mut http::request::Parts| {
        let key = request.headers.get("authorization");
        match key.is_some_and(|key| key.to_str().is_ok_and(|key| keys.contains(key))) {
            true => ControlFlow::Continue(()),
            false => {
                let mut response = Response::new("Who are you?".into());
                *response.status_mut() = StatusCode::UNAUTHORIZED;
                ControlFlow::Break(response)
            }
        }
    });
    let app: Router = Router::new().route("/", get(async || "page")).layer(hooks);
    for (key, status) in [("Bearer 7", 200), ("Bearer 8", 401)] {
        let mut request = ask("/");
        request
            .headers_mut()
            .insert("authorization", key.parse().unwrap());
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
    }
}

#[tokio::test]
async fn twenty_five_hooks() {
    let count = Arc::new(AtomicUsize::new(0));
    let mut hooks = HooksLayer::new();
    for _ in 0..25 {
        let count = count.clone();
        hooks = hooks.after(async move |_: &mut http::response::Parts| {
            count.fetch_add(1, Ordering::Relaxed);
        });
    }
    let app: Router = Router::new().route("/", get(async || "page")).layer(hooks);
    assert_eq!(text(app.oneshot(ask("/")).await.unwrap()).await, "page");
    assert_eq!(count.load(Ordering::Relaxed), 25);
}
