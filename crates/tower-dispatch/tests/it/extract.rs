use std::convert::Infallible;

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{Service, ServiceExt};
use tower_dispatch::{Args, ArgsRejection, Dispatch, UrlArgs};

async fn ask<S, B>(app: S, uri: &str) -> (StatusCode, Option<String>, String)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let request = Request::get(uri).body(Body::empty()).unwrap();
    let (parts, body) = app.oneshot(request).await.unwrap().into_parts();
    let text = body.collect().await.unwrap().to_bytes();
    let rejection = parts
        .extensions
        .get::<ArgsRejection>()
        .map(ToString::to_string);
    (
        parts.status,
        rejection,
        String::from_utf8(text.into()).unwrap(),
    )
}

#[tokio::test]
async fn handlers_take_url_args() {
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
    let why =
        "url arg `b`: cannot parse u8: number too large to fit in target type (found \"256\")";
    let malformed = "the path is malformed\n".to_owned();
    let expected = (StatusCode::BAD_REQUEST, Some(why.to_owned()), malformed);
    assert_eq!(ask(urls.clone(), "/add/1/256").await, expected);

    // As a router's fallback, and nested in one.
    let fallback = Router::new().fallback_service(urls.clone());
    assert_eq!(ask(fallback, "/add/1/2").await, ok("3"));
    let nested = Router::new().nest_service("/below", urls);
    assert_eq!(ask(nested, "/below/add/1/2").await, ok("3"));
}

#[tokio::test]
async fn without_a_dispatcher_there_are_none() {
    let why = "the request has no url args: it did not come through a dispatcher";
    let text = "Internal Server Error\n".to_owned();
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
