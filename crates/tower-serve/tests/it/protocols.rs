//! HTTP/1, HTTP/2 and what comes of them; apps of every kind.

use std::{
    convert::Infallible,
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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
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

/// A client that knows that the server speaks HTTP/2.
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
async fn both_versions_are_spoken_at_one_address() {
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
async fn each_request_knows_its_peer() {
    let peer = app(async |request: Request<RequestBody>| {
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

#[tokio::test]
async fn a_router_of_axum_is_an_app() {
    let router = Router::new().route("/hello/{name}", routing::get(hello));
    let server = run(server(), router).await;
    assert!(server.get("/hello/you").await.ends_with("hello you"));
    let none = server.get("/none").await;
    assert!(none.starts_with("HTTP/1.1 404 "), "{none}");
}

async fn hello(axum::extract::Path(name): axum::extract::Path<String>) -> String {
    format!("hello {name}")
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
async fn a_web_socket_works_and_is_the_apps_own() {
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
async fn an_upgraded_connection_counts_until_it_is_closed() {
    let server = run(server().connections(1), echo_socket()).await;
    let url = format!("ws://{}/socket", server.address);
    let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let mut other = server.connect().await;
    other.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(other.is_silent_for(ms(150)).await);
    drop(socket);
    assert!(other.answer().await.starts_with("HTTP/1.1 404 "));
}

/// Ready at the second time of asking; an instance that is called before that panics.
#[derive(Default)]
struct Shy {
    asked: usize,
}

impl Clone for Shy {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Request<RequestBody>> for Shy {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.asked += 1;
        if self.asked == 1 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<RequestBody>) -> Self::Future {
        assert_eq!(std::mem::take(&mut self.asked), 2, "this one was not ready");
        std::future::ready(Ok(Response::new(Full::from("ready"))))
    }
}

#[tokio::test]
async fn the_instance_that_is_called_is_the_one_that_was_ready() {
    let server = run(server(), Shy::default()).await;
    let mut client = server.connect().await;
    assert!(client.get("/").await.ends_with("ready"));
    assert!(client.get("/").await.ends_with("ready"));
    let client = http2();
    assert_eq!(get(&client, server.address, "/").await, "ready");
    assert_eq!(get(&client, server.address, "/").await, "ready");
}

/// Ready with the one permit, which a refusal leaves where it is, as a layer does that answers without its inner service.
struct OneAtATime {
    permits: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Clone for OneAtATime {
    fn clone(&self) -> Self {
        Self {
            permits: self.permits.clone(),
            permit: None,
        }
    }
}

impl Service<Request<RequestBody>> for OneAtATime {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.permit.is_none() {
            self.permit = self.permits.clone().try_acquire_owned().ok();
        }
        if self.permit.is_none() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let text = match request.uri().path() {
            "/refused" => "refused",
            _ => {
                self.permit = None;
                "served"
            }
        };
        std::future::ready(Ok(Response::new(Full::from(text))))
    }
}

#[tokio::test]
async fn an_idle_connection_holds_nothing_that_the_app_was_ready_with() {
    let app = OneAtATime {
        permits: Arc::new(Semaphore::new(1)),
        permit: None,
    };
    let server = run(server(), app).await;
    let mut idle = server.connect().await;
    assert!(idle.get("/refused").await.ends_with("refused"));
    assert!(server.get("/").await.ends_with("served"));
    assert!(idle.get("/").await.ends_with("served"));
}

/// Cannot be made ready.
#[derive(Clone)]
struct Down;

impl Service<Request<RequestBody>> for Down {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = std::future::Pending<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Err("down".into()))
    }

    fn call(&mut self, _: Request<RequestBody>) -> Self::Future {
        unreachable!("it is never ready")
    }
}

#[tokio::test]
async fn an_app_that_cannot_be_made_ready_ends_its_connection() {
    let server = run(server(), Down).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.rest().await.0, b"");
    let uri = format!("http://{}/", server.address).parse().unwrap();
    let answer = timeout(PATIENCE, http2().0.get(uri)).await.unwrap();
    assert!(answer.is_err());
}

#[tokio::test]
async fn an_app_that_fails_ends_its_connection() {
    let failing =
        tower::service_fn(
            async |request: Request<RequestBody>| match request.uri().path() {
                "/" => Ok(Response::new(Body::from("fine"))),
                _ => Err::<_, BoxError>("broken".into()),
            },
        );
    let server = run(server(), failing).await;
    let mut client = server.connect().await;
    client.send("GET /fail HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.rest().await.0, b"");
    assert!(server.get("/").await.ends_with("fine"));
}

#[tokio::test]
async fn a_panic_ends_one_connection_and_nothing_else() {
    let panicking = app(async |request: Request<RequestBody>| {
        assert_ne!(request.uri().path(), "/panic", "as it was asked to");
        Body::from("fine")
    });
    let server = run(server(), panicking).await;
    let mut other = server.connect().await;
    assert!(other.get("/").await.ends_with("fine"));
    let mut client = server.connect().await;
    client.send("GET /panic HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.rest().await.0, b"");
    assert!(other.get("/").await.ends_with("fine"));
    assert!(server.get("/").await.ends_with("fine"));

    // Of HTTP/2 it is one request.
    let client = http2();
    assert_eq!(get(&client, server.address, "/").await, "fine");
    let uri = format!("http://{}/panic", server.address).parse().unwrap();
    assert!(timeout(PATIENCE, client.0.get(uri)).await.unwrap().is_err());
    assert_eq!(get(&client, server.address, "/").await, "fine");
    assert_eq!(connections(&client), 1);

    server.trigger.signal();
    drop((client, other));
    server.ended().await.unwrap();
}

#[tokio::test]
async fn a_request_says_once_which_host_it_is_for() {
    let server = run(server(), echo_path()).await;
    for (head, status) in [
        ("GET /a HTTP/1.1\r\nhost: a\r\n\r\n", "200"),
        ("GET /a HTTP/1.1\r\nhost:\r\n\r\n", "200"),
        ("GET /a HTTP/1.0\r\n\r\n", "200"),
        ("GET /a HTTP/1.1\r\n\r\n", "400"),
        ("GET /a HTTP/1.1\r\nhost: a\r\nHost: b\r\n\r\n", "400"),
        ("GET /a HTTP/1.1\r\nhost: a b\r\n\r\n", "400"),
        ("GET /a HTTP/1.0\r\nhost: a:99999\r\n\r\n", "400"),
        ("GET /a HTTP/1.0\r\nhost: a\r\nhost: a\r\n\r\n", "400"),
    ] {
        let mut client = server.connect().await;
        client.send(head).await;
        let answer = client.answer().await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{head}: {answer}");
    }
    server.trigger.signal();
    server.ended().await.unwrap();
}
