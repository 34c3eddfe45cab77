//! The cascade through real sockets: uploads, upgrades, and `Expect: 100-continue`.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod support;

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    routing::{get, put},
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::{Layer, ServiceBuilder, service_fn};
use tower_cascade::{Cascade, CascadeLayer, ReplayBody};
use tower_http::limit::RequestBodyLimitLayer;

use crate::support::{Server, VERSIONS};

type Body = ReplayBody<tower_serve::RequestBody>;

/// Responds with 404, and reads nothing.
async fn no_answer<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

/// Responds with the hash of the body.
async fn hashes(request: Request<Body>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut hash = Sha256::new();
    let mut body = pin!(request.into_body());
    while let Some(frame) = body.frame().await {
        hash.update(frame.unwrap().into_data().unwrap());
    }
    Ok(Response::new(
        Bytes::copy_from_slice(&hash.finalize()).into(),
    ))
}

#[tokio::test]
async fn sixty_four_megabytes_stream_past_apps_that_do_not_read_them() {
    const CHUNK: usize = 64 << 10;
    const CHUNKS: usize = 1 << 10;

    let list = [service_fn(no_answer), service_fn(no_answer)];
    let app = CascadeLayer::list(list).layer(service_fn(hashes));
    let server = Server::start(app).await;
    // The bytes count up, so that a chunk that is lost or repeated is noticed.
    let chunk = |number: usize| Bytes::from(number.to_le_bytes().repeat(CHUNK / 8));
    let mut hash = Sha256::new();
    (0..CHUNKS).for_each(|number| hash.update(chunk(number)));
    let hash = hash.finalize();
    for version in VERSIONS {
        let frames = (0..CHUNKS).map(move |number| Ok::<_, Infallible>(Frame::data(chunk(number))));
        let body = StreamBody::new(stream::iter(frames));
        let request = Request::put(server.uri("/")).body(body).unwrap();
        let got = server.request(version, request).await;
        assert_eq!(got.body.unwrap(), hash[..], "{version:?}");
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn the_second_app_may_upgrade_to_a_websocket() {
    async fn echo(mut socket: WebSocket) {
        while let Some(Ok(Message::Text(text))) = socket.recv().await {
            let _ = socket
                .send(Message::Text(format!("echo: {text}").into()))
                .await;
        }
    }
    let first: Router = Router::new().route("/", get(async || "first"));
    let second: Router = Router::new().route(
        "/ws",
        get(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo)),
    );
    let server = Server::start(CascadeLayer::new(first).layer(second)).await;
    let url = server.uri("/ws").replace("http:", "ws:");
    let (mut socket, response) = tokio_tungstenite::connect_async(url).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    for text in ["one", "two"] {
        socket.send(text.into()).await.unwrap();
        let answer = socket.next().await.unwrap().unwrap();
        assert_eq!(answer.to_text().unwrap(), format!("echo: {text}"));
    }
    socket.close(None).await.unwrap();
    drop(socket);
    server.stop().await.unwrap();
}

/// Sends the head of an upload and no body, and returns the first line of the response.
async fn first_answer(server: &Server, length: usize) -> String {
    let address = server.uri("");
    let mut stream = TcpStream::connect(&address["http://".len()..])
        .await
        .unwrap();
    let head = format!(
        "PUT /upload HTTP/1.1\r\nHost: example.org\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    answer.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn an_upload_that_the_second_service_rejects_is_never_sent() {
    let limited = ServiceBuilder::new()
        .layer(RequestBodyLimitLayer::new(1000))
        .service(Router::new().route("/upload", put(async |body: Bytes| body.len().to_string())));
    let app = CascadeLayer::new(service_fn(no_answer)).layer(limited);
    let server = Server::start(app).await;
    assert_eq!(
        first_answer(&server, 5_000_000).await,
        "HTTP/1.1 413 Payload Too Large"
    );
    // hyper sends `100 Continue` when the body is polled, and not before.
    assert_eq!(first_answer(&server, 1000).await, "HTTP/1.1 100 Continue");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_list_of_apps_serves() {
    let asked = Arc::new(AtomicU64::new(0));
    let counts = asked.clone();
    let app = move |path: &'static str| {
        let counts = counts.clone();
        service_fn(move |request: Request<Body>| {
            counts.fetch_add(1, Ordering::Relaxed);
            async move {
                let mut response = Response::new(Full::<Bytes>::from(path));
                if request.uri().path() != path {
                    *response.status_mut() = StatusCode::NOT_FOUND;
                }
                Ok::<_, Infallible>(response)
            }
        })
    };
    let server = Server::start(Cascade::new([app("/a"), app("/b"), app("/c")])).await;
    for version in VERSIONS {
        assert_eq!(server.get(version, "/b").await.text(), "/b");
        let got = server.get(version, "/d").await;
        assert_eq!((got.status, got.text()), (StatusCode::NOT_FOUND, "/c"));
        assert_eq!(got.header("content-length"), Some("2"));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2 * (2 + 3));
    server.stop().await.unwrap();
}
