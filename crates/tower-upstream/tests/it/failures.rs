//! Upstreams that are missing, late or wrong, and clients that break off.

use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode};
use tokio::net::TcpSocket;
use tower_kit::status_of;

use super::{
    App, Body, OK, SHORT, ask, at,
    bodies::{channel, data},
    get, proxy,
    sockets::{Listener, client, serve},
    text, watched,
};

/// Checks that a rejection has this detail, and does not name the upstream.
async fn assert_rejection(response: Response<Body>, status: u16, words: &str) {
    assert_eq!(response.status().as_u16(), status);
    let headers = response.headers();
    assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(text(response).await, format!("{words}\n"));
}

#[tokio::test]
async fn upstream_12_an_unreachable_upstream_is_a_502() {
    let closed = Listener::bind().await.to_string();
    for address in [
        closed.as_str(),
        "http://does-not-exist.invalid",
        "unix:/does/not/exist.sock",
    ] {
        let response = ask(&proxy(address), get("/")).await;
        assert_rejection(
            response,
            502,
            "the server behind this one cannot be reached",
        )
        .await;
        let head = Request::head("/").body(Body::default()).unwrap();
        let response = ask(&proxy(address), head).await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        assert_eq!(text(response).await, "");
    }
}

/// The request is gone when the upstream fails.
#[tokio::test]
async fn upstream_12_a_rejection_is_in_the_preferred_format() {
    let app = proxy(Listener::bind().await);
    let detail = "the server behind this one cannot be reached";
    for (name, value, status, body) in [
        ("accept", "text/html", 502, format!("<p>{detail}\n")),
        (
            "accept",
            "application/json",
            502,
            format!(r#""detail":"{detail}""#),
        ),
        ("content-type", "application/grpc", 200, String::new()),
    ] {
        let request = Request::post("/").header(name, value);
        let response = ask(&app, request.body(Body::default()).unwrap()).await;
        assert_eq!(response.status(), status, "{value}");
        assert_eq!(status_of(&response), 502, "{value}");
        let code = response.headers().get("grpc-status");
        let expected = HeaderValue::from_static("14");
        assert_eq!(code, (status == 200).then_some(&expected), "{value}");
        assert!(text(response).await.contains(&body), "{value}");
    }
}

#[tokio::test]
async fn upstream_12_an_upstream_without_a_response_is_a_502() {
    for answer in [
        "",
        "HTTP/1.1 200",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
    ] {
        let upstream = Listener::bind().await;
        let url = upstream.to_string();
        upstream.answering(answer);
        let response = ask(&proxy(url), get("/")).await;
        assert_rejection(
            response,
            502,
            "the server behind this one sent no valid response",
        )
        .await;
    }
}

#[tokio::test]
async fn upstream_9_a_slow_connection_is_a_504() {
    // The queue is full, and nothing is accepted.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) =
        tokio::time::timeout(SHORT, tokio::net::TcpStream::connect(address)).await
    {
        waiting.push(stream.unwrap());
    }
    let app = watched(at(format!("http://{address}")).connect_timeout(SHORT / 3));
    let response = ask(&app, get("/")).await;
    let words = "the server behind this one could not be reached in time";
    assert_rejection(response, 504, words).await;
}

/// Returns a proxy with a short time for the head.
fn impatient(upstream: &Listener) -> App {
    watched(at(upstream).header_timeout(SHORT))
}

/// The time was added to an `Instant`, which panicked.
#[tokio::test]
async fn upstream_9_the_longest_duration_is_a_limit() {
    let upstream = Listener::bind().await;
    let longest = at(&upstream)
        .connect_timeout(Duration::MAX)
        .header_timeout(Duration::MAX)
        .idle_timeout(Duration::MAX);
    let app = watched(longest);
    let (_peer, response) = tokio::join!(upstream.answers(OK), ask(&app, get("/")));
    assert_eq!(text(response).await, "ok");
}

#[tokio::test]
async fn upstream_9_a_slow_head_is_a_504() {
    let upstream = Listener::bind().await;
    let app = impatient(&upstream);
    let (mut peer, response) =
        tokio::join!(upstream.answers("HTTP/1.1 200 OK\r\n"), ask(&app, get("/")));
    assert_rejection(
        response,
        504,
        "the server behind this one did not respond in time",
    )
    .await;
    // The request is cancelled there.
    assert_eq!(peer.now().await, "");
    assert_eq!(peer.rest().await, "");
}

#[tokio::test]
async fn upstream_9_a_moving_upload_has_no_limit() {
    let upstream = Listener::bind().await;
    let app = impatient(&upstream);
    let (sender, body) = channel();
    let request = Request::post("/").body(body).unwrap();
    tokio::spawn(async move {
        for _ in 0..6 {
            tokio::time::sleep(SHORT / 4).await;
            sender.send(data("x")).await.unwrap();
        }
    });
    let ((), response) = tokio::join!(
        async {
            let mut peer = upstream.accept().await;
            peer.until("0\r\n\r\n").await;
            tokio::time::sleep(SHORT / 4).await;
            peer.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await;
        },
        ask(&app, request)
    );
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn upstream_9_the_head_timeout_starts_after_the_upload() {
    let upstream = Listener::bind().await;
    let app = impatient(&upstream);
    let (sender, body) = channel();
    sender.send(data("x")).await.unwrap();
    drop(sender);
    let request = Request::post("/").body(body).unwrap();
    let (_peer, response) = tokio::join!(upstream.accept(), ask(&app, request));
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn upstream_9_an_upload_that_stops_is_a_408() {
    let upstream = Listener::bind().await;
    let app = impatient(&upstream);
    let (sender, body) = channel();
    sender.send(data("half")).await.unwrap();
    let request = Request::post("/").body(body).unwrap();
    let (mut peer, response) = tokio::join!(upstream.accept(), ask(&app, request));
    assert_rejection(
        response,
        408,
        "the rest of the request did not come in time",
    )
    .await;
    peer.until("half\r\n").await;
    assert_eq!(peer.rest().await, "");
    drop(sender);
}

#[tokio::test]
async fn upstream_11_half_an_upload_is_not_a_whole_one() {
    for length in [None, Some("10")] {
        let upstream = Listener::bind().await;
        let app = proxy(&upstream);
        let (sender, body) = channel();
        let mut request = Request::post("/");
        if let Some(length) = length {
            request = request.header("content-length", length);
        }
        let request = request.body(body).unwrap();
        let (peer, response) = tokio::join!(
            async {
                sender.send(data("half")).await.unwrap();
                let mut peer = upstream.accept().await;
                peer.until("half").await;
                sender.send(Err("gone".into())).await.unwrap();
                peer
            },
            ask(&app, request)
        );
        assert_rejection(response, 400, "the request broke off").await;
        assert!(!peer.rest().await.contains('0'));
        assert!(!upstream.is_asked().await);
    }
    // The same from the wire: the upstream sees no valid end.
    let upstream = Listener::bind().await;
    let mut wire = client(serve(proxy(&upstream)).await).await;
    wire.write("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        .await;
    let mut peer = upstream.accept().await;
    peer.until("half").await;
    drop(wire);
    assert_eq!(peer.rest().await, "\r\n");
    assert!(!upstream.is_asked().await);
}
