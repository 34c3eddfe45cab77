//! Hooks through real sockets: how a server ends requests, uploads that are denied, and the route
//! that a hook sees.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod support;

use std::{
    convert::Infallible,
    ops::ControlFlow,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::ws::WebSocketUpgrade, routing::get};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, WWW_AUTHENTICATE},
    request, response,
};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use tower::{Layer, ServiceBuilder, service_fn};
use tower_dispatch::{Dispatch, UrlArgs};
use tower_exception::ExceptionLayer;
use tower_hooks::{Hook, HooksLayer, Outcome, OutcomeKind};

use crate::support::{Http, Server, VERSIONS};

/// Records how each request ended, and denies all paths below `/denied`.
#[derive(Clone, Default)]
struct Ends(Arc<Mutex<Vec<(String, OutcomeKind)>>>);

impl Hook for Ends {
    type State = String;

    async fn before(
        &self,
        path: &mut String,
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        *path = request.uri.path().to_owned();
        if !path.starts_with("/denied") {
            return ControlFlow::Continue(());
        }
        let mut response = Response::new(Full::from("denied"));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        let challenge = HeaderValue::from_static("Basic");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        ControlFlow::Break(response)
    }

    fn finish(&self, path: String, outcome: Outcome) {
        self.0.lock().unwrap().push((path, outcome.kind()));
    }
}

impl Ends {
    fn first(&self) -> Option<(String, OutcomeKind)> {
        let mut ends = self.0.lock().unwrap();
        (!ends.is_empty()).then(|| ends.remove(0))
    }

    /// The next that has ended.
    async fn next(&self) -> (String, OutcomeKind) {
        for _ in 0..500 {
            if let Some(end) = self.first() {
                return end;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("finish was not called within five seconds");
    }
}

fn app() -> Router {
    let endless = || {
        let chunks = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 1024])));
        axum::body::Body::from_stream(chunks)
    };
    let breaks = || {
        let chunks = stream::iter([Ok(Bytes::from_static(b"some")), Err("broken")]);
        // The pause lets the head be sent before the body fails.
        axum::body::Body::from_stream(chunks.then(async |chunk| {
            sleep(Duration::from_millis(20)).await;
            chunk
        }))
    };
    // Its body has no known length.
    let told = || {
        let chunks = stream::iter(["ab", "cd"].map(Ok::<_, Infallible>));
        (
            [(CONTENT_LENGTH, "4")],
            axum::body::Body::from_stream(chunks),
        )
    };
    let chunks = || {
        let chunks = stream::iter(["ab", "cd"].map(Ok::<_, Infallible>));
        axum::body::Body::from_stream(chunks)
    };
    Router::new()
        .route("/whole", get(async || "whole"))
        .route("/empty", get(async || ""))
        .route("/nothing", get(async || StatusCode::NO_CONTENT))
        .route("/copy", get(async || StatusCode::NOT_MODIFIED))
        .route("/chunks", get(async move || chunks()))
        .route("/told", get(async move || told()))
        .route("/endless", get(async move || endless()))
        .route("/breaks", get(async move || breaks()))
        .route("/never", get(async || std::future::pending::<()>().await))
        .route(
            "/panics",
            get(async || -> &'static str { panic!("on purpose") }),
        )
        .route(
            "/ws",
            get(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(async |_| ())),
        )
}

#[tokio::test]
async fn hooks_4_what_a_server_sends_whole_is_completed() {
    let ends = Ends::default();
    let server = Server::start(HooksLayer::new().hook(ends.clone()).layer(app())).await;
    let table = [
        (Method::GET, "/whole", 200, OutcomeKind::Completed),
        (Method::GET, "/empty", 200, OutcomeKind::Completed),
        (Method::HEAD, "/whole", 200, OutcomeKind::Completed),
        (Method::HEAD, "/chunks", 200, OutcomeKind::Completed),
        (Method::GET, "/nothing", 204, OutcomeKind::Completed),
        (Method::GET, "/copy", 304, OutcomeKind::Completed),
        (Method::GET, "/chunks", 200, OutcomeKind::Completed),
        (Method::GET, "/told", 200, OutcomeKind::Completed),
        (Method::GET, "/nowhere", 404, OutcomeKind::Completed),
        (Method::GET, "/denied", 401, OutcomeKind::Aborted),
        (Method::HEAD, "/denied", 401, OutcomeKind::Aborted),
        (Method::GET, "/breaks", 200, OutcomeKind::Failed),
    ];
    for version in VERSIONS {
        for (method, path, status, outcome) in &table {
            let got = server.send(version, method.clone(), path, "").await;
            assert_eq!(got.status, *status, "{version:?} {method} {path}");
            assert_eq!(got.body.is_err(), *outcome == OutcomeKind::Failed, "{path}");
            let end = ends.next().await;
            let expected = ((*path).to_owned(), *outcome);
            assert_eq!(end, expected, "{version:?} {method}");
        }
    }
    let url = server.uri("/ws").replace("http:", "ws:");
    let (socket, response) = tokio_tungstenite::connect_async(url).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(
        ends.next().await,
        ("/ws".to_owned(), OutcomeKind::Completed)
    );
    drop(socket);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn hooks_3_a_client_that_goes_away_is_cancelled() {
    let ends = Ends::default();
    let server = Server::start(HooksLayer::new().hook(ends.clone()).layer(app())).await;
    for (path, takes) in [("/endless", 10_000), ("/never", 0)] {
        let address = server.uri("");
        let mut stream = TcpStream::connect(&address["http://".len()..])
            .await
            .unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.read_exact(&mut vec![0; takes]).await.unwrap();
        sleep(Duration::from_millis(50)).await;
        drop(stream);
        assert_eq!(ends.next().await, (path.to_owned(), OutcomeKind::Cancelled));

        // Over HTTP/2 the client resets one stream of many.
        let request = Request::get(server.uri(path)).body(Full::<Bytes>::default());
        let got = server.request(Http::Two, request.unwrap());
        assert!(timeout(Duration::from_millis(100), got).await.is_err());
        assert_eq!(ends.next().await, (path.to_owned(), OutcomeKind::Cancelled));
    }
    assert_eq!(server.get(Http::One, "/whole").await.text(), "whole");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn hooks_6_a_panic_is_a_500_outside_and_panicked_here() {
    let ends = Ends::default();
    let app = ServiceBuilder::new()
        .layer(ExceptionLayer::production(|_| {}))
        .layer(HooksLayer::new().hook(ends.clone()))
        .service(app());
    let server = Server::start(app).await;
    for version in VERSIONS {
        assert_eq!(server.get(version, "/panics").await.status, 500);
        assert_eq!(
            ends.next().await,
            ("/panics".to_owned(), OutcomeKind::Panicked)
        );
        assert_eq!(server.get(version, "/whole").await.status, 200);
        assert_eq!(
            ends.next().await,
            ("/whole".to_owned(), OutcomeKind::Completed)
        );
    }
    server.stop().await.unwrap();
}

/// Sends an upload of `length` bytes, which look like requests, to `/denied`, and then another
/// request on the same connection. Returns all responses.
async fn upload_and_get(server: &Server, length: usize, waits: bool) -> String {
    const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let address = server.uri("");
    let stream = TcpStream::connect(&address["http://".len()..])
        .await
        .unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let expect = if waits {
        "Expect: 100-continue\r\n"
    } else {
        ""
    };
    let mut sent = format!(
        "PUT /denied HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{expect}\r\n"
    );
    if !waits {
        sent.push_str(&SMUGGLED.repeat(length / SMUGGLED.len() + 1)[..length]);
    }
    sent.push_str("GET /whole HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let sending = tokio::spawn(async move {
        // The server may close the connection during the upload.
        let _ = writer.write_all(sent.as_bytes()).await;
        // The connection stays open until the responses are there.
        writer
    });
    let mut back = Vec::new();
    let read = timeout(Duration::from_secs(10), reader.read_to_end(&mut back)).await;
    let _ = read.expect("the connection ends");
    drop(sending.await.unwrap());
    String::from_utf8(back).unwrap()
}

#[tokio::test]
async fn hooks_2_a_denied_upload_keeps_the_connection_in_step() {
    let ends = Ends::default();
    let server = Server::start(HooksLayer::new().hook(ends.clone()).layer(app())).await;
    for (length, waits) in [
        (0, false),
        (1000, false),
        (5_000_000, false),
        (5_000_000, true),
    ] {
        for _ in 0..5 {
            let back = upload_and_get(&server, length, waits).await;
            let name = format!("{length} {waits}: {back}");
            assert!(back.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{name}");
            assert!(back.contains("\r\nwww-authenticate: Basic\r\n"), "{name}");
            let (first, rest) = back.split_once("\r\n\r\ndenied").unwrap();
            assert_eq!(ends.next().await.0, "/denied");
            // The next request worked, or the connection was closed.
            if rest.is_empty() {
                assert!(length > 1000, "{name}");
            } else {
                assert!(rest.starts_with("HTTP/1.1 200 OK\r\n"), "{name}");
                assert!(rest.ends_with("\r\n\r\nwhole"), "{name}");
                assert!(!first.contains("close"), "{name}");
                assert_eq!(ends.next().await.0, "/whole");
            }
            assert!(ends.first().is_none(), "nothing was smuggled in");
        }
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn hooks_2_in_http_2_a_denied_upload_ends_only_its_stream() {
    let ends = Ends::default();
    let server = Server::start(HooksLayer::new().hook(ends.clone()).layer(app())).await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    for _ in 0..5 {
        let body = Full::new(Bytes::from(vec![b'x'; 5_000_000]));
        let denied = Request::put(server.uri("/denied")).body(body).unwrap();
        let denied = client.request(denied).await.unwrap();
        assert_eq!(denied.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(
            denied.into_body().collect().await.unwrap().to_bytes(),
            "denied"
        );
        let next = Request::get(server.uri("/whole"))
            .body(Full::default())
            .unwrap();
        let next = client.request(next).await.unwrap();
        assert_eq!(
            next.into_body().collect().await.unwrap().to_bytes(),
            "whole"
        );
        assert_eq!(ends.next().await.0, "/denied");
        assert_eq!(ends.next().await.0, "/whole");
    }
    drop(client);
    server.stop().await.unwrap();
}

/// Adds a header with the route that it saw to the response.
struct Route;

impl Hook for Route {
    type State = String;

    async fn before(
        &self,
        state: &mut String,
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        let args = request.extensions.get::<UrlArgs>().unwrap();
        *state = format!("{} {:?}", args.pattern(), args.name("name"));
        ControlFlow::Continue(())
    }

    async fn after(&self, state: &mut String, response: &mut response::Parts) {
        let route = state.parse().unwrap();
        response.headers.insert("x-route", route);
    }
}

#[tokio::test]
async fn hooks_8_in_a_dispatcher_a_hook_sees_the_route() {
    let hello = service_fn(async |request: Request<tower_serve::RequestBody>| {
        drop(request.into_body().collect().await);
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("hello")))
    });
    let urls = Dispatch::builder()
        .get("/hello/{name}", hello)
        .layer(HooksLayer::new().hook(Route))
        .build()
        .unwrap();
    let server = Server::start(urls).await;
    for version in VERSIONS {
        let got = server.get(version, "/hello/John").await;
        assert_eq!(got.header("x-route"), Some("/hello/{name} Some(\"John\")"));
        // Without a route there is no hook.
        let got = server.get(version, "/nowhere").await;
        assert_eq!(
            (got.status, got.header("x-route")),
            (StatusCode::NOT_FOUND, None)
        );
    }
    server.stop().await.unwrap();
}
