//! Responses before the end of the upload.

use http::Request;

use super::{
    ask,
    bodies::{channel, data},
    proxy,
    sockets::{Listener, client, serve},
    text,
};

#[tokio::test]
async fn upstream_11_an_early_response_reaches_the_client() {
    let upstream = Listener::bind().await;
    let mut wire = client(serve(proxy(&upstream)).await).await;
    wire.write("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000\r\n\r\nbegin")
        .await;
    let mut peer = upstream.accept().await;
    peer.until("begin").await;
    peer.write(
        "HTTP/1.1 413 Payload Too Large\r\nconnection: close\r\ncontent-length: 9\r\n\r\ntoo large",
    )
    .await;
    let head = wire.head().await;
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    assert_eq!(wire.until("too large").await, "too large");
    // RFC 9112, section 9.6: that was the last on this connection.
    assert_eq!(peer.rest().await, "");
}

#[tokio::test]
async fn upstream_11_a_refused_upload_stops() {
    for (status, has_more) in [("413 Payload Too Large", false), ("200 OK", true)] {
        let upstream = Listener::bind().await;
        let app = proxy(&upstream);
        let (sender, body) = channel();
        let request = Request::post("/").body(body).unwrap();
        let (mut peer, response) = tokio::join!(
            async {
                let mut peer = upstream.accept().await;
                peer.head().await;
                let head = "connection: close\r\ncontent-length: 4\r\n\r\nwh";
                peer.write(&format!("HTTP/1.1 {status}\r\n{head}")).await;
                peer
            },
            ask(&app, request)
        );
        sender.send(data("more")).await.unwrap();
        assert_eq!(peer.now().await.contains("more"), has_more, "{status}");
        peer.write("y?").await;
        assert_eq!(text(response).await, "why?");
        assert_eq!(peer.rest().await, "");
        sender.closed().await;
    }
}

#[tokio::test]
async fn upstream_11_an_upload_continues_on_an_open_connection() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let (sender, body) = channel();
    let request = Request::post("/").body(body).unwrap();
    let (mut peer, response) = tokio::join!(
        upstream.answers("HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\nok"),
        ask(&app, request)
    );
    assert_eq!(text(response).await, "ok");
    sender.send(data("more")).await.unwrap();
    drop(sender);
    assert!(peer.until("0\r\n\r\n").await.ends_with("more\r\n0\r\n\r\n"));
}
