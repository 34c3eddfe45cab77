//! HTTP/1, HTTP/2 and upgrades.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
};

use axum::{Router, extract::ws, routing};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio_tungstenite::tungstenite::Message;
use tower_origin::PeerAddr;

use super::*;

type Http2 = (Pool<Counting, Full<Bytes>>, Arc<AtomicUsize>);

/// A connector that counts its connections.
#[derive(Clone)]
pub(super) struct Counting {
    inner: HttpConnector,
    count: Arc<AtomicUsize>,
}

impl Service<Uri> for Counting {
    type Response = TokioIo<TcpStream>;
    type Error = <HttpConnector as Service<Uri>>::Error;
    type Future = <HttpConnector as Service<Uri>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.inner.call(uri)
    }
}

/// Returns a client that knows that the server speaks HTTP/2.
pub(super) fn http2() -> Http2 {
    let count = Arc::new(AtomicUsize::new(0));
    let connector = Counting {
        inner: HttpConnector::new(),
        count: Arc::clone(&count),
    };
    let client = Pool::builder(TokioExecutor::new())
        .http2_only(true)
        .build(connector);
    (client, count)
}

pub(super) fn connections(client: &Http2) -> usize {
    client.1.load(Ordering::Relaxed)
}

pub(super) async fn get(client: &Http2, address: SocketAddr, path: &str) -> String {
    let uri = format!("http://{address}{path}").parse().unwrap();
    let response = timeout(PATIENCE, client.0.get(uri)).await.unwrap().unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}

#[tokio::test]
async fn serve_19_both_versions_are_spoken_at_one_address() {
    let server = run(server(), echo_path()).await;
    assert!(server.get("/one").await.ends_with("\r\n\r\n/one"));
    let client = http2();
    let (one, two) = tokio::join!(
        get(&client, server.address, "/one"),
        get(&client, server.address, "/two"),
    );
    assert_eq!((one.as_str(), two.as_str()), ("/one", "/two"));
}

#[tokio::test]
async fn serve_17_each_request_has_the_address_of_its_peer() {
    let peer = service(async |request: Request<RequestBody>| {
        let peer = request.extensions().get::<PeerAddr>().unwrap();
        Body::from(peer.0.to_string())
    });
    let server = run(server(), peer).await;
    let mut client = server.connect().await;
    let own = client.0.local_addr().unwrap().to_string();
    assert!(client.get("/").await.ends_with(&own));
    assert!(client.get("/").await.ends_with(&own));
    let body = get(&http2(), server.address, "/").await;
    assert!(body.starts_with("127.0.0.1:"), "{body}");
}

fn echo_socket() -> Router {
    let upgrade = async |upgrade: ws::WebSocketUpgrade| {
        upgrade.on_upgrade(async |mut socket: ws::WebSocket| {
            while let Some(Ok(message)) = socket.recv().await {
                let _ = socket.send(message).await;
            }
        })
    };
    Router::new().route("/socket", routing::any(upgrade))
}

#[tokio::test]
async fn serve_19_a_web_socket_is_left_to_the_service() {
    let short = ms(100);
    let server = server().header_timeout(short).body_timeout(short);
    let server = run(server, echo_socket()).await;
    let url = format!("ws://{}/socket", server.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    tokio::time::sleep(short * 3).await;
    socket.send(Message::text("one")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("one"));
    // The server does not wait for it, and does not end it.
    let Running { trigger, task, .. } = server;
    trigger.signal();
    timeout(PATIENCE, task).await.unwrap().unwrap().unwrap();
    socket.send(Message::text("two")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("two"));
}

#[tokio::test]
async fn serve_12_an_upgraded_connection_counts_until_it_is_closed() {
    let server = run(server().connections(1), echo_socket()).await;
    let url = format!("ws://{}/socket", server.address);
    let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let mut other = server.connect().await;
    other.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(other.is_silent_for(ms(150)).await);
    drop(socket);
    assert!(other.response().await.starts_with("HTTP/1.1 404 "));
}
