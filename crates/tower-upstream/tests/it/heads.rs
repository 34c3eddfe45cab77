//! Request lines and header lines.

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::Layer;
use tower_environ::MountLayer;

use super::{
    Body, OK, ask, boxed, get, proxy,
    sockets::{Listener, client, serve},
    text,
};

#[tokio::test]
async fn upstream_1_the_path_is_passed_on_as_it_is() {
    let upstream = Listener::bind().await;
    let url = upstream.to_string();
    let mut heads = upstream.answering(OK);
    for (base, asked) in [
        ("", "/"),
        ("", "/a%2Fb/../%2e%2E/c;d=1?x=%20&y"),
        ("", "//evil.example/x"),
        ("/base", "//evil.example"),
    ] {
        let app = proxy(format!("{url}{base}"));
        assert_eq!(text(ask(&app, get(asked)).await).await, "ok");
        let head = heads.recv().await.unwrap();
        assert!(
            head.starts_with(&format!("GET {base}{asked} HTTP/1.1\r\n")),
            "{head}"
        );
    }
    // The same from the wire.
    let front = serve(proxy(&url)).await;
    for (line, sent) in [
        (
            "GET //evil.example/x HTTP/1.1",
            "GET //evil.example/x HTTP/1.1",
        ),
        ("GET http://evil.example/x HTTP/1.1", "GET /x HTTP/1.1"),
        ("OPTIONS * HTTP/1.1", "OPTIONS * HTTP/1.1"),
        ("GET /old HTTP/1.0", "GET /old HTTP/1.1"),
    ] {
        let mut wire = client(front).await;
        wire.write(&format!("{line}\r\nhost: h\r\n\r\n")).await;
        assert!(wire.until("ok").await.contains(" 200 OK\r\n"));
        let head = heads.recv().await.unwrap();
        assert!(head.starts_with(&format!("{sent}\r\n")), "{head}");
    }
}

#[tokio::test]
async fn upstream_1_a_target_that_is_too_long_is_a_414() {
    let upstream = Listener::bind().await;
    let app = proxy(format!("{upstream}/base/"));
    let asked = format!("/{}", "x".repeat(65_530));
    let response = ask(&app, get(&asked)).await;
    assert_eq!(response.status(), StatusCode::URI_TOO_LONG);
    assert!(!upstream.is_asked().await);
}

#[tokio::test]
async fn upstream_1_the_path_of_a_mount_is_not_passed_on() {
    let upstream = Listener::bind().await;
    let url = upstream.to_string();
    let mut heads = upstream.answering(OK);
    let app = proxy(format!("{url}/base"));
    let app = boxed(MountLayer::new("/shop").unwrap().layer(app));
    for (asked, sent) in [
        ("/shop/a%2Fb?q", "/base/a%2Fb?q"),
        ("/shop/", "/base/"),
        ("/shop?q", "/base?q"),
    ] {
        ask(&app, get(asked)).await;
        let head = heads.recv().await.unwrap();
        assert!(
            head.starts_with(&format!("GET {sent} HTTP/1.1\r\n")),
            "{head}"
        );
        assert!(head.contains("\r\nx-forwarded-prefix: /shop\r\n"), "{head}");
    }
}

#[tokio::test]
async fn upstream_2_fields_about_one_hop_stay_there_both_ways() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;
    let mut wire = client(front).await;
    wire.write("GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-One\r\nConnection: x-TWO\r\nX-One: 1\r\nx-two: 2\r\nX-Three: 3\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nProxy-Authorization: Basic x\r\nProxy: http://evil\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n").await;
    let mut peer = upstream.accept().await;
    let head = peer.head().await;
    let mut lines: Vec<&str> = head
        .lines()
        .skip(1)
        .filter(|line| !line.is_empty())
        .collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "host: h",
            "via: 1.1 tower-upstream",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: h",
            "x-forwarded-port: 80",
            "x-forwarded-proto: http",
            "x-three: 3",
        ]
    );
    peer.write("HTTP/1.1 200 OK\r\nConnection: X-One, close\r\nconnection: X-Two\r\nx-one: 1\r\nX-TWO: 2\r\nx-three: 3\r\nKeep-Alive: 5\r\nProxy-Authenticate: x\r\nUpgrade: h2\r\nLocation: http://inside/x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok").await;
    let head = wire.head().await;
    let mut lines: Vec<&str> = head
        .lines()
        .skip(1)
        .filter(|line| !line.is_empty() && !line.starts_with("date: "))
        .collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "content-length: 2",
            "location: http://inside/x",
            "set-cookie: a",
            "set-cookie: b",
            "x-three: 3"
        ]
    );
    // The upstream does not close the client's connection.
    assert_eq!(wire.until("ok").await, "ok");
    wire.write("GET /2 HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(upstream.accept().await.head().await.starts_with("GET /2 "));
}

#[tokio::test]
async fn upstream_2_connection_removes_no_field_of_the_proxy() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;
    let mut wire = client(front).await;
    wire.write("POST / HTTP/1.1\r\nHost: h\r\nConnection: Host, Content-Length, X-Forwarded-For, X-Forwarded-Host, Via, Forwarded\r\nContent-Length: 4\r\nX-Forwarded-For: 1.1.1.1\r\n\r\nbody").await;
    let mut peer = upstream.accept().await;
    let head = peer.head().await;
    for line in [
        "\r\nhost: h\r\n",
        "content-length: 4\r\n",
        "x-forwarded-for: 127.0.0.1\r\n",
        "x-forwarded-host: h\r\n",
        "via: ",
    ] {
        assert_eq!(head.matches(line).count(), 1, "{line} {head}");
    }
    assert_eq!(peer.until("body").await, "body");
}

#[tokio::test]
async fn upstream_6_a_tunnel_is_a_501() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;
    let mut wire = client(front).await;
    wire.write("CONNECT example.org:443 HTTP/1.1\r\nhost: example.org:443\r\n\r\n")
        .await;
    assert!(wire.head().await.starts_with("HTTP/1.1 501 "));
    assert!(!upstream.is_asked().await);
}

#[tokio::test]
async fn upstream_8_a_103_and_an_odd_reason_do_no_harm() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;
    let mut wire = client(front).await;
    wire.write("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.write("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.0 299 Fine\r\nx: y\r\n\r\nclose-delimited").await;
    drop(peer);
    let head = wire.head().await;
    assert!(head.starts_with("HTTP/1.1 299 Fine\r\n"), "{head}");
    assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
    assert_eq!(
        wire.until("0\r\n\r\n").await,
        "F\r\nclose-delimited\r\n0\r\n\r\n"
    );
}

#[tokio::test]
async fn upstream_8_a_hyper_server_understands_the_proxy() {
    let echo = tower::service_fn(async |request: Request<Body>| {
        Ok::<_, std::convert::Infallible>(http::Response::new(request.into_body()))
    });
    let upstream = serve(boxed(echo)).await;
    let front = serve(proxy(format!("http://localhost:{}", upstream.port()))).await;
    let client = Client::builder(TokioExecutor::new()).build_http();
    for length in [0, 1, 100_000] {
        let sent = "x".repeat(length);
        let request = Request::post(format!("http://{front}/"))
            .body(Full::<bytes::Bytes>::from(sent.clone()));
        let response = client.request(request.unwrap()).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, sent);
    }
}
