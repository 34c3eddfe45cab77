//! Clients that leave, and clients that only stop sending.

use std::net::Shutdown as Sides;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use socket2::SockRef;
use tokio::sync::mpsc;

use super::*;

/// Returns a service that sends the receiver of a bomb for each request, and then neither responds
/// (`/future`) nor ends its body (`/body`).
fn waiting() -> (mpsc::UnboundedReceiver<oneshot::Receiver<()>>, BoxService) {
    let (bombs, requests) = mpsc::unbounded_channel();
    let service = service(move |request: Request<RequestBody>| {
        let (bomb, receiver) = bomb();
        bombs.send(receiver).unwrap();
        async move {
            if request.uri().path() == "/future" {
                let _held = (bomb, request);
                return std::future::pending().await;
            }
            let frames = stream::unfold((bomb, 0), async |(bomb, count)| {
                if count > 0 {
                    std::future::pending::<()>().await;
                }
                let frame = Frame::data(Bytes::from("first"));
                Some((Ok::<_, Infallible>(frame), (bomb, count + 1)))
            });
            Body::new(StreamBody::new(frames))
        }
    });
    (requests, service)
}

/// Closes the connection with a reset.
fn reset(client: Client) {
    let socket = SockRef::from(&client.0);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

fn stop_sending(client: &Client) {
    SockRef::from(&client.0).shutdown(Sides::Write).unwrap();
}

async fn next<T>(receiver: &mut mpsc::UnboundedReceiver<T>) -> T {
    timeout(PATIENCE, receiver.recv()).await.unwrap().unwrap()
}

async fn is_dropped(bomb: oneshot::Receiver<()>, what: &str) {
    let dropped = timeout(PATIENCE, bomb).await;
    dropped
        .unwrap_or_else(|_| panic!("{what}: it is still there"))
        .unwrap();
}

const REQUESTS: [&str; 4] = [
    "GET /future HTTP/1.1\r\nhost: a\r\n\r\n",
    "GET /body HTTP/1.1\r\nhost: a\r\n\r\n",
    // The next request is in the server's buffer.
    "GET /future HTTP/1.1\r\nhost: a\r\n\r\nGET /future HTTP/1.1\r\nhost: a\r\n\r\n",
    // The upload is not read.
    "POST /future HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nabc",
];

#[tokio::test]
async fn serve_8_a_reset_ends_the_request() {
    for server in [server(), server().allow_half_close()] {
        for request in REQUESTS {
            let (mut requests, service) = waiting();
            let server = run(server.clone(), service).await;
            let mut client = server.connect().await;
            client.send(request).await;
            let bomb = next(&mut requests).await;
            if request.contains("/body") {
                client.head().await;
            }
            reset(client);
            is_dropped(bomb, request).await;
        }
    }
}

#[tokio::test]
async fn serve_8_a_reset_of_a_stream_ends_the_request() {
    for server in [server(), server().allow_half_close()] {
        let (mut requests, service) = waiting();
        let server = run(server, service).await;
        let socket = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
        let (mut sender, connection) = handshake(TokioExecutor::new(), socket).await.unwrap();
        tokio::spawn(connection);
        let get = |path: &str| {
            let request = Request::get(format!("http://a{path}"));
            request.body(Empty::<Bytes>::new()).unwrap()
        };
        let response = sender.send_request(get("/future"));
        let response = tokio::spawn(response);
        let bomb = next(&mut requests).await;
        response.abort();
        is_dropped(bomb, "/future").await;

        let mut response = sender.send_request(get("/body")).await.unwrap();
        let bomb = next(&mut requests).await;
        response.body_mut().frame().await.unwrap().unwrap();
        drop(response);
        is_dropped(bomb, "/body").await;
    }
}

#[tokio::test]
async fn serve_7_a_client_that_stops_sending_has_left_by_default() {
    for request in &REQUESTS[..2] {
        let (mut requests, service) = waiting();
        let server = run(server(), service).await;
        let mut client = server.connect().await;
        client.send(request).await;
        let bomb = next(&mut requests).await;
        if request.contains("/body") {
            client.head().await;
        }
        stop_sending(&client);
        is_dropped(bomb, request).await;
    }
}

/// Returns a service that responds with the path when the test lets it, and to `/stream` in two
/// frames.
fn when_released() -> (mpsc::UnboundedReceiver<oneshot::Sender<()>>, BoxService) {
    let (requests, received) = mpsc::unbounded_channel();
    let service = service(move |request: Request<RequestBody>| {
        let path = request.uri().path().to_owned();
        let (release, released) = oneshot::channel();
        requests.send(release).unwrap();
        async move {
            if path != "/stream" {
                released.await.unwrap();
                return Body::from(path);
            }
            let frame = |text: &'static [u8]| Ok::<_, Infallible>(Frame::data(Bytes::from(text)));
            let last = stream::once(async move {
                released.await.unwrap();
                frame(b"last")
            });
            let frames = stream::iter([frame(b"first")]).chain(last);
            Body::new(StreamBody::new(frames))
        }
    });
    (received, service)
}

async fn half_closing() -> (mpsc::UnboundedReceiver<oneshot::Sender<()>>, Running) {
    let (requests, service) = when_released();
    let server = server().allow_half_close();
    (requests, run(server, service).await)
}

/// Waits until the end of the client's side has come to the server.
async fn a_while() {
    tokio::time::sleep(ms(100)).await;
}

#[tokio::test]
async fn serve_7_a_half_closed_client_gets_a_late_response() {
    let (mut requests, server) = half_closing().await;
    let mut client = server.connect().await;
    client.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    stop_sending(&client);
    let release = next(&mut requests).await;
    a_while().await;
    release.send(()).unwrap();
    assert!(client.response().await.ends_with("/slow"));
    // Nothing more can come, so the server does not wait for it.
    let (rest, time) = client.rest().await;
    assert_eq!(rest, b"");
    assert!(time < Duration::from_secs(5), "{time:?}");
}

#[tokio::test]
async fn serve_7_a_half_closed_client_gets_a_streamed_response() {
    let (mut requests, server) = half_closing().await;
    for stops_first in [true, false] {
        let mut client = server.connect().await;
        client.send("GET /stream HTTP/1.1\r\nhost: a\r\n\r\n").await;
        if stops_first {
            stop_sending(&client);
        }
        client.head().await;
        let release = next(&mut requests).await;
        stop_sending(&client);
        a_while().await;
        release.send(()).unwrap();
        let (body, _) = client.rest().await;
        assert_eq!(body, b"5\r\nfirst\r\n4\r\nlast\r\n0\r\n\r\n");
    }
}

#[tokio::test]
async fn serve_7_a_half_closed_client_gets_all_its_responses() {
    let (mut requests, server) = half_closing().await;
    let mut client = server.connect().await;
    for path in ["/one", "/two", "/three"] {
        client
            .send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"))
            .await;
    }
    stop_sending(&client);
    for path in ["/one", "/two", "/three"] {
        let release = next(&mut requests).await;
        a_while().await;
        release.send(()).unwrap();
        assert!(client.response().await.ends_with(path));
    }
    assert_eq!(client.rest().await.0, b"");
}

#[tokio::test]
async fn serve_8_a_half_closed_client_that_resets_has_left() {
    for request in &REQUESTS[..3] {
        let (mut requests, service) = waiting();
        let server = run(server().allow_half_close(), service).await;
        let mut client = server.connect().await;
        client.send(request).await;
        stop_sending(&client);
        let mut bomb = next(&mut requests).await;
        if request.contains("/body") {
            client.head().await;
        }
        a_while().await;
        assert!(bomb.try_recv().is_err(), "{request}: it is gone already");
        reset(client);
        is_dropped(bomb, request).await;
    }
}

#[tokio::test]
async fn serve_7_half_a_request_is_not_waited_for_after_the_end() {
    let (requests, server) = half_closing().await;
    drop(requests);
    for half in ["", "GET /half HTTP/1.1\r\nhost:"] {
        let mut client = server.connect().await;
        client.send(half).await;
        stop_sending(&client);
        let (_, time) = client.rest().await;
        assert!(time < Duration::from_secs(5), "{half}: {time:?}");
    }
    let reads = service(async |request: Request<RequestBody>| {
        let body = request.into_body().collect().await;
        Body::from(if body.is_err() { "broken" } else { "whole" })
    });
    let server = run(super::server().allow_half_close(), reads).await;
    for (body, end) in [("four", "whole"), ("fo", "broken")] {
        let mut client = server.connect().await;
        let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n";
        client.send(format!("{head}{body}")).await;
        stop_sending(&client);
        assert!(client.response().await.ends_with(end));
    }
}
