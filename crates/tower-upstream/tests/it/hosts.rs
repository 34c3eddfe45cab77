//! Which host the upstream finds in `Host`.

use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tower_upstream::HostPolicy;

use super::{
    OK, at, proxy,
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
        (at(&url), own.as_str()),
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
    let front = serve(watched(at(&url).host(HostPolicy::Client))).await;
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
