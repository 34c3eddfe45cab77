//! The end of serving.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::{
    sync::{Mutex, mpsc},
    time::sleep,
};

use super::{
    protocols::{get, http2},
    *,
};

type Frames = mpsc::Sender<Result<Frame<Bytes>, Infallible>>;

/// Returns a service that responds to `/download` with the frames of the test, and otherwise with
/// the path.
fn downloads() -> (Frames, BoxService) {
    let (sender, frames) = mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
    let frames = Arc::new(Mutex::new(Some(frames)));
    let service = service(move |request: Request<RequestBody>| {
        let frames = Arc::clone(&frames);
        async move {
            if request.uri().path() != "/download" {
                return Body::from(request.uri().path().to_owned());
            }
            let frames = frames.lock().await.take().unwrap();
            Body::new(StreamBody::new(stream::unfold(
                frames,
                async |mut frames| Some((frames.recv().await?, frames)),
            )))
        }
    });
    (sender, service)
}

async fn send(frames: &Frames, text: &'static str) {
    let frame = Frame::data(Bytes::from(text));
    frames.send(Ok(frame)).await.unwrap();
}

async fn is_refused(address: SocketAddr) -> bool {
    let error = TcpStream::connect(address).await.err();
    error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[tokio::test]
async fn serve_13_a_download_completes_and_new_clients_are_refused() {
    let (frames, service) = downloads();
    let server = run(server(), service).await;
    let mut client = server.connect().await;
    client
        .send("GET /download HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    client.head().await;
    send(&frames, "one").await;

    server.trigger.signal();
    sleep(ms(50)).await;
    assert!(is_refused(server.address).await);
    send(&frames, "two").await;
    sleep(ms(50)).await;
    assert!(!server.task.is_finished());
    drop(frames);
    let (rest, _) = client.rest().await;
    assert_eq!(rest, b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
    server.ended().await.unwrap();
}

#[tokio::test]
async fn serve_13_a_download_over_http_2_completes() {
    let (frames, service) = downloads();
    let server = run(server(), service).await;
    let client = http2();
    let uri = format!("http://{}/download", server.address);
    let response = client.0.get(uri.parse().unwrap()).await.unwrap();
    send(&frames, "one").await;
    server.trigger.signal();
    sleep(ms(50)).await;
    assert!(is_refused(server.address).await);
    send(&frames, "two").await;
    drop(frames);
    let body = timeout(PATIENCE, response.into_body().collect()).await;
    assert_eq!(body.unwrap().unwrap().to_bytes(), "onetwo");
    server.ended().await.unwrap();
}

#[tokio::test]
async fn serve_13_idle_connections_are_closed() {
    let server = run(server(), echo_path()).await;
    let mut idle = server.connect().await;
    idle.get("/").await;
    let client = http2();
    get(&client, server.address, "/").await;
    sleep(ms(50)).await;

    let start = Instant::now();
    server.trigger.signal();
    server.ended().await.unwrap();
    assert!(start.elapsed() < ms(500), "{:?}", start.elapsed());
    assert_eq!(idle.rest().await.0, b"");
}

/// A client connects when it has a request.
#[tokio::test]
async fn serve_13_a_head_is_on_its_way_at_the_signal() {
    let server = run(server(), echo_path()).await;
    let mut kept = server.connect().await;
    kept.get("/").await;
    let mut clients = [server.connect().await, server.connect().await, kept];
    clients[1].send("GET /on-its").await;
    clients[2].send("GET /on-its").await;
    sleep(ms(50)).await;
    server.trigger.signal();
    sleep(ms(100)).await;
    clients[0].send("GET /on-its").await;
    for mut client in clients {
        client.send("-way HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let response = client.response().await;
        assert!(response.ends_with("/on-its-way"), "{response}");
        assert!(response.contains("connection: close\r\n"), "{response}");
        assert_eq!(client.rest().await.0, b"");
    }
    server.ended().await.unwrap();
}

#[tokio::test]
async fn serve_13_a_request_gets_its_response_before_the_close() {
    let slow = service(async |_| {
        sleep(ms(200)).await;
        Body::from("late")
    });
    let server = run(server(), slow).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    sleep(ms(50)).await;
    server.trigger.signal();
    let response = client.response().await;
    assert!(response.ends_with("late"), "{response}");
    assert!(response.contains("connection: close\r\n"), "{response}");
    assert_eq!(client.rest().await.0, b"");
    server.ended().await.unwrap();
}

#[tokio::test]
async fn serve_13_a_head_is_not_waited_for_longer_than_a_second() {
    for half in [
        "",
        "P",
        "GET /half HTTP/1.1\r\n",
        "\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        // The second one has half of the drain timeout.
        for (server, least, most) in [
            (server(), ms(900), ms(1_500)),
            (server().drain_timeout(ms(400)), ms(150), ms(390)),
        ] {
            let server = run(server, echo_path()).await;
            let mut client = server.connect().await;
            client.send(half).await;
            let mut later = server.connect().await;
            later.get("/").await;
            later.send("GET /half HTTP/1.1\r\n").await;
            sleep(ms(50)).await;
            let start = Instant::now();
            server.trigger.signal();
            server.ended().await.unwrap();
            let took = start.elapsed();
            assert!(least < took && took < most, "{half}: {took:?}");
            client.rest().await;
        }
    }
}

/// Sends `count` requests over HTTP/1 that never get a response.
async fn stuck(server: Server, count: usize) -> (Running, Vec<Client>) {
    let server = run(server, service(|_| std::future::pending())).await;
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = server.connect().await;
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        clients.push(client);
    }
    sleep(ms(50)).await;
    (server, clients)
}

#[tokio::test]
async fn serve_13_requests_that_take_too_long_are_aborted() {
    let (server, mut clients) = stuck(server().drain_timeout(ms(200)), 2).await;
    let start = Instant::now();
    server.trigger.signal();
    let error = server.ended().await.unwrap_err();
    assert!(start.elapsed() >= ms(200), "{:?}", start.elapsed());
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(
        error.to_string(),
        "2 connections were still open 200ms after the signal to end and are aborted"
    );
    for client in &mut clients {
        assert_eq!(client.rest().await.0, b"");
    }
}

#[tokio::test]
async fn serve_13_the_second_signal_ends_at_once() {
    let (server, mut clients) = stuck(server(), 1).await;
    server.trigger.signal();
    sleep(ms(50)).await;
    assert!(!server.task.is_finished());
    let start = Instant::now();
    server.trigger.signal();
    let error = server.ended().await.unwrap_err();
    assert!(start.elapsed() < ms(500), "{:?}", start.elapsed());
    assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    assert_eq!(
        error.to_string(),
        "1 connection was still open at the second signal and is aborted"
    );
    assert_eq!(clients[0].rest().await.0, b"");
}

#[tokio::test]
async fn serve_13_without_connections_the_first_signal_ends_it() {
    let server = run(server(), echo_path()).await;
    server.trigger.signal();
    server.ended().await.unwrap();
}

#[tokio::test]
async fn serve_13_a_dropped_trigger_ends_nothing() {
    let server = run(server(), echo_path()).await;
    drop(server.trigger);
    sleep(ms(50)).await;
    assert!(!server.task.is_finished());
}

#[tokio::test]
async fn serve_13_dropping_the_future_ends_every_connection() {
    let (bombs, mut dropped) = mpsc::unbounded_channel();
    let service = service(move |_| {
        let (bomb, receiver) = bomb();
        bombs.send(receiver).unwrap();
        async move {
            let _bomb = bomb;
            std::future::pending().await
        }
    });
    let server = run(server(), service).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let first = timeout(PATIENCE, dropped.recv()).await.unwrap().unwrap();
    let address = server.address;
    let request = tokio::spawn(async move {
        let uri = format!("http://{address}/").parse().unwrap();
        http2().0.get(uri).await
    });
    let second = timeout(PATIENCE, dropped.recv()).await.unwrap().unwrap();

    server.task.abort();
    timeout(PATIENCE, first).await.unwrap().unwrap();
    timeout(PATIENCE, second).await.unwrap().unwrap();
    assert_eq!(client.rest().await.0, b"");
    assert!(timeout(PATIENCE, request).await.unwrap().unwrap().is_err());
    assert!(is_refused(address).await);
}

/// What clients of each version see of a response that ends in this way, after its first part.
async fn seen(path: &'static str) -> Vec<Result<String, io::ErrorKind>> {
    let service = service(move |_| async move {
        let pieces = stream::iter([Ok("one "), Err(io::Error::other("no disk"))]);
        let pieces = pieces.then(move |piece| async move {
            sleep(ms(20)).await;
            match (path, piece) {
                ("whole", Err(_)) => Ok(""),
                ("panic", Err(_)) => panic!("as it was asked to"),
                ("aborted", Err(_)) => std::future::pending().await,
                (_, piece) => piece,
            }
        });
        Body::from_stream(pieces)
    });
    let mut server = Some(run(server(), service).await);
    let mut clients = Vec::new();
    for version in ["1.0", "1.1"] {
        let mut client = server.as_ref().unwrap().connect().await;
        client
            .send(format!("GET / HTTP/{version}\r\nhost: a\r\n\r\n"))
            .await;
        client.head().await;
        clients.push(client);
    }
    sleep(ms(100)).await;
    if path == "aborted" {
        let server = server.take().unwrap();
        server.trigger.signal();
        server.trigger.signal();
        server.ended().await.unwrap_err();
    }
    let mut seen = Vec::new();
    for mut client in clients {
        let mut rest = String::new();
        let end = timeout(PATIENCE, client.0.read_to_string(&mut rest));
        let end = end.await.unwrap_or(Err(io::ErrorKind::TimedOut.into()));
        seen.push(end.map(|_| rest).map_err(|error| error.kind()));
    }
    seen
}

/// A client of HTTP/1.0, such as nginx by default, takes an orderly end for that of the response.
#[tokio::test]
async fn serve_15_over_http_1_0_a_response_that_breaks_off_is_no_whole_one() {
    assert_eq!(seen("whole").await[0], Ok("one ".to_owned()));
    for path in ["broken", "panic", "aborted"] {
        let chunks = Ok("4\r\none \r\n".to_owned());
        let reset = Err(io::ErrorKind::ConnectionReset);
        assert_eq!(seen(path).await, [reset, chunks], "{path}");
    }
}
