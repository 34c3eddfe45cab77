//! Rejections that a function renders.

use std::{convert::Infallible, future::ready};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_kit::{EitherBody, Rejection, RenderLayer, status_of};

type Answer = Response<EitherBody<http_body_util::Either<Full<Bytes>, Full<Bytes>>>>;

async fn rendered(
    request: Request<()>,
    inner: impl Fn(&Request<()>) -> Response<Full<Bytes>> + Clone,
    render: impl Fn(&Rejection) -> Option<Response<Full<Bytes>>> + Clone,
) -> Answer {
    let inner = service_fn(move |request| ready(Ok::<_, Infallible>(inner(&request))));
    let service = RenderLayer::new(render).layer(inner);
    service.oneshot(request).await.unwrap()
}

fn teapot() -> std::io::Error {
    std::io::Error::other("short and stout")
}

fn rejected(request: &Request<()>) -> Response<Full<Bytes>> {
    let rejection = Rejection::new(StatusCode::IM_A_TEAPOT, teapot());
    let mut response = rejection.response_for(request);
    let headers = response.headers_mut();
    headers.insert("x-request-id", HeaderValue::from_static("7"));
    headers.insert("etag", HeaderValue::from_static("\"1\""));
    response
}

/// Adds a header of its own, and shows the reason.
fn shouted(rejection: &Rejection) -> Option<Response<Full<Bytes>>> {
    let reason = rejection.reason::<std::io::Error>()?;
    let text = reason.to_string().to_uppercase();
    let response = Response::builder()
        .status(StatusCode::GONE)
        .header(header::CONTENT_TYPE, "text/shout")
        .header(header::CACHE_CONTROL, "max-age=1");
    response.body(text.into()).ok()
}

#[tokio::test]
async fn kit_13_a_rendered_response_replaces_the_rejections() {
    let response = rendered(Request::new(()), rejected, shouted).await;
    assert_eq!(response.status(), StatusCode::GONE);
    let headers = response.headers();
    assert_eq!(headers["content-type"], "text/shout");
    assert_eq!(headers["cache-control"], "max-age=1");
    assert_eq!(headers["x-request-id"], "7");
    assert!(!headers.contains_key("etag"));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "SHORT AND STOUT");
}

#[tokio::test]
async fn kit_13_other_responses_pass_and_so_does_none() {
    let plain = |_: &Request<()>| Response::new(Full::from("page"));
    let response = rendered(Request::new(()), plain, shouted).await;
    assert_eq!(response.status(), StatusCode::OK);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "page");
    let response = rendered(Request::new(()), rejected, |_| None).await;
    assert_eq!(status_of(&response), StatusCode::IM_A_TEAPOT);
    assert_eq!(response.headers()["etag"], "\"1\"");
}

#[tokio::test]
async fn kit_13_a_head_has_the_length_and_no_body() {
    let mut request = Request::new(());
    *request.method_mut() = Method::HEAD;
    let response = rendered(request, rejected, shouted).await;
    assert_eq!(response.status(), StatusCode::GONE);
    assert_eq!(response.headers()[header::CONTENT_LENGTH], "15");
    assert!(response.body().is_end_stream());
}

/// Makes a response as axum's `IntoResponse`, which does not know the request.
#[tokio::test]
async fn kit_13_a_head_is_known_by_its_request() {
    let unknowing = |_: &Request<()>| rejected(&Request::new(()));
    let mut request = Request::new(());
    *request.method_mut() = Method::HEAD;
    let response = rendered(request, unknowing, shouted).await;
    assert_eq!(response.headers()[header::CONTENT_LENGTH], "15");
    assert!(response.body().is_end_stream());
}

#[tokio::test]
async fn kit_13_details_of_grpc_are_replaced_with_the_status() {
    let detailed = |request: &Request<()>| {
        let mut response = rejected(request);
        let details = HeaderValue::from_static("AQ==");
        let headers = response.headers_mut();
        headers.insert("grpc-status-details-bin", details);
        response
    };
    let without = |_: &Rejection| {
        let response = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "9");
        response.body(Full::default()).ok()
    };
    let response = rendered(grpc("application/grpc"), detailed, without).await;
    assert_eq!(response.headers()["grpc-status"], "9");
    assert!(!response.headers().contains_key("grpc-status-details-bin"));
}

fn grpc(content_type: &str) -> Request<()> {
    let request = Request::post("/").header("content-type", content_type);
    request.body(()).unwrap()
}

/// Makes a response without a message, as tonic does.
fn by_status(_: &Rejection) -> Option<Response<Full<Bytes>>> {
    let response = Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", "9")
        .header("grpc-status-details-bin", "AA==")
        .header("x-own", "1");
    response.body(Full::default()).ok()
}

#[tokio::test]
async fn kit_13_a_client_of_grpc_gets_grpc_or_what_there_was() {
    let response = rendered(grpc("application/grpc"), rejected, shouted).await;
    assert_eq!(response.headers()["content-type"], "application/grpc");
    assert_eq!(response.headers()["grpc-status"], "3");
    let response = rendered(grpc("application/grpc"), rejected, by_status).await;
    let codes: Vec<_> = response.headers().get_all("grpc-status").iter().collect();
    assert_eq!(codes, ["9"]);
    assert!(!response.headers().contains_key("grpc-message"));
    assert_eq!(status_of(&response), StatusCode::IM_A_TEAPOT);
}

#[tokio::test]
async fn kit_13_for_grpc_web_the_status_is_in_a_last_message() {
    const BLOCK: &[u8] = b"grpc-status:9\r\ngrpc-status-details-bin:AA==\r\n";
    let message = [&[0x80, 0, 0, 0, BLOCK.len() as u8], BLOCK].concat();
    let text = BASE64_STANDARD.encode(&message).into_bytes();
    for (content_type, expected) in [
        ("application/grpc-web+proto", message),
        ("application/grpc-web-text", text),
    ] {
        let response = rendered(grpc(content_type), rejected, by_status).await;
        assert_eq!(response.headers()["content-type"], content_type);
        assert_eq!(response.headers()["x-own"], "1");
        assert!(!response.headers().contains_key("grpc-status"));
        assert_eq!(status_of(&response), StatusCode::IM_A_TEAPOT);
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), expected);
    }
}

#[tokio::test]
async fn kit_13_another_protocol_of_grpc_does_not_replace_it() {
    for (requested, rendered_as, has_status) in [
        ("application/grpc", "application/grpc-web", true),
        ("application/grpc-web", "application/grpc-web-text", true),
        // A status would be in the trailers.
        ("application/grpc-web", "application/grpc", false),
    ] {
        let other = move |_: &Rejection| {
            let mut response = Response::builder().header("content-type", rendered_as);
            if has_status {
                response = response.header("grpc-status", "9");
            }
            response.body(Full::default()).ok()
        };
        let response = rendered(grpc(requested), rejected, other).await;
        assert_eq!(response.headers()["content-type"], requested);
        assert_ne!(
            response.headers().get("grpc-status"),
            Some(&"9".parse().unwrap())
        );
    }
}
