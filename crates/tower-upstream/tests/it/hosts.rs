//! Which host the upstream finds in `Host`.

use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tower::{Layer, ServiceExt};
use tower_origin::{OriginLayer, XForwarded};
use tower_upstream::HostPolicy;

use super::{
    Body, OK, at, proxy,
    sockets::{Listener, client, serve},
    watched,
};

#[tokio::test]
async fn upstream_5_the_host_is_the_upstreams_or_the_clients() {
    let upstream = Listener::bind().await;
    let url = upstream.to_string();
    let own = url["http://".len()..].to_owned();
    let mut heads = upstream.answering(OK);
    for (upstream, host) in [
        (at(&url), "example.org:81"),
        (at(&url).host(HostPolicy::Upstream), &own),
        (at(&url).host(HostPolicy::Client), "example.org:81"),
    ] {
        let front = serve(watched(upstream)).await;
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
                assert!(head.contains("\r\nvia: 2.0 tower-upstream\r\n"), "{head}");
                assert!(head.contains("\r\ncookie: a=1; b=2\r\n"), "{head}");
                assert!(!head.contains("transfer-encoding"), "{head}");
            }
        }
    }
    // HTTP/1.0 may have none.
    let front = serve(watched(at(&url))).await;
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
async fn upstream_5_the_clients_host_is_that_of_an_origin() {
    let upstream = Listener::bind().await;
    let url = upstream.to_string();
    let own = url["http://".len()..].to_owned();
    let mut heads = upstream.answering(OK);
    // As from nginx, which by default sends its upstream's name, here with a trusted report of the
    // client's.
    let origin = OriginLayer::new()
        .trusted_without_address()
        .x_forwarded([XForwarded::Host]);
    let request = |host: &str, forwarded: &str| {
        let mut request = Request::get("/").header("host", host);
        if !forwarded.is_empty() {
            request = request.header("x-forwarded-host", forwarded);
        }
        request.body(Body::default()).unwrap()
    };
    for (policy, host, forwarded, seen) in [
        (
            HostPolicy::Client,
            "site",
            "Example.org:8443",
            "example.org:8443",
        ),
        (HostPolicy::Client, "site", "example.org:80", "example.org"),
        (HostPolicy::Client, "Example.org:81", "", "example.org:81"),
        (HostPolicy::Upstream, "site", "example.org", own.as_str()),
    ] {
        let app = origin.clone().layer(at(&url).host(policy));
        let response = app.oneshot(request(host, forwarded)).await.unwrap();
        assert_eq!(response.status(), 200);
        let head = heads.recv().await.unwrap();
        assert!(head.contains(&format!("\r\nhost: {seen}\r\n")), "{head}");
    }
    // A list of hosts keeps a client from choosing a site of the server.
    let app = origin.hosts(["example.org"]).unwrap().layer(at(&url));
    let response = app.oneshot(request("internal.example", "")).await.unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn upstream_5_an_invalid_host_is_a_400() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;
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
