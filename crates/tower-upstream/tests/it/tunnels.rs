//! Clients of HTTP/1 that leave HTTP.

use std::time::Duration;

use http::{Request, StatusCode};
use tokio::{runtime::Handle, time::timeout};
use tower::service_fn;

use super::{
    Body, OK, SHORT, ask, at, proxy,
    sockets::{Listener, Wire, client, serve},
    watched,
};

pub(crate) const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";

const HANDSHAKE: &str = "GET /chat?a=1 HTTP/1.1\r\nhost: h\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: a2V5\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: b, a\r\nsec-websocket-extensions: x; y=1\r\n\r\n";

/// Returns both ends of a tunnel.
async fn tunnel(upstream: &Listener, front: std::net::SocketAddr) -> (Wire, Wire) {
    let mut wire = client(front).await;
    wire.write(HANDSHAKE).await;
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.write(SWITCH).await;
    let head = wire.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    (wire, peer)
}

#[tokio::test]
async fn upstream_25_a_handshake_reaches_the_upstream() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;
    let mut wire = client(front).await;
    wire.write(HANDSHAKE).await;
    let mut peer = upstream.accept().await;
    let head = peer.head().await;
    assert!(head.starts_with("GET /chat?a=1 HTTP/1.1\r\n"), "{head}");
    for line in [
        "\r\nconnection: Upgrade\r\n",
        "\r\nupgrade: websocket\r\n",
        "\r\nsec-websocket-key: a2V5\r\n",
        "\r\nsec-websocket-version: 13\r\n",
        "\r\nsec-websocket-protocol: b, a\r\n",
        "\r\nsec-websocket-extensions: x; y=1\r\n",
        "\r\nx-forwarded-for: 127.0.0.1\r\n",
    ] {
        assert_eq!(head.matches(line).count(), 1, "{line} {head}");
    }
    // The client gets a 101 when the upstream has sent one, and not before.
    assert_eq!(wire.now().await, "");
    peer.write("HTTP/1.1 101 Fine\r\nConnection: upgrade\r\nKeep-Alive: 5\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: z\r\nSec-WebSocket-Protocol: a\r\nContent-Length: 0\r\nX-Y: 1\r\n\r\n").await;
    let head = wire.head().await;
    let mut lines: Vec<&str> = head.trim_end().split("\r\n").collect();
    lines.retain(|line| !line.starts_with("date: "));
    lines[1..].sort_unstable();
    assert_eq!(
        lines,
        [
            "HTTP/1.1 101 Fine",
            "connection: upgrade",
            "sec-websocket-accept: z",
            "sec-websocket-protocol: a",
            "upgrade: WebSocket",
            "x-y: 1",
        ]
    );
}

#[tokio::test]
async fn upstream_25_other_requests_are_passed_on_without_upgrade() {
    let body = "content-length: 1\r\n\r\nx";
    for (line, headers) in [
        (
            "GET / HTTP/1.0",
            "connection: upgrade\r\nupgrade: websocket\r\n\r\n",
        ),
        (
            "POST / HTTP/1.1",
            "connection: upgrade\r\nupgrade: websocket\r\n\r\n",
        ),
        (
            "HEAD / HTTP/1.1",
            "connection: upgrade\r\nupgrade: websocket\r\n\r\n",
        ),
        ("GET / HTTP/1.1", "upgrade: websocket\r\n\r\n"),
        ("GET / HTTP/1.1", "connection: upgrade\r\n\r\n"),
        (
            "GET / HTTP/1.1",
            "connection: close\r\nupgrade: websocket\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1",
            "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1",
            "connection: upgrade\r\nupgrade: TLS/1.2\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1",
            "connection: upgrade\r\nupgrade: websocket2\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1",
            &format!("connection: upgrade\r\nupgrade: websocket\r\n{body}"),
        ),
    ] {
        let upstream = Listener::bind().await;
        let front = serve(proxy(&upstream)).await;
        let mut wire = client(front).await;
        wire.write(&format!("{line}\r\nhost: h\r\n{headers}")).await;
        let mut peer = upstream.accept().await;
        let head = peer.head().await;
        assert!(
            !head.contains("upgrade") && !head.contains("connection"),
            "{line} {headers}{head}"
        );
        // It was not asked for a tunnel.
        peer.write(SWITCH).await;
        let head = wire.head().await;
        assert!(head.contains(" 502 "), "{line} {headers}{head}");
    }
}

/// The server of such a request cannot give its connection away.
#[tokio::test]
async fn upstream_25_a_caller_without_upgrades_gets_a_response() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let mut heads = upstream.answering(OK);
    let request = Request::get("/").header("connection", "upgrade");
    let request = request.header("upgrade", "websocket").body(Body::default());
    let response = ask(&app, request.unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(!heads.recv().await.unwrap().contains("upgrade"));
}

#[tokio::test]
async fn upstream_25_the_option_has_the_protocols() {
    for (protocols, sent, passed) in [
        (&["acme/2", "websocket"][..], "acme/2", Some("acme/2")),
        (&["Acme/2"], "acme/2", Some("acme/2")),
        (&["acme/2"], "h2c, ACME/2 , websocket", Some("ACME/2")),
        (&["a", "b"], "b,a", Some("b, a")),
        (&["a", "b"], "a\r\nupgrade: b", Some("a, b")),
        (&["acme/2"], "acme", None),
        (&["acme/2"], "websocket", None),
        (&[], "websocket", None),
    ] {
        let upstream = Listener::bind().await;
        let app = at(&upstream).upgrades(protocols.iter().copied()).unwrap();
        let front = serve(watched(app)).await;
        let mut wire = client(front).await;
        let head =
            format!("GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: {sent}\r\n\r\n");
        wire.write(&head).await;
        let mut peer = upstream.accept().await;
        let head = peer.head().await;
        let line = head.lines().find_map(|line| line.strip_prefix("upgrade: "));
        assert_eq!(line, passed, "{protocols:?} {sent}");
    }
    assert!(at("http://h").upgrades(["h2c"]).is_err());
}

#[tokio::test]
async fn upstream_25_the_upstream_chooses_what_was_offered() {
    for chosen in [
        "upgrade: h2c\r\n",
        "upgrade: websocket, h2c\r\n",
        "upgrade: websocket\r\nupgrade: websocket\r\n",
        "upgrade: \r\n",
        "",
    ] {
        let upstream = Listener::bind().await;
        let front = serve(proxy(&upstream)).await;
        let mut wire = client(front).await;
        wire.write(HANDSHAKE).await;
        let answer = format!("HTTP/1.1 101 x\r\nconnection: upgrade\r\n{chosen}\r\nhidden");
        let peer = upstream.answers(&answer).await;
        let head = wire.head().await;
        assert!(head.starts_with("HTTP/1.1 502 "), "{chosen}{head}");
        // No tunnel is left.
        assert_eq!(peer.rest().await, "");
    }
}

#[tokio::test]
async fn upstream_26_both_sides_may_send_at_once() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;
    let mut wire = client(front).await;
    // Both sides send before they can know of the tunnel.
    wire.write(&format!("{HANDSHAKE}early")).await;
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.write(&format!("{SWITCH}behind")).await;
    wire.head().await;
    assert_eq!(wire.until("behind").await, "behind");
    assert_eq!(peer.until("early").await, "early");
    for at in 0..100 {
        let text = format!("<{at}>");
        wire.write(&text).await;
        peer.write(&text).await;
        assert_eq!(peer.until(">").await, text);
        assert_eq!(wire.until(">").await, text);
    }
}

#[tokio::test]
async fn upstream_26_a_half_close_is_passed_on() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;

    let (mut wire, mut peer) = tunnel(&upstream, front).await;
    wire.write("last").await;
    wire.shut_down().await;
    assert_eq!(peer.until("last").await, "last");
    assert!(peer.is_closed().await);
    // The other direction goes on.
    peer.write("one").await;
    assert_eq!(wire.until("one").await, "one");
    peer.write("two").await;
    drop(peer);
    assert_eq!(wire.rest().await, "two");

    let (mut wire, mut peer) = tunnel(&upstream, front).await;
    peer.write("last").await;
    peer.shut_down().await;
    assert_eq!(wire.until("last").await, "last");
    assert!(wire.is_closed().await);
    wire.write("one").await;
    assert_eq!(peer.until("one").await, "one");
    wire.write("two").await;
    drop(wire);
    assert_eq!(peer.rest().await, "two");
}

#[tokio::test]
async fn upstream_26_a_tunnel_holds_little() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;
    let (mut wire, mut peer) = tunnel(&upstream, front).await;
    let chunk = "x".repeat(1 << 20);
    let mut sent = 0;
    // Only the buffers of the sockets and of the tunnel take something while nothing is read.
    while sent < 64 && timeout(SHORT, peer.write(&chunk)).await.is_ok() {
        sent += 1;
    }
    assert!(sent < 32, "{sent} MiB were taken");
    // Reading on makes room again.
    let reading = async {
        for _ in 0..sent {
            wire.until(&chunk).await;
        }
    };
    timeout(Duration::from_secs(20), reading).await.unwrap();
}

#[tokio::test]
async fn upstream_27_a_refusal_is_an_ordinary_response() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;
    let mut wire = client(front).await;
    wire.write(HANDSHAKE).await;
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.write("HTTP/1.1 403 Forbidden\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 2\r\nx-y: 1\r\n\r\nno").await;
    let head = wire.head().await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    assert!(
        head.contains("content-length: 2\r\n") && head.contains("x-y: 1\r\n"),
        "{head}"
    );
    assert!(!head.contains("upgrade"), "{head}");
    wire.until("no").await;
    drop(peer);
    // The client's connection goes on.
    for answer in [
        OK,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ] {
        wire.write(HANDSHAKE).await;
        let mut peer = upstream.accept().await;
        let head = peer.head().await;
        assert!(head.contains("upgrade: websocket\r\n"), "{head}");
        peer.write(answer).await;
        let head = wire.head().await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        wire.until("ok").await;
        if !head.contains("content-length") {
            wire.until("0\r\n\r\n").await;
        }
    }
    wire.write("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let mut peer = upstream.accept().await;
    assert!(!peer.head().await.contains("upgrade"));
    peer.write(SWITCH).await;
    assert!(wire.head().await.starts_with("HTTP/1.1 502 "));
}

/// Waits until there are as many tasks as before.
pub(crate) async fn only(tasks: usize) {
    let wait = async {
        while Handle::current().metrics().num_alive_tasks() > tasks {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let count = || Handle::current().metrics().num_alive_tasks();
    timeout(Duration::from_secs(5), wait)
        .await
        .unwrap_or_else(|_| panic!("{} tasks are left, and not {tasks}", count()));
}

#[tokio::test]
async fn upstream_29_the_end_of_one_side_is_that_of_both() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;
    tokio::task::yield_now().await;
    let tasks = Handle::current().metrics().num_alive_tasks();
    let mut open = Vec::new();
    for at in 0..30 {
        let (mut wire, mut peer) = tunnel(&upstream, front).await;
        wire.write("ping").await;
        peer.until("ping").await;
        match at % 3 {
            // The client leaves.
            0 => {
                drop(wire);
                assert_eq!(peer.rest().await, "");
            }
            // The upstream dies, with bytes that it has not read.
            1 => {
                wire.write("unread").await;
                tokio::time::sleep(Duration::from_millis(5)).await;
                drop(peer);
                assert_eq!(wire.rest().await, "");
            }
            _ => open.push((wire, peer)),
        }
    }
    for (mut wire, mut peer) in open {
        peer.write("pong").await;
        wire.until("pong").await;
    }
    only(tasks).await;
}

/// The runtime ends with the program that serves.
#[test]
fn upstream_29_the_end_of_the_server_ends_its_tunnels() {
    let outer = tokio::runtime::Runtime::new().unwrap();
    let inner = tokio::runtime::Runtime::new().unwrap();
    let upstream = outer.block_on(Listener::bind());
    let app = proxy(&upstream);
    let front = inner.block_on(serve(app));
    let (wire, peer) = outer.block_on(tunnel(&upstream, front));
    inner.shutdown_background();
    assert_eq!(outer.block_on(wire.rest()), "");
    assert_eq!(outer.block_on(peer.rest()), "");
}

#[tokio::test]
async fn upstream_29_a_client_that_leaves_gets_no_tunnel() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;
    tokio::task::yield_now().await;
    let tasks = Handle::current().metrics().num_alive_tasks();
    let mut wire = client(front).await;
    wire.write(HANDSHAKE).await;
    let mut peer = upstream.accept().await;
    peer.head().await;
    drop(wire);
    assert_eq!(peer.rest().await, "");
    only(tasks).await;
}

#[tokio::test]
async fn upstream_30_an_idle_tunnel_has_a_limit_on_demand() {
    let upstream = Listener::bind().await;
    let front = serve(watched(at(&upstream).idle_timeout(SHORT))).await;
    let (mut wire, mut peer) = tunnel(&upstream, front).await;
    assert_eq!(wire.now().await, "");
    assert_eq!(wire.now().await, "");
    peer.write("late").await;
    assert_eq!(wire.until("late").await, "late");

    let front = serve(watched(at(&upstream).tunnel_timeout(SHORT * 2))).await;
    let (mut wire, mut peer) = tunnel(&upstream, front).await;
    for _ in 0..4 {
        assert_eq!(wire.now().await, "");
        peer.write("x").await;
        wire.until("x").await;
        assert_eq!(wire.now().await, "");
        wire.write("x").await;
        peer.until("x").await;
    }
    assert_eq!(wire.rest().await, "");
    assert_eq!(peer.rest().await, "");
}

#[tokio::test]
async fn upstream_30_a_half_closed_tunnel_has_the_idle_timeout() {
    let upstream = Listener::bind().await;
    let front = serve(watched(at(&upstream).idle_timeout(SHORT * 2))).await;
    let (mut wire, mut peer) = tunnel(&upstream, front).await;
    wire.shut_down().await;
    for _ in 0..3 {
        assert_eq!(wire.now().await, "");
        peer.write("x").await;
        wire.until("x").await;
    }
    assert_eq!(wire.rest().await, "");
    peer.rest().await;
}

/// An outer layer replaces the 101, and the client's connection stays in HTTP.
#[tokio::test]
async fn upstream_30_a_101_that_is_replaced_leaves_no_tunnel() {
    let upstream = Listener::bind().await;
    let inner = watched(at(&upstream).header_timeout(SHORT));
    let app = service_fn(move |request: Request<Body>| {
        let inner = inner.clone();
        async move {
            ask(&inner, request).await;
            Ok::<_, std::convert::Infallible>(http::Response::new(Body::default()))
        }
    });
    let front = serve(super::boxed(app)).await;
    let mut wire = client(front).await;
    wire.write(HANDSHAKE).await;
    let peer = upstream.answers(SWITCH).await;
    assert!(wire.head().await.starts_with("HTTP/1.1 200 "));
    // The client's connection is still open.
    assert_eq!(peer.rest().await, "");
    assert!(!wire.is_closed().await);
}
