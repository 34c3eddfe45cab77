use std::{collections::HashMap, convert::Infallible};

use axum::{Router, body::Body, extract::Path, routing::get};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde::{Deserialize, de::DeserializeOwned};
use tower::{Service, ServiceExt};
use tower_dispatch::{Args, Dispatch, ParseArgsError, UrlArgs};
use tower_kit::Rejection;

async fn ask<S, B>(app: S, uri: &str) -> (StatusCode, Option<String>, String)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let request = Request::get(uri).body(Body::empty()).unwrap();
    let (parts, body) = app.oneshot(request).await.unwrap().into_parts();
    let text = body.collect().await.unwrap().to_bytes();
    let reason = Rejection::of_head(&parts).and_then(Rejection::reason);
    (
        parts.status,
        reason.map(ParseArgsError::to_string),
        String::from_utf8(text.into()).unwrap(),
    )
}

#[tokio::test]
async fn dispatch_16_handlers_take_path_parameters() {
    let add = async |Args((a, b)): Args<(u8, u8)>| format!("{}", u16::from(a) + u16::from(b));
    let all = async |args: UrlArgs| format!("{args:?}");
    let urls = Dispatch::builder()
        .route("/add/{a:int}/{b:int}", get(add))
        .route("/all/{x}[/{y}]", get(all))
        .name("all")
        .build()
        .unwrap();
    let ok = |text: &str| (StatusCode::OK, None, text.to_owned());
    assert_eq!(ask(urls.clone(), "/add/255/2").await, ok("257"));
    let shown = r#"UrlArgs { pattern: "/all/{x}[/{y}]", route: Some("all"), args: [(Some("x"), Some("1")), (Some("y"), None)] }"#;
    assert_eq!(ask(urls.clone(), "/all/1").await, ok(shown));
    let why = "path parameter `b`: cannot parse u8 (found \"256\")";
    let not_valid = "a value in the path is not valid\n".to_owned();
    let expected = (StatusCode::BAD_REQUEST, Some(why.to_owned()), not_valid);
    assert_eq!(ask(urls.clone(), "/add/1/256").await, expected);

    // As a router's fallback, and nested in one.
    let fallback = Router::new().fallback_service(urls.clone());
    assert_eq!(ask(fallback, "/add/1/2").await, ok("3"));
    let nested = Router::new().nest_service("/below", urls);
    assert_eq!(ask(nested, "/below/add/1/2").await, ok("3"));
}

#[derive(Debug, Deserialize)]
struct Page {
    #[allow(dead_code, reason = "it is only parsed")]
    id: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    #[allow(dead_code, reason = "it is only parsed")]
    id: u32,
}

/// Returns the status of a route whose handler takes this type, and the reason.
async fn status_of<T>(pattern: &str, path: &str) -> (u16, String)
where
    T: DeserializeOwned + Send + 'static,
{
    let handler = get(async |Args(_): Args<T>| "taken");
    let urls = Dispatch::builder().route(pattern, handler).build().unwrap();
    let (status, reason, text) = ask(urls, path).await;
    let expected = match status.as_u16() {
        200 => "taken",
        400 => "a value in the path is not valid\n",
        _ => "500 Internal Server Error\n",
    };
    assert_eq!(text, expected);
    (status.as_u16(), reason.unwrap_or_default())
}

#[tokio::test]
async fn dispatch_4_a_bad_value_is_400() {
    let table = [
        (
            status_of::<u8>("/{x}", "/256").await,
            "path parameter `x`: cannot parse u8 (found \"256\")",
        ),
        (
            status_of::<(char, bool)>("/{x}/{y}", "/ab/true").await,
            "path parameter `x`: cannot parse char (found \"ab\")",
        ),
        (
            status_of::<std::net::Ipv4Addr>("/{x}", "/::1").await,
            "path parameter `x`: invalid IPv4 address syntax (found \"::1\")",
        ),
        (
            status_of::<u32>("/a[/{x}]", "/a").await,
            "path parameter `x`: it is absent",
        ),
        (
            status_of::<Page>("/a[/{id}]", "/a").await,
            "missing field `id`",
        ),
        (
            status_of::<Page>("/{id}", "/x").await,
            "path parameter `id`: cannot parse u32 (found \"x\")",
        ),
        (
            status_of::<Vec<u8>>("/{x}/{y}", "/1/y").await,
            "path parameter `y`: cannot parse u8 (found \"y\")",
        ),
    ];
    for (got, reason) in table {
        assert_eq!(got, (400, reason.to_owned()));
    }
}

#[tokio::test]
async fn dispatch_4_a_type_that_no_path_fits_is_500() {
    let table = [
        (
            status_of::<u8>("/{x}/{y}", "/1/2").await,
            "the pattern \"/{x}/{y}\" has 2 path parameters, and not 1",
        ),
        (
            status_of::<(u8, u8)>("/{x}", "/1").await,
            "the pattern \"/{x}\" has 1 path parameters, and not 2",
        ),
        (
            status_of::<[u8; 3]>("/{x}", "/1").await,
            "the pattern \"/{x}\" has 1 path parameters, and not 3",
        ),
        (
            status_of::<()>("/{x}", "/1").await,
            "the pattern \"/{x}\" has 1 path parameters, and not 0",
        ),
        (
            status_of::<Option<(u8, u8)>>("/{x}/{y}", "/1/2").await,
            "the pattern \"/{x}/{y}\" has 2 path parameters, and not 1",
        ),
        (
            status_of::<Page>("/{other}", "/1").await,
            "missing field `id`",
        ),
        (
            status_of::<Strict>("/{id}/{x}", "/1/2").await,
            "unknown field `x`, there are [\"id\"]",
        ),
        (
            status_of::<((u8,),)>("/{x}", "/1").await,
            "path parameter `x`: one path parameter cannot be a tuple (found \"1\")",
        ),
        (
            status_of::<(Vec<u8>,)>("/{x}", "/1").await,
            "path parameter `x`: one path parameter cannot be a list (found \"1\")",
        ),
        (
            status_of::<(Page,)>("/{x}", "/1").await,
            "path parameter `x`: one path parameter cannot be a struct (found \"1\")",
        ),
        (
            status_of::<(HashMap<String, String>,)>("/{x}", "/1").await,
            "path parameter `x`: one path parameter cannot be a map (found \"1\")",
        ),
        (
            status_of::<HashMap<u8, String>>("/{x}", "/1").await,
            "invalid type: string \"x\", expected u8",
        ),
    ];
    for (got, reason) in table {
        assert_eq!(got, (500, reason.to_owned()));
    }
    let wide = status_of::<(u128, i128)>("/{x}/{y}", "/340282366920938463463374607431768211455/-1");
    assert_eq!(wide.await, (200, String::new()));
}

#[tokio::test]
async fn dispatch_16_a_request_without_a_dispatcher_is_500() {
    let why = "the request has no path parameters: it did not come through a dispatcher";
    let text = "500 Internal Server Error\n".to_owned();
    let expected = (
        StatusCode::INTERNAL_SERVER_ERROR,
        Some(why.to_owned()),
        text,
    );
    let router = Router::new()
        .route("/args", get(async |Args(()): Args<()>| ""))
        .route("/all", get(async |_: UrlArgs| ""));
    assert_eq!(ask(router.clone(), "/args").await, expected);
    assert_eq!(ask(router, "/all").await, expected);
}

#[tokio::test]
async fn dispatch_4_an_extractors_rejection_has_the_clients_format() {
    let handler = get(async |Args(_): Args<u8>| "taken");
    let urls = Dispatch::builder().route("/{x}", handler).build().unwrap();
    for app in [
        Router::new().fallback_service(urls),
        Router::new().route("/{x}", get(async |_: UrlArgs| "taken")),
    ] {
        let request = Request::get("/256").header("accept", "application/json");
        let response = app.oneshot(request.body(Body::empty()).unwrap()).await;
        let headers = response.unwrap().into_parts().0.headers;
        assert_eq!(headers["content-type"], "application/json");
    }
}

/// The README and the docs of `Args` have this text, so that a search finds it.
#[tokio::test]
async fn dispatch_16_axums_path_in_an_endpoint_is_500() {
    let text = "No paths parameters found for matched route";
    let handler = get(async |Path(_): Path<u8>| "taken");
    let urls = Dispatch::builder().get("/{x}", handler).build().unwrap();
    let (status, _, body) = ask(urls, "/1").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.starts_with(text), "{body}");
    let readme = include_str!("../../README.md").split_whitespace();
    assert!(readme.collect::<Vec<_>>().join(" ").contains(text));
}

#[test]
fn dispatch_15_for_axum_needs_no_annotation() {
    let urls = Dispatch::for_axum()
        .get("/users/{id:int}", get(async || "a user"))
        .get("/users/{name}", get(async || "a user"))
        .build()
        .unwrap();
    assert!(urls.audit().is_empty());
}
