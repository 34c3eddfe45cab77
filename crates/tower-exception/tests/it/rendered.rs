//! Rendered error responses, by `RenderLayer` around the layer.

use std::convert::Infallible;

use axum::{Json, Router, body::Body, response::IntoResponse, routing::get};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_exception::{ExceptionLayer, Incident};
use tower_kit::{Rejection, RenderLayer};

#[tokio::test]
async fn exception_8_in_axum_an_incident_is_rendered() {
    let render = RenderLayer::new(|rejection: &Rejection| {
        let incident: &Incident = rejection.reason()?;
        let error = json!({ "ticket": incident.id() });
        Some((incident.status(), Json(error)).into_response())
    });
    let layers = ServiceBuilder::new()
        .layer(render)
        .layer(ExceptionLayer::production(|_| {}));
    let panics = get(async || -> String { panic!("one that is meant") });
    let app: Router = Router::new().route("/", panics).layer(layers);
    for method in [Method::GET, Method::HEAD] {
        let request = Request::builder().method(method.clone()).uri("/");
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap());
        let response = response.await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["content-type"], "application/json");
        let id = response.headers()["x-incident-id"].to_str().unwrap();
        let expected = json!({ "ticket": id });
        let body = response.into_body().collect().await.unwrap().to_bytes();
        match method {
            Method::HEAD => assert_eq!(body, ""),
            _ => assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected),
        }
    }
}

async fn panics(_: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    panic!("one that is meant")
}

fn grpc() -> Request<()> {
    let request = Request::post("/a/b").header("content-type", "application/grpc");
    request.body(()).unwrap()
}

#[tokio::test]
async fn exception_8_without_axum_a_rendered_body_is_of_any_type() {
    let render = RenderLayer::new(|rejection: &Rejection| {
        let incident: &Incident = rejection.reason()?;
        let response = Response::builder().status(incident.status());
        let body = Full::<Bytes>::from(incident.panic_message()?.to_owned());
        response.body(body).ok()
    });
    let app = render.layer(ExceptionLayer::production(|_| {}).layer(service_fn(panics)));
    let response = app.clone().oneshot(Request::new(())).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "one that is meant");
    // The response is not gRPC, so its clients get the default.
    let response = app.oneshot(grpc()).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "13");
}

#[tokio::test]
async fn exception_8_a_grpc_client_gets_a_rendered_status() {
    let render = RenderLayer::new(|rejection: &Rejection| {
        let incident: &Incident = rejection.reason()?;
        let response = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "14")
            .header("grpc-message", incident.id());
        response.body(Full::<Bytes>::default()).ok()
    });
    let app = render.layer(ExceptionLayer::production(|_| {}).layer(service_fn(panics)));
    let response = app.oneshot(grpc()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["grpc-status"], "14");
    let rejection = Rejection::of(&response).unwrap();
    assert_eq!(response.headers()["grpc-message"], rejection.id().unwrap());
}
