//! Limits: each is hit, with its time.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, header::CONTENT_LENGTH};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::time::Instant;
use tower_gateway::{FastCgi, GatewayError};

use super::{ask, get, program::Program, reason, text};

const SECOND: Duration = Duration::from_secs(1);

/// Waits until the time is over, with a clock that stands still while something is to be done.
fn about(begin: Instant, seconds: u64) {
    let passed = begin.elapsed();
    let expected = SECOND * u32::try_from(seconds).unwrap();
    assert!(
        passed >= expected && passed < expected + SECOND,
        "{passed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn gateway_24_a_head_has_a_time_limit() {
    let program = Program::start(|mut connection| async move {
        connection.request().await;
        connection.stdout(b"A: 1\n").await;
        connection.closed().await;
    })
    .await;
    let service = FastCgi::connect(&program.address).unwrap();
    for (service, seconds) in [
        (service.clone(), 60),
        (service.header_timeout(SECOND * 7), 7),
    ] {
        let begin = Instant::now();
        let response = ask(&service, get("/")).await;
        assert_eq!(
            (response.status().as_u16(), reason(&response)),
            (504, Some(GatewayError::HeaderTimeout))
        );
        about(begin, seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn gateway_24_a_moving_upload_restarts_the_time() {
    let program = Program::start(|mut connection| async move {
        connection.head().await.unwrap();
        while connection.record().await.is_some() {}
    })
    .await;
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .header_timeout(SECOND * 10);
    let pieces = stream::iter(0..5).then(|_| async {
        tokio::time::sleep(SECOND * 9).await;
        Ok::<_, io::Error>(Frame::data(Bytes::from("x")))
    });
    let body = StreamBody::new(pieces.chain(stream::pending())).boxed_unsync();
    let request = Request::post("/")
        .header(CONTENT_LENGTH, 9)
        .body(body)
        .unwrap();
    let begin = Instant::now();
    let response = ask(&service, request).await;
    assert_eq!(
        (response.status().as_u16(), reason(&response)),
        (408, Some(GatewayError::StalledRequest))
    );
    about(begin, 55);
}

#[tokio::test(start_paused = true)]
async fn gateway_24_each_piece_of_a_body_has_a_time_limit() {
    let program = Program::start(|mut connection| async move {
        connection.request().await;
        connection.stdout(b"A: 1\n\nx").await;
        tokio::time::sleep(SECOND * 50).await;
        connection.stdout(b"y").await;
        connection.closed().await;
    })
    .await;
    let service = FastCgi::connect(&program.address).unwrap();
    let begin = Instant::now();
    let found = text(ask(&service, get("/")).await).await;
    assert!(found.starts_with("200 a=1 | error: "), "{found}");
    about(begin, 110);
}

#[tokio::test(start_paused = true)]
async fn gateway_24_a_slow_reader_is_not_the_programs_fault() {
    let slow = Program::start(|mut connection| async move {
        connection.request().await;
        connection.stdout(b"A: 1\n\nx").await;
        tokio::time::sleep(SECOND * 100).await;
        connection.stdout(b"y").await;
        connection.end(0).await;
    })
    .await;
    let service = FastCgi::connect(&slow.address).unwrap();
    let mut response = ask(&service, get("/")).await;
    response.body_mut().frame().await.unwrap().unwrap();
    // The reader does something else meanwhile.
    tokio::time::sleep(SECOND * 99).await;
    let rest = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(rest, "y");
}

#[tokio::test(start_paused = true)]
async fn gateway_25_requests_wait_for_their_turn() {
    let program = Program::start(|mut connection| async move {
        connection.request().await;
        tokio::time::sleep(SECOND * 4).await;
        connection.stdout(b"A: 1\n\nx").await;
        connection.end(0).await;
    })
    .await;
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .connections(1)
        .queue_timeout(SECOND * 6);
    let begin = Instant::now();
    let requests: Vec<_> = (0..3)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move {
                let response = ask(&service, get("/")).await;
                (
                    response.status().as_u16(),
                    reason(&response),
                    begin.elapsed().as_secs(),
                )
            })
        })
        .collect();
    let mut results = Vec::new();
    for request in requests {
        results.push(request.await.unwrap());
    }
    let busy = Some(GatewayError::Busy);
    assert_eq!(results, [(200, None, 4), (200, None, 8), (503, busy, 6)]);
}

#[tokio::test]
async fn gateway_25_a_variable_has_a_limit() {
    let program = Program::responding("A: 1\n\n").await;
    let service = FastCgi::connect(&program.address).unwrap();
    let request = |size| {
        Request::get("/")
            .header("x", "x".repeat(size))
            .body(super::body(""))
            .unwrap()
    };
    assert_eq!(ask(&service, request(65_524)).await.status(), 200);
    let response = ask(&service, request(65_525)).await;
    assert_eq!(
        (response.status().as_u16(), reason(&response)),
        (431, Some(GatewayError::HeaderTooLarge))
    );
    assert_eq!(program.connections(), 1);
}

/// A listener whose queue is full neither takes a connection nor refuses it.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn gateway_24_a_connection_has_a_time_limit() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, SECOND / 4) {
        queued.push(stream);
        assert!(queued.len() < 10, "the queue has no limit");
    }
    let service = FastCgi::connect(&address.to_string()).unwrap();
    for (service, seconds) in [
        (service.clone(), 5),
        (service.connect_timeout(SECOND * 2), 2),
    ] {
        let begin = Instant::now();
        let response = ask(&service, get("/")).await;
        assert_eq!(
            (response.status().as_u16(), reason(&response)),
            (504, Some(GatewayError::ConnectTimeout))
        );
        about(begin, seconds);
    }
}
