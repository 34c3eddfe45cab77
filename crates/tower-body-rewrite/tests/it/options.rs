//! The options of the layers, and the cost of responses that pass unchanged.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_body_rewrite::{
    MediaTypeErrorKind, Prefix, PrefixLayer, Replace, ReplaceErrorKind, RewriteLayer,
};

/// Responds with the accepted encoding, as `text/plain` or, at `/html`, as `text/html`.
async fn echo(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let accepted = request.headers().get("accept-encoding");
    let accepted = accepted.map_or("nothing", |accepted| accepted.to_str().unwrap());
    let content_type = match request.uri().path() {
        "/html" => "text/html",
        _ => "text/plain",
    };
    let response = Response::builder().header("content-type", content_type);
    Ok(response.body(accepted.to_owned().into()).unwrap())
}

fn request(uri: &str) -> Request<()> {
    let request = Request::get(uri).header("accept-encoding", "gzip");
    request.body(()).unwrap()
}

async fn body(layer: &PrefixLayer, uri: &str) -> Bytes {
    let response = layer
        .layer(service_fn(echo))
        .oneshot(request(uri))
        .await
        .unwrap();
    response.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn body_rewrite_1_a_prefix_of_each_request() {
    let layer = PrefixLayer::from_fn(|request| format!("{}: ", request.uri.path()));
    assert_eq!(body(&layer, "/a").await, "/a: gzip");
    assert_eq!(body(&layer, "/b").await, "/b: gzip");
    assert_eq!(body(&layer, "/html").await, "gzip");
}

#[test]
fn body_rewrite_14_request_data_goes_into_plain_text_only() {
    let layer = PrefixLayer::from_fn(|request| request.uri.to_string());
    assert!(layer.clone().types(["TEXT/plain"]).is_ok());
    let error = layer
        .clone()
        .types(["text/plain", "Text/HTML"])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected \"text/plain\", because a prefix made of request data is not escaped for another type, found \"text/html\""
    );
    assert!(layer.types(["text"]).is_err());
}

#[tokio::test]
async fn body_rewrite_16_conditions_and_identity() {
    let layer = PrefixLayer::new("> ")
        .only(|request| request.uri.path() != "/a")
        .only(|request| request.uri.path() != "/b")
        .identity();
    assert_eq!(body(&layer, "/a").await, "gzip");
    assert_eq!(body(&layer, "/b").await, "gzip");
    assert_eq!(body(&layer, "/c").await, "> identity");
}

#[tokio::test]
async fn body_rewrite_16_an_option_does_not_change_a_clone() {
    let plain = PrefixLayer::new("> ");
    let html = plain.clone().types(["text/html"]).unwrap();
    assert_eq!(body(&plain, "/").await, "> gzip");
    assert_eq!(body(&html, "/").await, "gzip");
    assert_eq!(body(&html, "/html").await, "> gzip");
}

#[test]
fn a_response_that_passes_costs_no_allocation() {
    fn respond(_: Request<()>) -> std::future::Ready<Result<Response<Full<Bytes>>, Infallible>> {
        let mut response = Response::new(Full::from("<p>"));
        let html = http::HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert("content-type", html);
        std::future::ready(Ok(response))
    }
    fn allocations<S, B>(mut service: S) -> u64
    where
        S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
        B: http_body::Body<Data = Bytes, Error = Infallible> + Unpin,
    {
        let mut request = Some(request("/"));
        allocation_counter::measure(|| {
            let response = service.call(request.take().unwrap()).now_or_never();
            let mut body = response.unwrap().unwrap().into_body();
            while let Some(frame) = body.frame().now_or_never().unwrap() {
                frame.unwrap();
            }
        })
        .count_total
    }

    let bare = allocations(service_fn(respond));
    let layer = RewriteLayer::new(|_| Some(Prefix::new("> ")));
    assert_eq!(allocations(layer.layer(service_fn(respond))), bare);
    let layer = layer.types(["text/html"]).unwrap().only(|_| false);
    assert_eq!(allocations(layer.layer(service_fn(respond))), bare);
}

#[test]
fn body_rewrite_14_errors_have_kinds() {
    let of = |pairs: &[(&str, &str)]| Replace::new(pairs.to_vec()).unwrap_err().kind();
    assert_eq!(of(&[]), ReplaceErrorKind::NoPairs);
    assert_eq!(of(&[("a", "b"), ("", "c")]), ReplaceErrorKind::Empty);
    let fixed = PrefixLayer::new("> ").types(["text"]).unwrap_err();
    assert_eq!(fixed.kind(), MediaTypeErrorKind::NotAMediaType);
    let own = PrefixLayer::from_fn(|request| request.uri.to_string());
    let own = own.types(["text/html"]).unwrap_err();
    assert_eq!(own.kind(), MediaTypeErrorKind::NotForRequestData);
}
