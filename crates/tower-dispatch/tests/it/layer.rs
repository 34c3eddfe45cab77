use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_dispatch::{Dispatch, DispatchLayer, Endpoint, NotDispatched, UrlArgs};
use tower_environ::{MountLayer, NotMounted};
use tower_kit::{Rejection, status_of};

use crate::probe::{ask, says};

fn layer() -> DispatchLayer<Endpoint<()>> {
    let urls = Dispatch::builder()
        .get("/a/{x}", says("get"))
        .put("/a/{x}", says("put"))
        .build()
        .unwrap();
    DispatchLayer::new(urls)
}

fn reason<B, E: std::error::Error + 'static>(response: &Response<B>) -> Option<&E> {
    Rejection::of(response)?.reason()
}

/// Responds with this status, these methods in `Allow`, and the request's method and URI.
async fn inner(
    status: u16,
    allow: Option<&'static str>,
    request: Request<()>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    assert!(request.extensions().get::<UrlArgs>().is_none());
    let mut response = Response::builder().status(status);
    if let Some(allow) = allow {
        response = response.header("allow", allow);
    }
    let text = format!("inner {} {}", request.method(), request.uri());
    Ok(response.body(text.into()).unwrap())
}

#[tokio::test]
async fn dispatch_8_other_requests_fall_through_as_they_came() {
    let app = layer().layer(service_fn(|request| inner(200, None, request)));
    let table = [
        (Method::GET, "/a/1", "get GET [x=1]"),
        (Method::PUT, "/a/1", "put PUT [x=1]"),
        (Method::HEAD, "/a/1", ""),
        (Method::GET, "/b?c", "inner GET /b?c"),
        (Method::GET, "/a/%ff", "inner GET /a/%ff"),
        (Method::GET, "/a/%zz", "inner GET /a/%zz"),
        (Method::DELETE, "/a/1", "inner DELETE /a/1"),
        (Method::OPTIONS, "/a/1", "inner OPTIONS /a/1"),
        (Method::OPTIONS, "*", "inner OPTIONS *"),
        (
            Method::CONNECT,
            "example.org:443",
            "inner CONNECT example.org:443",
        ),
    ];
    for (method, uri, expected) in table {
        let (status, headers, text) = ask(app.clone(), method.clone(), uri).await;
        assert_eq!(
            (status.as_u16(), text.as_str()),
            (200, expected),
            "{method} {uri}"
        );
        assert!(!headers.contains_key("allow"));
    }
}

#[tokio::test]
async fn dispatch_8_an_inner_404_becomes_405_for_other_methods() {
    let ours = "the path does not allow this method\n";
    let theirs = "inner DELETE /a/1";
    let table = [
        (404, None, 405, Some("GET, HEAD, PUT"), ours),
        (
            405,
            Some("POST, GET"),
            405,
            Some("GET, HEAD, POST, PUT"),
            theirs,
        ),
        (405, None, 405, Some("GET, HEAD, PUT"), theirs),
        (403, None, 403, None, theirs),
        (200, Some("POST"), 200, Some("POST"), theirs),
    ];
    for (status, inner_allow, expected, allow, text) in table {
        let app = layer().layer(service_fn(move |request| {
            inner(status, inner_allow, request)
        }));
        let (got, headers, body) = ask(app, Method::DELETE, "/a/1").await;
        assert_eq!((got.as_u16(), body.as_str()), (expected, text), "{status}");
        let found: Vec<_> = headers.get_all("allow").iter().collect();
        assert_eq!(found, Vec::from_iter(allow), "{status}");
    }
}

#[tokio::test]
async fn dispatch_8_a_path_without_a_route_keeps_the_inner_404() {
    for status in [404, 405] {
        let app = layer().layer(service_fn(move |request| inner(status, None, request)));
        let (got, headers, text) = ask(app, Method::DELETE, "/b").await;
        assert_eq!((got.as_u16(), text.as_str()), (status, "inner DELETE /b"));
        assert!(!headers.contains_key("allow"));
    }
}

#[tokio::test]
async fn dispatch_8_extensions_of_the_404_stay() {
    let app = layer().layer(service_fn(async |_: Request<()>| {
        let mut response = Response::new(Full::<Bytes>::default());
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        response.extensions_mut().insert("from inside");
        Ok::<_, Infallible>(response)
    }));
    let request = Request::delete("/a/1").body(()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), http::StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.extensions().get(), Some(&"from inside"));
    assert_eq!(reason(&response), Some(&NotDispatched::MethodNotAllowed));
}

#[tokio::test]
async fn dispatch_8_a_405_for_a_404_drops_headers_of_the_content() {
    const GONE: [&str; 4] = ["age", "content-digest", "content-type", "etag"];
    const KEPT: [&str; 12] = [
        "access-control-allow-credentials",
        "access-control-allow-origin",
        "connection",
        "content-security-policy",
        "date",
        "expires",
        "retry-after",
        "set-cookie",
        "strict-transport-security",
        "via",
        "www-authenticate",
        "x-request-id",
    ];
    let app = layer().layer(service_fn(async |_: Request<()>| {
        let mut response = Response::builder().status(404).header("allow", "TRACE");
        for name in GONE.iter().chain(&KEPT).chain(&["cache-control", "vary"]) {
            response = response.header(*name, "one").header(*name, "two");
        }
        response.body(Full::<Bytes>::from("the page is gone"))
    }));
    let app = app.map_err(|error| panic!("{error}"));
    for (method, body) in [
        (Method::DELETE, "the path does not allow this method\n"),
        (Method::OPTIONS, "the path does not allow this method\n"),
    ] {
        let (status, mut headers, text) = ask(app.clone(), method, "/a/1").await;
        assert_eq!((status.as_u16(), text.as_str()), (405, body));
        for name in KEPT {
            let values: Vec<_> = headers.get_all(name).iter().collect();
            assert_eq!(values, ["one", "two"], "{name}");
            headers.remove(name);
        }
        // These are lists of restrictions, and each response has its own.
        for (name, own) in [("cache-control", "no-store"), ("vary", "accept")] {
            let values: Vec<_> = headers.get_all(name).iter().collect();
            assert_eq!(values, ["one", "two", own], "{name}");
            headers.remove(name);
        }
        let mut left: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        left.sort_unstable();
        let own = [
            ("allow", "GET, HEAD, PUT"),
            ("content-type", "text/plain; charset=utf-8"),
            ("x-content-type-options", "nosniff"),
        ];
        assert_eq!(left, own);
    }
}

#[tokio::test]
async fn dispatch_8_a_405_instead_of_a_404_has_its_own_reason_alone() {
    let below = MountLayer::new("/elsewhere").unwrap();
    let no_route = Dispatch::builder().get("/none", says("none")).build();
    let inner = below.layer(no_route.unwrap());
    let got = inner
        .clone()
        .oneshot(Request::delete("/a/1").body(()).unwrap());
    assert_eq!(reason(&got.await.unwrap()), Some(&NotMounted));

    let app = layer().layer(inner);
    let got = app.oneshot(Request::delete("/a/1").body(()).unwrap());
    let response = got.await.unwrap();
    assert_eq!(reason(&response), Some(&NotDispatched::MethodNotAllowed));
    // Both responses have these fields, and the final one has each once.
    let lines: Vec<_> = response.headers().get_all("vary").iter().collect();
    assert_eq!(lines, ["accept"]);

    // An inner dispatcher's reason for its 404 is not the reason for this one.
    let inner = Dispatch::builder().get("/none", says("none")).build();
    let app = layer().layer(inner.unwrap());
    let got = app.oneshot(Request::delete("/a/1").body(()).unwrap());
    let response = got.await.unwrap();
    assert_eq!(reason(&response), Some(&NotDispatched::MethodNotAllowed));
}

/// Rejections of gRPC are a 200 on the wire.
#[tokio::test]
async fn dispatch_8_an_inner_404_and_405_count_in_grpc_too() {
    let grpc = async |app: Dispatch<Endpoint<()>>| {
        let request = Request::post("/a/1").header("content-type", "application/grpc");
        let app = layer().layer(app);
        let response = app.oneshot(request.body(()).unwrap()).await.unwrap();
        assert_eq!(response.status(), http::StatusCode::OK);
        assert_eq!(status_of(&response), http::StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["content-type"], "application/grpc");
        assert_eq!(reason(&response), Some(&NotDispatched::MethodNotAllowed));
        let message = &response.headers()["grpc-message"];
        assert_eq!(message, "the path does not allow this method");
        response.headers()["allow"].clone()
    };
    let no_route = Dispatch::builder().get("/none", says("none")).build();
    assert_eq!(grpc(no_route.unwrap()).await, "GET, HEAD, PUT");
    let no_method = Dispatch::builder().patch("/a/1", says("patch")).build();
    let allow = grpc(no_method.unwrap()).await;
    assert_eq!(allow, "GET, HEAD, OPTIONS, PATCH, PUT");
}

#[tokio::test]
async fn dispatch_8_a_405_instead_of_a_404_has_the_clients_format() {
    let no_route = Dispatch::builder().get("/none", says("none")).build();
    let app = layer().layer(no_route.unwrap());
    let request = Request::delete("/a/1").header("accept", "application/problem+json");
    let response = app.oneshot(request.body(()).unwrap()).await.unwrap();
    let content_type = &response.headers()["content-type"];
    assert_eq!(content_type, "application/problem+json");
}

#[tokio::test]
async fn dispatch_8_an_inner_405_keeps_its_reason_and_allow_lines() {
    #[derive(Clone, Debug, PartialEq)]
    struct Reason(&'static str);
    let app = layer().layer(service_fn(async |_: Request<()>| {
        let mut response = Response::builder()
            .status(405)
            .header("allow", "POST,")
            .header("allow", " LINK ,POST")
            .header("allow", "")
            .body(Full::<Bytes>::from("inner"))
            .unwrap();
        response.extensions_mut().insert(Reason("inner"));
        Ok::<_, Infallible>(response)
    }));
    let got = app.oneshot(Request::delete("/a/1").body(()).unwrap());
    let response = got.await.unwrap();
    let allow: Vec<_> = response.headers().get_all("allow").iter().collect();
    assert_eq!(allow, ["GET, HEAD, LINK, POST, PUT"]);
    assert_eq!(response.extensions().get(), Some(&Reason("inner")));
    assert!(Rejection::of(&response).is_none());
}

#[tokio::test]
async fn dispatch_18_an_error_is_converted_into_the_wrapped_ones() {
    #[derive(Debug, PartialEq)]
    struct Broken;
    #[derive(Debug, PartialEq)]
    struct AnyError(Broken);
    impl From<Broken> for AnyError {
        fn from(broken: Broken) -> Self {
            Self(broken)
        }
    }
    type Reply<E> = Result<Response<Full<Bytes>>, E>;
    let urls = Dispatch::builder()
        .route("/", service_fn(async |_: Request<()>| Reply::Err(Broken)))
        .build()
        .unwrap();
    let app = DispatchLayer::new(urls).layer(service_fn(async |_: Request<()>| {
        Reply::<AnyError>::Ok(Response::default())
    }));
    assert_eq!(
        app.oneshot(Request::new(())).await.unwrap_err(),
        AnyError(Broken)
    );
}
