//! Request lines, header lines, and what has no body.

use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use tower::Layer;
use tower_deploy::{App, Body};
use tower_environ::MountLayer;

use super::{
    ask, get, proxy,
    sockets::{Upstream, client, serve},
    text,
};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn the_path_is_passed_on_as_it_is() {
    let upstream = Upstream::bind().await;
    let url = upstream.to_string();
    let mut heads = upstream.answering(OK);
    for (base, asked) in [
        ("", "/"),
        ("", "/a%2Fb/../%2e%2E/c;d=1?x=%20&y"),
        ("", "//evil.example/x"),
        ("/base", "//evil.example"),
    ] {
        let app = proxy(format!("{url}{base}"), "");
        assert_eq!(text(ask(&app, get(asked)).await).await, "ok");
        let head = heads.recv().await.unwrap();
        assert!(
            head.starts_with(&format!("GET {base}{asked} HTTP/1.1\r\n")),
            "{head}"
        );
    }
    // From the wire, too.
    let front = serve(proxy(&url, "")).await;
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
async fn a_target_that_is_too_long_with_the_address_is_a_414() {
    let upstream = Upstream::bind().await;
    let app = proxy(format!("{upstream}/base/"), "");
    let asked = format!("/{}", "x".repeat(65_530));
    let response = ask(&app, get(&asked)).await;
    assert_eq!(response.status(), StatusCode::URI_TOO_LONG);
    assert!(!upstream.is_asked().await);
}

#[tokio::test]
async fn what_a_mount_takes_is_not_passed_on() {
    let upstream = Upstream::bind().await;
    let url = upstream.to_string();
    let mut heads = upstream.answering(OK);
    let app = proxy(format!("{url}/base"), "");
    let app = App::new(MountLayer::new("/shop").unwrap().layer(app));
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
async fn what_is_about_one_hop_stays_there_in_both_directions() {
    let upstream = Upstream::bind().await;
    let front = serve(proxy(&upstream, "")).await;
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
    let host = format!("host: {}", &upstream.to_string()["http://".len()..]);
    assert_eq!(
        lines,
        [
            host.as_str(),
            "via: 1.1 tower-deploy",
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
    // The connection of the client is not the upstream's to close.
    assert_eq!(wire.until("ok").await, "ok");
    wire.write("GET /2 HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(upstream.accept().await.head().await.starts_with("GET /2 "));
}

#[tokio::test]
async fn connection_takes_away_neither_host_nor_length_nor_who_asked() {
    let upstream = Upstream::bind().await;
    let front = serve(proxy(&upstream, "")).await;
    let mut wire = client(front).await;
    wire.write("POST / HTTP/1.1\r\nHost: h\r\nConnection: Host, Content-Length, X-Forwarded-For, X-Forwarded-Host, Via, Forwarded\r\nContent-Length: 4\r\nX-Forwarded-For: 1.1.1.1\r\n\r\nbody").await;
    let mut peer = upstream.accept().await;
    let head = peer.head().await;
    for line in [
        "host: 127.0.0.1:",
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
async fn the_length_or_the_chunks_of_a_request_are_kept() {
    let upstream = Upstream::bind().await;
    let front = serve(proxy(&upstream, "")).await;
    for (given, head_has, head_lacks, body) in [
        (
            "GET / HTTP/1.1\r\nhost: h\r\n\r\n",
            "GET / ",
            "content-length transfer-encoding",
            "",
        ),
        (
            "HEAD / HTTP/1.1\r\nhost: h\r\n\r\n",
            "HEAD / ",
            "content-length transfer-encoding",
            "",
        ),
        (
            "DELETE / HTTP/1.1\r\nhost: h\r\n\r\n",
            "DELETE / ",
            "content-length transfer-encoding",
            "",
        ),
        (
            "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n",
            "content-length: 0\r\n",
            "transfer-encoding",
            "",
        ),
        (
            "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nbody",
            "content-length: 4\r\n",
            "transfer-encoding",
            "body",
        ),
        (
            "GET / HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nbody",
            "content-length: 4\r\n",
            "transfer-encoding",
            "body",
        ),
        (
            "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
            "transfer-encoding: chunked\r\n",
            "content-length",
            "4\r\nbody\r\n0\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
            "transfer-encoding: chunked\r\n",
            "content-length",
            "4\r\nbody\r\n0\r\n\r\n",
        ),
        // Smuggling: only one of the two is true, and only that goes on.
        (
            "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
            "transfer-encoding: chunked\r\n",
            "content-length",
            "4\r\nbody\r\n0\r\n\r\n",
        ),
    ] {
        let mut wire = client(front).await;
        wire.write(given).await;
        let mut peer = upstream.accept().await;
        let head = peer.head().await;
        assert!(head.contains(head_has), "{given}: {head}");
        for lacks in head_lacks.split(' ') {
            assert!(!head.contains(lacks), "{given}: {head}");
        }
        assert_eq!(peer.until(body).await, body);
        assert_eq!(peer.now().await, "", "{given}");
    }
}

#[tokio::test]
async fn a_head_that_lies_about_the_body_is_put_right() {
    // As after a filter that has read the body.
    let upstream = Upstream::bind().await;
    let app = proxy(&upstream, "");
    let mut heads = upstream.answering(OK);
    let request = Request::post("/")
        .header("content-length", "10")
        .header("transfer-encoding", "chunked")
        .body(Body::default())
        .unwrap();
    ask(&app, request).await;
    let head = heads.recv().await.unwrap();
    assert!(
        head.contains("content-length: 0\r\n") && !head.contains("transfer-encoding"),
        "{head}"
    );
}

#[tokio::test]
async fn what_has_no_body_has_none_and_the_connection_goes_on() {
    let upstream = Upstream::bind().await;
    let front = serve(proxy(&upstream, "")).await;
    let mut wire = client(front).await;
    for (method, answer, has) in [
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\netag: \"x\"\r\n\r\n",
            "content-length: 10\r\n",
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\ncontent-length: 10\r\n\r\n",
            "content-length: 10\r\n",
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\netag: \"x\"\r\n\r\n",
            "etag: \"x\"\r\n",
        ),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\netag: \"x\"\r\n\r\n",
            "etag: \"x\"\r\n",
        ),
        (
            "GET",
            "HTTP/1.1 204 No Content\r\n\r\n",
            " 204 No Content\r\n",
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "content-length: 0\r\n",
        ),
    ] {
        wire.write(&format!("{method} / HTTP/1.1\r\nhost: h\r\n\r\n"))
            .await;
        let mut peer = upstream.accept().await;
        peer.head().await;
        peer.write(answer).await;
        drop(peer);
        let head = wire.head().await;
        assert!(
            head.contains(has) && !head.contains("transfer-encoding"),
            "{answer}: {head}"
        );
        assert_eq!(wire.now().await, "", "{answer}");
    }
}

#[tokio::test]
async fn of_a_response_with_two_lengths_only_the_chunks_count() {
    let upstream = Upstream::bind().await;
    let url = upstream.to_string();
    upstream.answering("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
    let response = ask(&proxy(url, ""), get("/")).await;
    assert_eq!(response.headers().len(), 0);
    assert_eq!(text(response).await, "body");
}

#[tokio::test]
async fn the_host_is_the_upstreams_or_on_demand_the_clients() {
    let upstream = Upstream::bind().await;
    let url = upstream.to_string();
    let own = url["http://".len()..].to_owned();
    let mut heads = upstream.answering(OK);
    for (setting, host) in [
        ("", own.as_str()),
        ("host = upstream\n", &own),
        ("host = client\n", "example.org:81"),
    ] {
        let front = serve(proxy(&url, setting)).await;
        for version in ["h1", "h2"] {
            if version == "h1" {
                let mut wire = client(front).await;
                wire.write("GET / HTTP/1.1\r\nHost: example.org:81\r\n\r\n")
                    .await;
                wire.until("ok").await;
            } else {
                let stream = tokio::net::TcpStream::connect(front).await.unwrap();
                let (mut send, connection) = hyper::client::conn::http2::handshake(
                    TokioExecutor::new(),
                    TokioIo::new(stream),
                )
                .await
                .unwrap();
                tokio::spawn(connection);
                let request = Request::get("http://example.org:81/")
                    .header("cookie", "a=1")
                    .header("cookie", "b=2")
                    .body(Full::<bytes::Bytes>::default());
                let response = send.send_request(request.unwrap()).await.unwrap();
                assert_eq!(
                    response.into_body().collect().await.unwrap().to_bytes(),
                    "ok"
                );
            }
            let head = heads.recv().await.unwrap();
            assert!(head.contains(&format!("\r\nhost: {host}\r\n")), "{head}");
            assert!(
                head.contains("\r\nx-forwarded-host: example.org:81\r\n"),
                "{head}"
            );
            assert!(head.contains("\r\nx-forwarded-port: 81\r\n"), "{head}");
            if version == "h2" {
                assert!(head.contains("\r\nvia: 2.0 tower-deploy\r\n"), "{head}");
                assert!(head.contains("\r\ncookie: a=1; b=2\r\n"), "{head}");
                assert!(!head.contains("transfer-encoding"), "{head}");
            }
        }
    }
    // HTTP/1.0 may have none.
    let front = serve(proxy(&url, "host = client\n")).await;
    let mut wire = client(front).await;
    wire.write("GET / HTTP/1.0\r\n\r\n").await;
    wire.until("ok").await;
    let head = heads.recv().await.unwrap();
    assert!(
        head.contains(&format!("\r\nhost: {own}\r\n")) && !head.contains("forwarded-host"),
        "{head}"
    );
}

#[tokio::test]
async fn a_host_that_is_none_is_a_400() {
    let upstream = Upstream::bind().await;
    let front = serve(proxy(&upstream, "")).await;
    for hosts in [
        "host: a\r\nhost: a\r\n",
        "host: a,b\r\n",
        "host: joe@a\r\n",
        "host: a\"b\r\n",
        "host: a/b\r\n",
        "host: a;proto=https\r\n",
    ] {
        let mut wire = client(front).await;
        wire.write(&format!("GET / HTTP/1.1\r\n{hosts}\r\n")).await;
        assert!(wire.head().await.starts_with("HTTP/1.1 400 "), "{hosts}");
    }
    assert!(!upstream.is_asked().await);
}

#[tokio::test]
async fn methods_that_are_not_listed_are_a_405_that_lists_them() {
    let upstream = Upstream::bind().await;
    let app = proxy(&upstream, "allowed_request_methods = get HEAD\n");
    for method in ["POST", "get", "OPTIONS"] {
        let request = Request::builder().method(method).body(Body::default());
        let response = ask(&app, request.unwrap()).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "GET, HEAD");
        assert_eq!(text(response).await, "this method is not allowed here\n");
    }
    assert!(!upstream.is_asked().await);
    let mut heads = upstream.answering(OK);
    assert_eq!(ask(&app, get("/")).await.status(), StatusCode::OK);
    assert!(heads.recv().await.is_some());
}

#[tokio::test]
async fn a_tunnel_is_a_501_and_an_upgrade_is_not_passed_on() {
    let upstream = Upstream::bind().await;
    let front = serve(proxy(&upstream, "")).await;
    let mut wire = client(front).await;
    wire.write("CONNECT example.org:443 HTTP/1.1\r\nhost: example.org:443\r\n\r\n")
        .await;
    assert!(wire.head().await.starts_with("HTTP/1.1 501 "));

    for (answer, status) in [
        (
            "HTTP/1.1 426 Upgrade Required\r\nupgrade: websocket\r\ncontent-length: 0\r\n\r\n",
            "426",
        ),
        // Nobody has asked for it.
        (
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            "502",
        ),
    ] {
        let mut wire = client(front).await;
        wire.write("GET / HTTP/1.1\r\nhost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n").await;
        let mut peer = upstream.accept().await;
        let head = peer.head().await;
        assert!(
            !head.contains("upgrade") && !head.contains("connection"),
            "{head}"
        );
        assert!(head.contains("sec-websocket-version: 13\r\n"), "{head}");
        peer.write(answer).await;
        let head = wire.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(!head.contains("upgrade"), "{head}");
    }
}

#[tokio::test]
async fn suppressed_headers_do_not_reach_the_upstream() {
    let upstream = Upstream::bind().await;
    let url = upstream.to_string();
    let mut heads = upstream.answering(OK);
    let app = proxy(
        url,
        "suppress_http_headers = User-Agent x-forwarded-PROTO via host\n",
    );
    let request = Request::builder()
        .method(Method::GET)
        .header("user-agent", "x")
        .header("user_agent", "x")
        .header("user.agent", "x")
        .header("accept", "*/*");
    ask(&app, request.body(Body::default()).unwrap()).await;
    let head = heads.recv().await.unwrap();
    for name in ["user-agent", "user_agent", "x-forwarded-proto", "via"] {
        assert!(!head.contains(name), "{name} {head}");
    }
    assert!(
        head.contains("accept: */*\r\n") && head.contains("\r\nhost: 127"),
        "{head}"
    );
}

#[tokio::test]
async fn the_upstreams_own_reason_and_informational_answers_do_no_harm() {
    let upstream = Upstream::bind().await;
    let front = serve(proxy(&upstream, "")).await;
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
async fn a_hyper_server_understands_the_proxy() {
    let echo = tower::service_fn(async |request: Request<Body>| {
        Ok::<_, std::convert::Infallible>(http::Response::new(request.into_body()))
    });
    let upstream = serve(App::new(echo)).await;
    let front = serve(proxy(format!("http://localhost:{}", upstream.port()), "")).await;
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
