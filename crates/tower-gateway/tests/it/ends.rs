//! The ends of requests: what a program may still do, and for how long.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, header::CONTENT_LENGTH};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use tokio::{io::AsyncWriteExt, sync::mpsc, time::Instant};
use tower::ServiceExt;
use tower_gateway::{FastCgi, GatewayError};

use super::{ask, body, get, program::Program, reason};

const SECOND: Duration = Duration::from_secs(1);

/// Servers drop a body after the last byte of its length, before its end.
#[tokio::test]
async fn gateway_18_a_program_finishes_after_its_last_byte() {
    let program = Program::start(|mut connection| async move {
        while connection.try_request().await.is_some() {
            connection.stdout(b"Content-Length: 3\n\nab").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            connection.stdout(b"c").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            connection.send(7, b"done").await;
            connection.end(0).await;
        }
    })
    .await;
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .keep_connections(1)
        .stderr({
            let lines = lines.clone();
            move |line| lines.lock().unwrap().push(line.text.to_owned())
        });
    for count in 1..3 {
        let mut response = ask(&service, get("/")).await;
        while response.body().size_hint().exact() != Some(0) {
            response.body_mut().frame().await.unwrap().unwrap();
        }
        drop(response);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(lines.lock().unwrap().len(), count);
    }
    assert_eq!(program.connections(), 1);
}

/// Otherwise each HEAD to an endless page would occupy a connection for ever.
#[tokio::test(start_paused = true)]
async fn gateway_18_a_program_has_the_idle_timeout_to_finish() {
    for output in [&b"A: 1\n\n"[..], b"Content-Length: 1\n\nx"] {
        let (seen, mut is_seen) = mpsc::channel(1);
        let program = Program::start(move |mut connection| {
            let seen = seen.clone();
            async move {
                connection.request().await;
                connection.stdout(output).await;
                loop {
                    tokio::time::sleep(SECOND).await;
                    let record = [1, 6, 0, 1, 0, 1, 0, 0, b'x'];
                    if connection.stream.write_all(&record).await.is_err() {
                        break;
                    }
                }
                seen.send(Instant::now()).await.unwrap();
            }
        })
        .await;
        let service = FastCgi::connect(&program.address)
            .unwrap()
            .idle_timeout(SECOND * 10);
        let request = Request::head("/").body(body("")).unwrap();
        let begin = Instant::now();
        assert_eq!(ask(&service, request).await.status(), 200);
        let closed = tokio::time::timeout(SECOND * 1000, is_seen.recv()).await;
        let passed = closed.unwrap().unwrap() - begin;
        assert!(passed >= SECOND * 10 && passed < SECOND * 14, "{passed:?}");
    }
}

#[tokio::test]
async fn gateway_22_a_body_that_breaks_off_late_ends_the_response() {
    let (seen, mut is_seen) = mpsc::channel(4);
    let program = Program::start(move |mut connection| {
        let seen = seen.clone();
        async move {
            connection.head().await.unwrap();
            connection.stdout(b"A: 1\n\nx").await;
            let mut records = Vec::new();
            while let Some((kind, content)) = connection.record().await {
                records.push((kind, content.len()));
            }
            seen.send(records).await.unwrap();
        }
    })
    .await;
    let service = FastCgi::connect(&program.address).unwrap();
    let (send, receive) = mpsc::channel::<io::Result<Frame<Bytes>>>(1);
    let pieces = stream::unfold(receive, async |mut receive| {
        Some((receive.recv().await?, receive))
    });
    let request = Request::post("/")
        .header(CONTENT_LENGTH, 9)
        .body(StreamBody::new(pieces).boxed_unsync())
        .unwrap();
    send.send(Ok(Frame::data("three".into()))).await.unwrap();
    // A body that is polled after its error is against the rules that `ask` watches.
    let mut response = service.oneshot(request).await.unwrap();
    let first = response.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "x");
    send.send(Err(io::Error::other("the client left")))
        .await
        .unwrap();
    let next = tokio::time::timeout(SECOND * 5, response.body_mut().frame()).await;
    let error = next.unwrap().unwrap().unwrap_err();
    assert_eq!(
        error.downcast_ref(),
        Some(&GatewayError::BrokenRequest),
        "{error}"
    );
    // After an error a body has ended.
    assert!(response.body_mut().frame().await.is_none());
    assert_eq!(is_seen.recv().await.unwrap(), [(5, 5)]);
}

#[tokio::test]
async fn gateway_30_a_body_ends_after_its_error() {
    let program = Program::start(|mut connection| async move {
        connection.request().await;
        connection.stdout(b"Content-Length: 9\n\nab").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    })
    .await;
    let service = FastCgi::connect(&program.address).unwrap();
    let mut body = service.oneshot(get("/")).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert!(body.frame().await.unwrap().is_err());
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), None);
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn gateway_24_a_body_that_is_stored_has_a_time_limit() {
    let service = FastCgi::connect("127.0.0.1:9")
        .unwrap()
        .header_timeout(SECOND * 10);
    let pieces = stream::iter(0..5).then(|_| async {
        tokio::time::sleep(SECOND * 9).await;
        Ok::<_, io::Error>(Frame::data(Bytes::from("x")))
    });
    let body = StreamBody::new(pieces.chain(stream::pending())).boxed_unsync();
    let request = Request::post("/").body(body).unwrap();
    let begin = Instant::now();
    let asked = tokio::time::timeout(SECOND * 1000, ask(&service, request)).await;
    let response = asked.unwrap();
    assert_eq!(
        (response.status().as_u16(), reason(&response)),
        (408, Some(GatewayError::StalledRequest))
    );
    assert_eq!(begin.elapsed().as_secs(), 55);
}

/// The time counts although there is always something to be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn gateway_24_endless_errors_are_no_response() {
    for head in [&b""[..], b"A: 1\n\n"] {
        let program = Program::start(move |mut connection| async move {
            connection.request().await;
            connection.stdout(head).await;
            let mut records = Vec::new();
            for _ in 0..1000 {
                records.extend([1, 7, 0, 1, 0, 2, 0, 0, b'e', b'\n']);
            }
            while connection.stream.write_all(&records).await.is_ok() {}
        })
        .await;
        let service = FastCgi::connect(&program.address)
            .unwrap()
            .header_timeout(SECOND / 2)
            .idle_timeout(SECOND / 2)
            .stderr(|_| {});
        let asked = tokio::time::timeout(SECOND * 10, ask(&service, get("/")));
        let response = asked.await.unwrap();
        let is_late = reason(&response) == Some(GatewayError::HeaderTimeout);
        assert_eq!(is_late, head.is_empty());
        let collected = tokio::time::timeout(SECOND * 10, response.into_body().collect());
        assert_eq!(collected.await.unwrap().is_ok(), is_late);
    }
}

#[tokio::test(start_paused = true)]
async fn gateway_26_an_idle_connection_is_closed_in_time() {
    let (seen, mut is_seen) = mpsc::channel(4);
    let program = Program::start(move |mut connection| {
        let seen = seen.clone();
        async move {
            while connection.try_request().await.is_some() {
                connection.stdout(b"A: 1\n\nx").await;
                connection.end(0).await;
            }
            seen.send(Instant::now()).await.unwrap();
        }
    })
    .await;
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .keep_connections(2);
    let begin = Instant::now();
    assert_eq!(ask(&service, get("/")).await.status(), 200);
    let closed = tokio::time::timeout(SECOND * 1000, is_seen.recv()).await;
    let passed = closed.unwrap().unwrap() - begin;
    assert!(passed >= SECOND * 30 && passed < SECOND * 32, "{passed:?}");
    assert_eq!(ask(&service, get("/")).await.status(), 200);
    assert_eq!(program.connections(), 2);
    drop(service);
    // Nobody can use it any more.
    let begin = Instant::now();
    is_seen.recv().await.unwrap();
    assert!(begin.elapsed() < SECOND);
}

/// A line for the log is no reason to fail.
#[tokio::test]
async fn gateway_17_a_panic_of_the_function_stays_there() {
    let program = Program::start(|mut connection| async move {
        connection.request().await;
        connection.send(7, b"one\ntwo").await;
        connection.stdout(b"A: 1\n\nx").await;
        connection.end(0).await;
    })
    .await;
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .stderr(|line| panic!("cannot write {}", line.text));
    let response = tokio::spawn(async move { ask(&service, get("/")).await });
    assert_eq!(response.await.unwrap().status(), 200);
}
