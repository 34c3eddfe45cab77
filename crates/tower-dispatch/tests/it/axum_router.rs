//! A dispatcher in front of an axum router, with and without the layer, as its fallback, and within
//! `nest_service`.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header::ALLOW};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};
use tower_dispatch::{BoxError, Dispatch, DispatchLayer, Endpoint, Pattern};

type Reply = (StatusCode, HeaderMap, Bytes);

async fn ask<S, B>(app: S, method: &str, uri: &str) -> Reply
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .body(Body::empty());
    let (parts, body) = app.oneshot(request.unwrap()).await.unwrap().into_parts();
    let body = body.collect().await.map_err(Into::into).unwrap().to_bytes();
    (parts.status, parts.headers, body)
}

fn router() -> Router {
    Router::new()
        .route("/both", get(async || "router").post(async || "router"))
        .route("/router/{x}", get(async |uri: Uri| uri.path().to_owned()))
        .route(
            "/options",
            get(async || "router").options(async || "options"),
        )
        .route("/own-405", post(async || "router"))
}

fn urls() -> Dispatch<Endpoint<Body>> {
    Dispatch::builder()
        .get("/both", get(async || "dispatched"))
        .get("/mine/{x}", get(async || "dispatched"))
        .put("/own-405", axum::routing::put(async || "dispatched"))
        .build()
        .unwrap()
}

#[tokio::test]
async fn dispatch_8_axums_router_responds_as_without_the_layer() {
    let layered = DispatchLayer::new(urls()).layer(router());
    let table = [
        // No route.
        ("GET", "/router/1"),
        ("HEAD", "/router/1"),
        ("POST", "/router/1"),
        ("GET", "/none"),
        ("FOO", "/none"),
        // A method of the router that the dispatcher lacks.
        ("POST", "/both"),
        ("POST", "/own-405"),
        // OPTIONS.
        ("OPTIONS", "/options"),
        ("OPTIONS", "/none"),
        ("OPTIONS", "*"),
        // Paths that cannot be decoded.
        ("GET", "/router/%zz"),
        ("GET", "/mine/%ff"),
        ("GET", "/%"),
        ("CONNECT", "example.org:443"),
    ];
    for (method, uri) in table {
        let without = ask(router(), method, uri).await;
        let with = ask(layered.clone(), method, uri).await;
        assert_eq!(with, without, "{method} {uri}");
    }
}

#[tokio::test]
async fn dispatch_8_a_route_of_the_layer_comes_before_axums() {
    let layered = DispatchLayer::new(urls()).layer(router());
    let table = [
        (
            "GET",
            "/both",
            (200, "router", None),
            (200, "dispatched", None),
        ),
        ("HEAD", "/both", (200, "", None), (200, "", None)),
        (
            "GET",
            "/mine/%6d",
            (404, "", None),
            (200, "dispatched", None),
        ),
        (
            "PUT",
            "/own-405",
            (405, "", Some("POST")),
            (200, "dispatched", None),
        ),
        // Another method: 404 becomes 405, and 405 has the methods of both.
        (
            "DELETE",
            "/mine/1",
            (404, "", None),
            (
                405,
                "the path does not allow this method\n",
                Some("GET, HEAD"),
            ),
        ),
        (
            "OPTIONS",
            "/mine/1",
            (404, "", None),
            (
                405,
                "the path does not allow this method\n",
                Some("GET, HEAD"),
            ),
        ),
        (
            "DELETE",
            "/own-405",
            (405, "", Some("POST")),
            (405, "", Some("POST, PUT")),
        ),
    ];
    for (method, uri, bare, expected) in table {
        for (app, (status, body, allow)) in [
            (ask(router(), method, uri).await, bare),
            (ask(layered.clone(), method, uri).await, expected),
        ] {
            let seen_allow = app.1.get(ALLOW).map(|allow| allow.to_str().unwrap());
            assert_eq!(
                (app.0.as_u16(), &*app.2, seen_allow),
                (status, body.as_bytes(), allow),
                "{method} {uri}"
            );
        }
    }
}

#[tokio::test]
async fn dispatch_7_a_dispatcher_is_a_fallback_and_may_be_nested() {
    let hello = Dispatch::builder()
        .get(
            Pattern::regex("/hello/(.+)").unwrap(),
            get(async |request: Request<Body>| {
                let args = request.extensions().get::<tower_dispatch::UrlArgs>();
                format!(
                    "{} {:?}",
                    request.uri().path(),
                    args.and_then(|args| args.get(0))
                )
            }),
        )
        .build()
        .unwrap();
    let app = Router::new()
        .route("/", get(async || "root"))
        .nest_service("/below", hello.clone())
        .fallback_service(hello);
    let table = [
        (Method::GET, "/", 200, "root"),
        (Method::GET, "/hello/a/b", 200, "/hello/a/b Some(\"a/b\")"),
        (
            Method::GET,
            "/below/hello/%C3%BC",
            200,
            "/hello/%C3%BC Some(\"ü\")",
        ),
        (
            Method::GET,
            "/below/none",
            404,
            "no route matches the path\n",
        ),
        (Method::GET, "/none", 404, "no route matches the path\n"),
        (
            Method::PUT,
            "/hello/a",
            405,
            "the path does not allow this method\n",
        ),
        (
            Method::GET,
            "/%zz",
            400,
            "the path has a `%` without two hexadecimal digits after it, at byte 1\n",
        ),
        (Method::OPTIONS, "/hello/a", 204, ""),
    ];
    for (method, uri, status, body) in table {
        let (seen, _, text) = ask(app.clone(), method.as_str(), uri).await;
        assert_eq!((seen.as_u16(), &*text), (status, body.as_bytes()), "{uri}");
    }
}

#[tokio::test]
async fn dispatch_16_a_service_for_axum_responds_as_the_dispatcher_does() {
    let full = tower::service_fn(async |_: Request<Body>| {
        let body = http_body_util::Full::from("full");
        Ok::<_, Infallible>(Response::new(body))
    });
    let other = tower::service_fn(async |_: Request<Body>| {
        let body = http_body_util::Empty::<Bytes>::new();
        Ok::<_, Infallible>(Response::new(body))
    });
    let urls: Dispatch<Endpoint<Body>> = Dispatch::builder()
        .get("/handler", get(async || "a handler"))
        .get("/full", full)
        .get("/other", other)
        .build()
        .unwrap();
    let table = [
        ("GET", "/handler"),
        ("HEAD", "/handler"),
        ("GET", "/full"),
        ("GET", "/other"),
        ("PUT", "/full"),
        ("OPTIONS", "/full"),
        ("GET", "/nowhere"),
        ("GET", "/router/1"),
        ("PUT", "/both"),
    ];
    let layered = DispatchLayer::new(urls.clone()).layer(router());
    for (method, uri) in table {
        let expected = ask(urls.clone(), method, uri).await;
        let found = ask(urls.clone().into_axum(), method, uri).await;
        assert_eq!(found, expected, "{method} {uri}");
        let expected = ask(layered.clone(), method, uri).await;
        let found = ask(layered.clone().into_axum(), method, uri).await;
        assert_eq!(found, expected, "{method} {uri} before a router");
    }
}

#[tokio::test]
async fn dispatch_16_axum_serves_it_with_the_address_of_the_client() {
    use std::net::SocketAddr;

    use axum::{ServiceExt, extract::ConnectInfo};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let urls = Dispatch::builder()
        .get(
            "/from",
            get(async |ConnectInfo(from): ConnectInfo<SocketAddr>| from.ip().to_string()),
        )
        .build()
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = urls
        .into_axum()
        .into_make_service_with_connect_info::<SocketAddr>();
    let server = tokio::spawn(async { axum::serve(listener, served).await });
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = b"GET /from HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    client.write_all(request).await.unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).await.unwrap();
    assert!(response.ends_with("\r\n\r\n127.0.0.1"), "{response}");
    server.abort();
}
