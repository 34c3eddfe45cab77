//! A service behind a web server, or behind a client, that comes at the wrong moment.

use std::{sync::Arc, thread, time::Duration};

use axum::body::Body;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use tower_gateway::{RequestBody, Server};

use super::front::{PATIENCE, Served, get, head, record, service};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A value in the extensions of a response, whose drop takes its time.
struct Slow;

impl Drop for Slow {
    fn drop(&mut self) {
        thread::sleep(ms(200));
    }
}

/// nginx has the id 1 in every request, and sends the next one as soon as it has the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn gateway_33_an_id_is_free_from_the_end_of_its_response_on() {
    let service = service(async |_: Request<RequestBody>| {
        // With so much, the connection does not wait for the thread of the request.
        let mut response = Response::new(Body::from("x".repeat(3_000_000)));
        response.extensions_mut().insert(Arc::new(Slow));
        response
    });
    // One that has ended does not count, also with another id.
    let served = Served::fastcgi(Server::new().requests(1), service).await;
    let mut front = served.connect().await;
    for (number, id) in [1, 1, 2, 1].into_iter().enumerate() {
        front.send(get(id, number < 3, "/")).await;
        let reply = front.reply(id).await;
        assert_eq!(
            (reply.body().len(), reply.end),
            (3_000_000, Some(0)),
            "{number}"
        );
    }
    assert_eq!(front.rest().await, b"");
}

/// A value in the extensions of a response, whose drop is a panic.
#[derive(Clone)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(thread::panicking(), "this is dropped");
    }
}

#[tokio::test]
async fn gateway_41_a_panic_after_the_response_sends_no_second_one() {
    let service = service(async |request: Request<RequestBody>| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if request.uri().path() == "/bomb" {
            response.extensions_mut().insert(Bomb);
        }
        response
    });
    let served = Served::fastcgi(Server::new(), service).await;
    let mut front = served.connect().await;
    front.send(get(1, false, "/bomb")).await;
    let reply = front.reply(1).await;
    assert_eq!(reply.text(), "Status: 204 No Content\r\n\r\n");
    assert_eq!(front.rest().await, b"");
}

/// The variables of the second request are not read, because the first one's body is not.
#[tokio::test]
async fn gateway_45_the_header_timeout_does_not_run_while_nothing_is_read() {
    let (go, server) = (
        Arc::new(Semaphore::new(0)),
        Server::new().header_timeout(ms(200)),
    );
    let waits = go.clone();
    let service = service(move |request: Request<RequestBody>| {
        let go = waits.clone();
        async move {
            let _ = go.acquire().await.unwrap();
            let body = request.into_body().collect().await.unwrap();
            Response::new(Body::from(body.to_bytes().len().to_string()))
        }
    });
    let served = Served::fastcgi(server, service).await;
    let mut front = served.connect().await;
    front
        .send(head(1, true, &["REQUEST_METHOD=POST", "REQUEST_URI=/"]))
        .await;
    let second = get(2, true, "/");
    let (begin, rest) = second.split_at(16);
    front.send(begin).await;
    for _ in 0..2 {
        front.send(record(5, 1, &[0; 60_000])).await;
    }
    front.send(record(5, 1, b"")).await;
    front.send(rest).await;
    sleep(ms(600)).await;
    go.add_permits(1);
    let mut ends = Vec::new();
    while ends.len() < 2 {
        let (kind, id, _) = front.record().await.expect("the connection is open");
        if kind == 3 {
            ends.push(id);
        }
    }
}

/// The time is not one that a clock can reach.
#[tokio::test]
async fn gateway_46_the_longest_times_are_no_panic() {
    let server = Server::new()
        .header_timeout(Duration::MAX)
        .body_timeout(Duration::MAX)
        .write_timeout(Duration::MAX)
        .drain_timeout(Duration::MAX)
        .lingering_time(Duration::MAX);
    let service = service(async |request: Request<RequestBody>| {
        let body = request.into_body().collect().await.unwrap();
        Response::new(Body::from(body.to_bytes()))
    });
    let mut served = Served::fastcgi(server, service).await;
    let mut front = served.connect().await;
    front
        .send(head(1, false, &["REQUEST_METHOD=POST", "REQUEST_URI=/"]))
        .await;
    sleep(ms(50)).await;
    served.signal();
    sleep(ms(50)).await;
    front.send(record(5, 1, b"abc")).await;
    front.send(record(5, 1, b"")).await;
    assert_eq!(front.reply(1).await.body(), "abc");
    assert_eq!(front.rest().await, b"");
    // The end is orderly: what comes now is discarded.
    front.send(record(5, 1, b"late")).await;
    drop(front);
    served.ended().await.unwrap();
}

/// The client has left, and the web server with it, while a body waits that the service never
/// reads.
#[tokio::test]
async fn gateway_43_a_server_that_leaves_is_noticed_while_nothing_is_read() {
    let gone = Arc::new(Semaphore::new(0));
    let note = gone.clone();
    let service = service(move |request: Request<RequestBody>| {
        let note = note.clone();
        async move {
            let _noted = Noted(note);
            let _body = request.into_body();
            std::future::pending().await
        }
    });
    let served = Served::fastcgi(Server::new(), service).await;
    let mut front = served.connect().await;
    front
        .send(head(1, false, &["REQUEST_METHOD=POST", "REQUEST_URI=/"]))
        .await;
    for _ in 0..2 {
        front.send(record(5, 1, &[0; 50_000])).await;
    }
    sleep(ms(100)).await;
    drop(front);
    let noted = timeout(PATIENCE, gone.acquire()).await;
    let _ = noted.expect("the request is dropped").unwrap();
}

/// Adds a permit when it is dropped.
struct Noted(Arc<Semaphore>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}
