//! Bodies that are slow, unread or endless.

use std::sync::Mutex;

use bytes::Bytes;
use futures_util::stream;
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use tokio::{sync::mpsc, time::sleep};

use super::*;

/// Returns a service that reads the body, and responds with its length, its end and its content or
/// error.
fn reader() -> BoxService {
    service(async |request: Request<RequestBody>| {
        let (length, is_over) = {
            let body = request.body();
            (body.size_hint().exact(), body.is_end_stream())
        };
        let text = match request.into_body().collect().await {
            Ok(body) => String::from_utf8(body.to_bytes().into()).unwrap(),
            Err(error) => {
                let error = error.downcast::<io::Error>().unwrap();
                format!("{:?}: {error}", error.kind())
            }
        };
        Body::from(format!("{length:?} {is_over} {text}"))
    })
}

#[tokio::test]
async fn serve_19_expect_gets_a_100_when_the_body_is_read() {
    let server = run(server(), reader()).await;
    let mut client = server.connect().await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
        .await;
    assert_eq!(client.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("four").await;
    let response = client.response().await;
    assert!(response.ends_with("Some(4) false four"), "{response}");
}

#[tokio::test]
async fn serve_19_expect_gets_no_100_if_the_body_is_not_read() {
    let server = run(server(), echo_path()).await;
    let mut client = server.connect().await;
    client
        .send("POST /no HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
        .await;
    let response = client.response().await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
    assert!(response.ends_with("/no"), "{response}");
    client.rest().await;
}

#[tokio::test]
async fn serve_10_a_service_sees_the_length_and_end_of_a_body() {
    let server = run(server(), reader()).await;
    let response = server.get("/").await;
    assert!(response.ends_with("Some(0) true "), "{response}");
    let mut client = server.connect().await;
    client
        .send(
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        )
        .await;
    let response = client.response().await;
    assert!(response.ends_with("None false abc"), "{response}");
}

#[tokio::test]
async fn serve_10_an_upload_that_stalls_ends_with_an_error() {
    let server = run(server().body_timeout(ms(150)), reader()).await;
    let mut client = server.connect().await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nfo")
        .await;
    let start = Instant::now();
    let response = client.response().await;
    assert!(start.elapsed() > ms(100), "{:?}", start.elapsed());
    let error = "Some(4) false TimedOut: the client stopped sending the request's body";
    assert!(response.ends_with(error), "{response}");
    assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
    // The rest of the body is no request.
    client.rest().await;
}

#[tokio::test]
async fn serve_10_an_upload_that_continues_may_take_long() {
    let server = run(server().body_timeout(ms(200)), reader()).await;
    let mut client = server.connect().await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\n")
        .await;
    for _ in 0..6 {
        sleep(ms(60)).await;
        client.send("x").await;
    }
    let response = client.response().await;
    assert!(response.ends_with("xxxxxx"), "{response}");
}

#[tokio::test]
async fn serve_10_an_unread_upload_is_never_taken_for_a_request() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let service = service(move |request: Request<RequestBody>| {
        record.lock().unwrap().push(request.uri().path().to_owned());
        std::future::ready(Body::from("unread"))
    });
    let server = run(server(), service).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    let head = format!(
        "POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
        smuggled.len()
    );

    // It comes with its head. The server skips it and continues.
    let mut client = server.connect().await;
    client.send(format!("{head}{smuggled}")).await;
    client.response().await;
    client.get("/after").await;

    // It comes after the response. The server closes the connection.
    let mut client = server.connect().await;
    client.send(head).await;
    client.response().await;
    let _ = client.0.write_all(smuggled.as_bytes()).await;
    assert_eq!(client.rest().await.0, b"");

    assert_eq!(*seen.lock().unwrap(), ["/upload", "/after", "/upload"]);
}

/// Returns a body of large frames without an end, which holds the bomb.
fn endless(bomb: Bomb) -> Body {
    let frame = Bytes::from(vec![b'x'; 64 * 1024]);
    Body::new(StreamBody::new(stream::unfold(bomb, move |bomb| {
        let frame = Frame::data(frame.clone());
        async { Some((Ok::<_, Infallible>(frame), bomb)) }
    })))
}

#[tokio::test]
async fn serve_11_a_client_that_stops_reading_is_dropped() {
    let (bomb, dropped) = bomb();
    let bomb = Mutex::new(Some(bomb));
    let service =
        service(move |_| std::future::ready(endless(bomb.lock().unwrap().take().unwrap())));
    let server = run(server().write_timeout(ms(200)), service).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await;
    timeout(PATIENCE, dropped).await.unwrap().unwrap();
    // What the system has buffered comes, and then the end, which is not the end of the body.
    let (rest, _) = client.rest().await;
    assert!(!rest.ends_with(b"\r\n0\r\n\r\n"));
}

#[tokio::test]
async fn serve_11_slow_reading_and_slow_writing_may_take_long() {
    let slow = service(async |_| {
        let (sender, frames) = mpsc::channel(1);
        tokio::spawn(async move {
            for _ in 0..3 {
                sleep(ms(250)).await;
                let frame = Frame::data(Bytes::from(vec![b'x'; 2 * 1024 * 1024]));
                let _ = sender.send(Ok::<_, Infallible>(frame)).await;
            }
        });
        let frames = stream::unfold(frames, async |mut frames| {
            Some((frames.recv().await?, frames))
        });
        Body::new(StreamBody::new(frames))
    });
    let server = run(server().write_timeout(ms(200)), slow).await;
    let mut client = server.connect().await;
    client
        .send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await;
    let mut read = 0;
    let mut part = vec![0; 512 * 1024];
    loop {
        let count = timeout(PATIENCE, client.0.read(&mut part)).await.unwrap();
        match count.unwrap() {
            0 => break,
            count => read += count,
        }
        sleep(ms(20)).await;
    }
    assert!(read > 3 * 2 * 1024 * 1024, "{read}");
}
