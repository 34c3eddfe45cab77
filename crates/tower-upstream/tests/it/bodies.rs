//! Bodies that stream through, and bodies that break off.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, Request};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;

use super::{
    Body, BoxError, SHORT, ask, at, get, proxy,
    sockets::{Listener, client, serve},
    watched,
};

type Sender = mpsc::Sender<Result<Frame<Bytes>, BoxError>>;

/// Returns a body, and a sender of its frames.
pub(super) fn channel() -> (Sender, Body) {
    let (sender, received) = mpsc::channel(9);
    let frames = stream::unfold(received, async |mut received| {
        Some((received.recv().await?, received))
    });
    (sender, Body::new(StreamBody::new(Box::pin(frames))))
}

pub(super) fn data(text: &'static str) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

async fn next(body: &mut Body) -> String {
    let frame = body.frame().await.unwrap().unwrap();
    String::from_utf8(frame.into_data().unwrap().into()).unwrap()
}

#[tokio::test]
async fn upstream_8_frames_go_both_ways_as_they_come() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let (sender, body) = channel();
    let request = Request::post("/").body(body).unwrap();
    let (mut peer, response) = tokio::join!(
        upstream.answers("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
        ask(&app, request)
    );
    let mut body = response.into_body();
    for _ in 0..3 {
        sender.send(data("ping")).await.unwrap();
        assert_eq!(peer.until("ping\r\n").await, "4\r\nping\r\n");
        peer.write("4\r\npong\r\n").await;
        assert_eq!(next(&mut body).await, "pong");
    }
    drop(sender);
    assert_eq!(peer.until("0\r\n\r\n").await, "0\r\n\r\n");
    peer.write("0\r\n\r\n").await;
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn upstream_8_trailers_go_both_ways() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;
    let mut wire = client(front).await;
    wire.write("POST / HTTP/1.1\r\nhost: h\r\nTE: trailers\r\nConnection: TE\r\nTrailer: X-Sum\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n").await;
    let mut peer = upstream.accept().await;
    let head = peer.head().await;
    for line in [
        "te: trailers\r\n",
        "connection: te\r\n",
        "trailer: X-Sum\r\n",
    ] {
        assert!(head.contains(line), "{line} {head}");
    }
    assert_eq!(
        peer.until("x-sum: 1\r\n\r\n").await,
        "2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n"
    );
    peer.write("HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n2\r\nho\r\n0\r\nx-sum: 2\r\n\r\n").await;
    let head = wire.head().await;
    assert!(head.contains("trailer: x-sum\r\n"), "{head}");
    assert_eq!(
        wire.until("x-sum: 2\r\n\r\n").await,
        "2\r\nho\r\n0\r\nx-sum: 2\r\n\r\n"
    );
}

#[tokio::test]
async fn upstream_8_trailers_are_frames_of_the_body() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "1".parse().unwrap());
    // A client's forwarding field is dropped among the trailers, too.
    trailers.insert("x-forwarded-for", "6.6.6.6".parse().unwrap());
    let (sender, body) = channel();
    sender.send(data("hi")).await.unwrap();
    sender.send(Ok(Frame::trailers(trailers))).await.unwrap();
    let request = Request::post("/")
        .header("trailer", "x-sum, x-forwarded-for")
        .body(body);
    let (_, response) = tokio::join!(
        async {
            let mut peer = upstream.accept().await;
            assert!(
                peer.until("x-sum: 1\r\n\r\n")
                    .await
                    .ends_with("\r\n0\r\nx-sum: 1\r\n\r\n")
            );
            peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nho\r\n0\r\nx-sum: 2\r\n\r\n").await;
        },
        ask(&app, request.unwrap())
    );
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-sum"], "2");
}

#[tokio::test]
async fn upstream_8_a_body_is_not_polled_before_a_connection() {
    let closed = Listener::bind().await.to_string();
    let upstream = Listener::bind().await;
    for (app, status, touched) in [
        (proxy(&closed), 502, false),
        (
            watched(at(&upstream).allowed_methods([Method::GET])),
            405,
            false,
        ),
        (proxy(&upstream), 200, true),
    ] {
        let is_touched = Arc::new(AtomicBool::new(false));
        let flag = is_touched.clone();
        let frames = stream::poll_fn(move |_| {
            flag.store(true, Ordering::Relaxed);
            std::task::Poll::Ready(None::<Result<Frame<Bytes>, Infallible>>)
        });
        let request = Request::post("/").body(StreamBody::new(frames)).unwrap();
        let answer = async {
            let mut peer = upstream.accept().await;
            peer.until("0\r\n\r\n").await;
            peer.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await;
        };
        let response = tokio::select! {
            response = ask(&app, request) => response,
            () = async { answer.await; std::future::pending().await } => unreachable!(),
        };
        assert_eq!(response.status(), status);
        assert_eq!(is_touched.load(Ordering::Relaxed), touched);
    }
}

#[tokio::test]
async fn upstream_8_a_100_is_sent_when_the_upstream_takes_the_body() {
    let head = "POST / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    let closed = Listener::bind().await.to_string();
    let mut wire = client(serve(proxy(&closed)).await).await;
    wire.write(head).await;
    assert!(wire.head().await.starts_with("HTTP/1.1 502 "));

    let upstream = Listener::bind().await;
    let mut wire = client(serve(proxy(&upstream)).await).await;
    wire.write(head).await;
    let mut peer = upstream.accept().await;
    assert!(!peer.head().await.contains("expect"));
    assert_eq!(wire.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    wire.write("body").await;
    peer.until("body").await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .await;
    assert!(wire.head().await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn upstream_11_a_broken_response_ends_in_an_error() {
    for (answer, closes) in [
        ("content-length: 10\r\n\r\nhalf", true),
        ("transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", true),
        ("content-length: 10\r\n\r\nhalf", false),
        ("transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", false),
    ] {
        let upstream = Listener::bind().await;
        let app = watched(at(&upstream).idle_timeout(SHORT));
        let front = serve(app.clone()).await;
        let serve_one = async || {
            let mut peer = upstream.accept().await;
            peer.head().await;
            peer.write(&format!("HTTP/1.1 200 OK\r\n{answer}")).await;
            if closes {
                peer.shut_down().await;
            }
            peer
        };
        let (peer, response) = tokio::join!(serve_one(), ask(&app, get("/")));
        let mut body = response.into_body();
        assert_eq!(next(&mut body).await, "half");
        let error = body.frame().await.unwrap().unwrap_err();
        let is_idle = error.to_string() == "nothing came from the upstream for 300ms";
        assert_eq!(is_idle, !closes, "{error}");
        // The upstream learns of it.
        assert_eq!(peer.rest().await, "");

        // The client at the other end learns of it, too.
        let mut wire = client(front).await;
        wire.write("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
        let _peer = serve_one().await;
        let all = wire.rest().await;
        assert!(all.contains("half") && !all.contains("0\r\n\r\n"), "{all}");
    }
}

#[tokio::test]
async fn upstream_9_a_moving_response_has_no_limit() {
    let upstream = Listener::bind().await;
    let app = watched(at(&upstream).idle_timeout(SHORT));
    let ((), response) = tokio::join!(
        async {
            let mut peer = upstream.accept().await;
            peer.head().await;
            peer.write("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n")
                .await;
            tokio::spawn(async move {
                for _ in 0..6 {
                    tokio::time::sleep(SHORT / 4).await;
                    peer.write("x").await;
                }
            });
        },
        ask(&app, get("/"))
    );
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "xxxxxx");
}

#[tokio::test]
async fn upstream_9_a_slow_reader_is_not_an_idle_upstream() {
    let upstream = Listener::bind().await;
    let app = watched(at(&upstream).idle_timeout(SHORT));
    let (_peer, response) = tokio::join!(
        async {
            let mut peer = upstream.accept().await;
            peer.head().await;
            peer.write("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf")
                .await;
            tokio::spawn(async move {
                tokio::time::sleep(SHORT / 4).await;
                peer.write("rest").await;
                std::future::pending::<()>().await;
            });
        },
        ask(&app, get("/"))
    );
    let mut body = response.into_body();
    assert_eq!(next(&mut body).await, "half");
    // The body is polled once, and then left alone.
    let early = tokio::time::timeout(SHORT / 10, body.frame()).await;
    assert!(early.is_err());
    tokio::time::sleep(SHORT * 2).await;
    assert_eq!(next(&mut body).await, "rest");
}

#[tokio::test]
async fn upstream_9_a_moving_upload_keeps_the_response_alive() {
    let upstream = Listener::bind().await;
    let app = watched(at(&upstream).idle_timeout(SHORT));
    let (sender, body) = channel();
    let request = Request::post("/").body(body).unwrap();
    let (mut peer, response) = tokio::join!(
        upstream.answers("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"),
        ask(&app, request)
    );
    let upload = tokio::spawn(async move {
        for _ in 0..6 {
            tokio::time::sleep(SHORT / 4).await;
            sender.send(data("x")).await.unwrap();
        }
        drop(sender);
        peer.until("0\r\n\r\n").await;
        peer.write("done").await;
        peer
    });
    assert_eq!(next(&mut response.into_body()).await, "done");
    upload.await.unwrap();
}

#[tokio::test]
async fn upstream_11_a_client_that_leaves_ends_the_exchange() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    // Before the head, while a body is sent:
    let (sender, body) = channel();
    let request = Request::post("/").body(body).unwrap();
    let asked = tokio::spawn({
        let app = app.clone();
        async move { ask(&app, request).await }
    });
    sender.send(data("hi")).await.unwrap();
    let mut peer = upstream.accept().await;
    peer.until("hi\r\n").await;
    asked.abort();
    assert_eq!(peer.rest().await, "");
    sender.closed().await;

    // In the body, while a body is sent:
    let (sender, body) = channel();
    let request = Request::post("/").body(body).unwrap();
    let (peer, response) = tokio::join!(
        upstream.answers("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
        ask(&app, request)
    );
    let mut body = response.into_body();
    assert_eq!(next(&mut body).await, "half");
    drop(body);
    assert_eq!(peer.rest().await, "");
    sender.closed().await;
}
