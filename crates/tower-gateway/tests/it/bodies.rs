//! The bodies of requests, and both directions at once.

use std::{
    io,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, header::CONTENT_LENGTH};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use tokio::sync::mpsc;
use tower_gateway::{FastCgi, GatewayError};

use super::{ask, get, program::Program, reason, text};

type Streamed = UnsyncBoxBody<Bytes, io::Error>;

fn streamed(pieces: Vec<io::Result<Bytes>>) -> Streamed {
    StreamBody::new(stream::iter(
        pieces.into_iter().map(|piece| piece.map(Frame::data)),
    ))
    .boxed_unsync()
}

fn request(length: Option<usize>, body: Streamed) -> Request<Streamed> {
    let request = Request::post("/");
    let request = match length {
        Some(length) => request.header(CONTENT_LENGTH, length),
        None => request,
    };
    request.body(body).unwrap()
}

/// A program that responds with the length and the number of bytes of the request.
async fn counting() -> Program {
    Program::start(|mut connection| async move {
        let Some(received) = connection.try_request().await else {
            return;
        };
        let line = format!(
            "A: 1\n\n{} {}",
            received.map()["CONTENT_LENGTH"],
            received.body.len()
        );
        connection.stdout(line.as_bytes()).await;
        connection.end(0).await;
    })
    .await
}

#[tokio::test]
async fn gateway_20_a_body_without_a_length_is_stored() {
    let program = counting().await;
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .stored_body_limit(3_000_000);
    for size in [0, 1, 65_536, 65_537, 200_000, 3_000_000] {
        let pieces = vec![Bytes::from(vec![b'x'; size / 4]); 4];
        let rest = Bytes::from(vec![b'x'; size % 4]);
        let pieces = pieces.into_iter().chain([rest]).map(Ok).collect();
        let found = text(ask(&service, request(None, streamed(pieces))).await).await;
        assert_eq!(found, format!("200 a=1 | {size} {size}"));
    }
    let pieces = vec![Ok(Bytes::from(vec![b'x'; 3_000_001]))];
    let response = ask(&service, request(None, streamed(pieces))).await;
    assert_eq!(
        (response.status().as_u16(), reason(&response)),
        (413, Some(GatewayError::BodyTooLarge))
    );
    let response = ask(
        &service.require_length(),
        request(None, streamed(vec![Ok("x".into())])),
    )
    .await;
    assert_eq!(
        (response.status().as_u16(), reason(&response)),
        (411, Some(GatewayError::LengthRequired))
    );
    assert_eq!(program.connections(), 6);
}

#[tokio::test]
async fn gateway_20_a_body_with_a_length_is_not_stored() {
    let (first, is_first) = tokio::sync::oneshot::channel();
    let first = std::sync::Mutex::new(Some(first));
    let program = Program::start(move |mut connection| {
        let first = first.lock().unwrap().take().unwrap();
        async move {
            connection.head().await.unwrap();
            let (kind, content) = connection.record().await.unwrap();
            assert_eq!((kind, content), (5, b"one".to_vec()));
            // The rest is sent only after this.
            first.send(()).unwrap();
            assert_eq!(connection.record().await, Some((5, b"two".to_vec())));
            assert_eq!(connection.record().await, Some((5, vec![])));
            connection.stdout(b"A: 1\n\ndone").await;
            connection.end(0).await;
        }
    })
    .await;
    let service = FastCgi::connect(&program.address).unwrap();
    let (send, receive) = mpsc::channel::<io::Result<Frame<Bytes>>>(1);
    let body = StreamBody::new(stream::unfold(receive, async |mut receive| {
        Some((receive.recv().await?, receive))
    }));
    let response = tokio::spawn({
        let request = request(Some(6), body.boxed_unsync());
        async move { text(ask(&service, request).await).await }
    });
    send.send(Ok(Frame::data("one".into()))).await.unwrap();
    is_first.await.unwrap();
    send.send(Ok(Frame::data("two".into()))).await.unwrap();
    drop(send);
    assert_eq!(response.await.unwrap(), "200 a=1 | done");
}

#[tokio::test]
async fn gateway_21_both_directions_move_at_once() {
    const PIECE: usize = 50_000;
    const PIECES: usize = 400;
    // It sends back each piece before it reads the next one, so neither side may wait for the other.
    let program = Program::start(|mut connection| async move {
        connection.head().await.unwrap();
        connection.stdout(b"A: 1\n\n").await;
        while let Some((5, content)) = connection.record().await {
            if content.is_empty() {
                break;
            }
            connection.stdout(&content).await;
        }
        connection.end(0).await;
    })
    .await;
    let service = FastCgi::connect(&program.address).unwrap();
    let piece = Bytes::from(vec![b'x'; PIECE]);
    let pieces = stream::iter((0..PIECES).map(move |_| Ok(Frame::data(piece.clone()))));
    let body = StreamBody::new(pieces).boxed_unsync();
    let response = ask(&service, request(Some(PIECE * PIECES), body)).await;
    let length = response
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes()
        .len();
    assert_eq!(length, PIECE * PIECES);
}

#[tokio::test]
async fn gateway_21_a_program_may_respond_without_reading() {
    let program = Program::start(|mut connection| async move {
        connection.head().await.unwrap();
        connection.stdout(b"Status: 413\n\ntoo large").await;
        connection.end(0).await;
        connection.closed().await;
    })
    .await;
    let service = FastCgi::connect(&program.address).unwrap();
    let piece = Bytes::from(vec![b'x'; 100_000]);
    let body = StreamBody::new(stream::iter(
        (0..200).map(move |_| Ok(Frame::data(piece.clone()))),
    ))
    .boxed_unsync();
    let found = text(ask(&service, request(Some(20_000_000), body)).await).await;
    assert_eq!(found, "413 | too large");
}

/// The program must not take half a request for a whole one.
#[tokio::test]
async fn gateway_22_a_body_that_breaks_off_ends_the_connection() {
    let (seen, mut is_seen) = mpsc::channel(4);
    let program = Program::start(move |mut connection| {
        let seen = seen.clone();
        async move {
            connection.head().await.unwrap();
            let mut records = Vec::new();
            while let Some((kind, content)) = connection.record().await {
                records.push((kind, content.len()));
            }
            seen.send(records).await.unwrap();
        }
    })
    .await;
    let service = FastCgi::connect(&program.address).unwrap();
    let broken = || Err(io::Error::other("the client left"));
    for (length, pieces) in [
        (9, vec![Ok("three".into()), broken()]),
        (9, vec![Ok("three".into())]),
        (5, vec![Ok("three".into()), Ok("more".into())]),
    ] {
        let response = ask(&service, request(Some(length), streamed(pieces))).await;
        assert_eq!(
            (response.status().as_u16(), reason(&response)),
            (400, Some(GatewayError::BrokenRequest))
        );
        // No empty STDIN, which would be the end of a whole body.
        assert_eq!(is_seen.recv().await.unwrap(), [(5, 5)]);
    }
}

#[tokio::test]
async fn gateway_23_a_client_that_leaves_ends_the_request() {
    let (seen, mut is_seen) = mpsc::channel(4);
    let program = Program::start(move |mut connection| {
        let seen = seen.clone();
        async move {
            connection.request().await;
            connection.stdout(b"A: 1\n\nx").await;
            let rest = connection.closed().await;
            seen.send((Instant::now(), rest)).await.unwrap();
        }
    })
    .await;
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .keep_connections(1);
    let response = ask(&service, get("/")).await;
    let begin = Instant::now();
    drop(response);
    let (end, rest) = is_seen.recv().await.unwrap();
    assert!(end - begin < Duration::from_millis(50), "{:?}", end - begin);
    assert_eq!(rest, [1, 2, 0, 1, 0, 0, 0, 0], "ABORT_REQUEST");
}

#[tokio::test]
async fn gateway_23_a_dropped_future_ends_the_request() {
    let (seen, mut is_seen) = mpsc::channel(4);
    let program = Program::start(move |mut connection| {
        let seen = seen.clone();
        async move {
            connection.request().await;
            seen.send(Instant::now()).await.unwrap();
            connection.closed().await;
            seen.send(Instant::now()).await.unwrap();
        }
    })
    .await;
    let service = FastCgi::connect(&program.address).unwrap();
    let task = tokio::spawn(async move { ask(&service, get("/")).await.status() });
    is_seen.recv().await.unwrap();
    let begin = Instant::now();
    task.abort();
    assert!(is_seen.recv().await.unwrap() - begin < Duration::from_millis(50));
}

/// A body without an end is no reason to keep it in memory.
#[tokio::test]
async fn gateway_21_a_body_is_taken_as_fast_as_the_program_reads() {
    let program = Program::start(|mut connection| async move {
        connection.head().await.unwrap();
        connection.stdout(b"A: 1\n\n").await;
        std::future::pending::<()>().await;
    })
    .await;
    let service = FastCgi::connect(&program.address).unwrap();
    let taken = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = taken.clone();
    let piece = Bytes::from(vec![b'x'; 100_000]);
    let pieces = stream::iter((0..1_000_000).map(move |_| {
        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok::<_, io::Error>(Frame::data(piece.clone()))
    }));
    let body = StreamBody::new(pieces).boxed_unsync();
    let response = ask(&service, request(Some(100_000_000_000), body)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let taken = taken.load(std::sync::atomic::Ordering::SeqCst);
    assert!(taken < 200, "{taken} pieces of 100 kB");
    drop(response);
}
