//! Clients of HTTP/2 that ask for a WebSocket with extended CONNECT.

use std::net::SocketAddr;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn::http2::SendRequest, ext::Protocol, upgrade::Upgraded};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sha1::{Digest, Sha1};
use tokio::{net::TcpStream, runtime::Handle};

use super::{
    OK, SHORT, at, proxy,
    sockets::{Listener, Wire, serve},
    tunnels::only,
    watched,
};

/// No connection is kept after it.
const LAST: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";

type Sender = SendRequest<Empty<Bytes>>;

/// Returns a connection that knows the server's settings.
async fn connected(front: SocketAddr, upstream: &Listener) -> Sender {
    let stream = TokioIo::new(TcpStream::connect(front).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://h/").body(Empty::new()).unwrap();
    let (response, _) = tokio::join!(sender.send_request(request), upstream.answers(LAST));
    assert_eq!(response.unwrap().status(), StatusCode::NO_CONTENT);
    sender
}

fn connect(protocol: &'static str) -> Request<Empty<Bytes>> {
    let request = Request::connect("http://h.example/chat?a=1")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "b, a")
        .extension(Protocol::from_static(protocol));
    request.body(Empty::new()).unwrap()
}

fn value<'a>(head: &'a str, name: &str) -> &'a str {
    let mut values = head
        .lines()
        .filter_map(|line| line.strip_prefix(&format!("{name}: ")));
    let value = values
        .next()
        .unwrap_or_else(|| panic!("no {name} in {head}"));
    assert_eq!(values.next(), None, "{head}");
    value
}

fn accept(head: &str) -> String {
    let key = value(head, "sec-websocket-key");
    assert_eq!(BASE64_STANDARD.decode(key).unwrap().len(), 16);
    let digest = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    BASE64_STANDARD.encode(digest)
}

fn switch(accept: &str) -> String {
    format!(
        "HTTP/1.1 101 x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\nsec-websocket-protocol: a\r\ncontent-length: 0\r\n\r\n"
    )
}

/// Sends a request, and returns the response and the upstream's connection. The text is made of the
/// head that the upstream gets.
async fn exchange(
    sender: &mut Sender,
    upstream: &Listener,
    answer: impl FnOnce(&str) -> String,
) -> (Response<Incoming>, Wire) {
    let answers = async {
        let mut peer = upstream.accept().await;
        let head = peer.head().await;
        peer.write(&answer(&head)).await;
        peer
    };
    let (response, peer) = tokio::join!(sender.send_request(connect("websocket")), answers);
    (response.unwrap(), peer)
}

async fn tunnel(sender: &mut Sender, upstream: &Listener) -> (Wire<TokioIo<Upgraded>>, Wire) {
    let (response, peer) = exchange(sender, upstream, |head| switch(&accept(head))).await;
    assert_eq!(response.status(), StatusCode::OK);
    let tunnel = hyper::upgrade::on(response).await.unwrap();
    (Wire::new(TokioIo::new(tunnel)), peer)
}

#[tokio::test]
async fn upstream_28_a_connect_becomes_a_handshake() {
    let upstream = Listener::bind().await;
    let mut sender = connected(serve(proxy(&upstream)).await, &upstream).await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let (response, _peer) = exchange(&mut sender, &upstream, |head| {
            assert!(head.starts_with("GET /chat?a=1 HTTP/1.1\r\n"), "{head}");
            assert_eq!(value(head, "connection"), "Upgrade");
            assert_eq!(value(head, "upgrade"), "websocket");
            assert_eq!(value(head, "sec-websocket-version"), "13");
            assert_eq!(value(head, "sec-websocket-protocol"), "b, a");
            assert_eq!(value(head, "x-forwarded-host"), "h.example");
            assert_eq!(value(head, "via"), "2.0 tower-upstream");
            assert!(!head.contains("content-length"), "{head}");
            keys.push(value(head, "sec-websocket-key").to_owned());
            switch(&accept(head))
        })
        .await;
        assert_eq!(response.status(), StatusCode::OK);
        let mut names: Vec<_> = response
            .headers()
            .keys()
            .map(|name| name.as_str())
            .collect();
        names.retain(|name| *name != "date");
        assert_eq!(names, ["sec-websocket-protocol"]);
    }
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn upstream_28_a_wrong_accept_opens_no_tunnel() {
    let upstream = Listener::bind().await;
    let mut sender = connected(serve(proxy(&upstream)).await, &upstream).await;
    for answer in [
        switch("AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        switch(""),
        super::tunnels::SWITCH.to_owned(),
        // A 2xx would open the tunnel.
        OK.to_owned(),
        "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
    ] {
        let (response, _peer) = exchange(&mut sender, &upstream, |_| answer.clone()).await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY, "{answer}");
    }
    let (response, _peer) = exchange(&mut sender, &upstream, |head| {
        switch(&accept(head)).replace("upgrade: websocket", "upgrade: h2c")
    })
    .await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn upstream_28_a_refusal_is_an_ordinary_response() {
    let upstream = Listener::bind().await;
    let mut sender = connected(serve(proxy(&upstream)).await, &upstream).await;
    for (line, status) in [
        ("401 Unauthorized", 401),
        ("302 Found", 302),
        ("503 No", 503),
    ] {
        let answer =
            format!("HTTP/1.1 {line}\r\nwww-authenticate: x\r\ncontent-length: 2\r\n\r\nno");
        let (response, _peer) = exchange(&mut sender, &upstream, |_| answer).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["www-authenticate"], "x");
        assert_eq!(
            response.into_body().collect().await.unwrap().to_bytes(),
            "no"
        );
    }
}

#[tokio::test]
async fn upstream_28_another_connect_is_a_501() {
    let upstream = Listener::bind().await;
    let app = at(&upstream).upgrades(["websocket", "acme"]).unwrap();
    let mut sender = connected(serve(watched(app)).await, &upstream).await;
    let plain = Request::connect("h:443").body(Empty::new()).unwrap();
    for request in [plain, connect("acme"), connect("connect-udp")] {
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
    }
    assert!(!upstream.is_asked().await);
}

#[tokio::test]
async fn upstream_28_a_connect_counts_as_a_get() {
    let upstream = Listener::bind().await;
    let app = at(&upstream).allowed_methods([http::Method::GET]);
    let mut sender = connected(serve(watched(app)).await, &upstream).await;
    tunnel(&mut sender, &upstream).await;

    let app = at(&upstream).allowed_methods([http::Method::POST]);
    let front = serve(watched(app)).await;
    let stream = TokioIo::new(TcpStream::connect(front).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
            .await
            .unwrap();
    tokio::spawn(connection);
    let get = Request::get("http://h/").body(Empty::new()).unwrap();
    assert_eq!(sender.send_request(get).await.unwrap().status(), 405);
    let response = sender.send_request(connect("websocket")).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn upstream_26_a_stream_and_a_connection_are_joined() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;
    let mut sender = connected(front, &upstream).await;
    let (response, mut peer) = exchange(&mut sender, &upstream, |head| {
        switch(&accept(head)) + "behind"
    })
    .await;
    let mut wire = Wire::new(TokioIo::new(hyper::upgrade::on(response).await.unwrap()));
    assert_eq!(wire.until("behind").await, "behind");
    for at in 0..100 {
        let text = format!("<{at}>");
        wire.write(&text).await;
        peer.write(&text).await;
        assert_eq!(peer.until(">").await, text);
        assert_eq!(wire.until(">").await, text);
    }
    wire.shut_down().await;
    assert!(peer.is_closed().await);
    peer.write("last").await;
    drop(peer);
    assert_eq!(wire.rest().await, "last");
}

#[tokio::test]
async fn upstream_29_the_end_of_a_stream_or_its_connection_ends_the_tunnel() {
    let upstream = Listener::bind().await;
    let front = serve(watched(at(&upstream).idle_timeout(SHORT))).await;
    tokio::task::yield_now().await;
    let tasks = Handle::current().metrics().num_alive_tasks();
    let mut sender = connected(front, &upstream).await;
    let (wire, peer) = tunnel(&mut sender, &upstream).await;
    let (other, mut other_peer) = tunnel(&mut sender, &upstream).await;
    // The client ends one stream, and the others of its connection stay.
    drop(wire);
    assert_eq!(peer.rest().await, "");
    assert!(!other_peer.is_closed().await);
    // The upstream dies.
    drop(other_peer);
    assert_eq!(other.rest().await, "");
    // The client leaves.
    let (wire, peer) = tunnel(&mut sender, &upstream).await;
    drop((sender, wire));
    assert_eq!(peer.rest().await, "");
    only(tasks).await;
}
