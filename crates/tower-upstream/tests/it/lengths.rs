//! The length of bodies, and how it is stated.

use http::Request;

use super::{
    Body, OK, ask, get, proxy,
    sockets::{Listener, client, serve},
    text,
};

#[tokio::test]
async fn upstream_7_length_or_chunks_of_a_request_are_kept() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;
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
        // Smuggling: only one of the two is true, and only that one is passed on.
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
async fn upstream_7_a_wrong_length_in_a_head_is_fixed() {
    // As after a layer that has read the body.
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
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
async fn upstream_7_a_response_without_content_keeps_the_connection() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;
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
async fn upstream_7_chunks_count_before_a_length() {
    let upstream = Listener::bind().await;
    let url = upstream.to_string();
    upstream.answering("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
    let response = ask(&proxy(url), get("/")).await;
    assert_eq!(response.headers().len(), 0);
    assert_eq!(text(response).await, "body");
}
