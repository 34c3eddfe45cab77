//! A service behind a web server that speaks FastCGI.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::{
    io::AsyncWriteExt,
    sync::{Barrier, Notify, Semaphore},
    time::timeout,
};
use tower::service_fn;
use tower_gateway::{RequestBody, Server};

use super::front::{PATIENCE, Served, echo, get, head, record, service};

const POST: &str = "REQUEST_METHOD=POST";

fn ok(body: impl Into<Body>) -> Response<Body> {
    Response::new(body.into())
}

/// Responds with the path.
async fn path(request: Request<RequestBody>) -> Response<Body> {
    ok(request.uri().path().to_owned())
}

/// A value that notes when it is dropped.
struct Noted(Arc<AtomicBool>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Returns a service that never responds, notes when its work is dropped, and tells when it begins.
fn endless() -> (
    impl tower::Service<
        Request<RequestBody>,
        Response = Response<Body>,
        Error = std::convert::Infallible,
        Future = impl Future<Output = Result<Response<Body>, std::convert::Infallible>> + Send,
    > + Clone
    + Send
    + 'static,
    Arc<AtomicBool>,
    Arc<Notify>,
) {
    let (dropped, begun) = (Arc::<AtomicBool>::default(), Arc::<Notify>::default());
    let (is_dropped, has_begun) = (dropped.clone(), begun.clone());
    let service = service(move |request: Request<RequestBody>| {
        let (dropped, begun) = (dropped.clone(), begun.clone());
        async move {
            if request.uri().path() != "/endless" {
                return path(request).await;
            }
            let _noted = Noted(dropped);
            begun.notify_one();
            std::future::pending().await
        }
    });
    (service, is_dropped, has_begun)
}

async fn until(is_it: &AtomicBool) {
    let waiting = async {
        while !is_it.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap();
}

/// nginx delivers the response only when the sending side is closed, and Apache loses it if the
/// connection is closed with input unread.
#[tokio::test]
async fn gateway_42_without_keep_conn_the_sending_side_is_closed_first() {
    let served = Served::fastcgi(Server::new(), service(path)).await;
    let mut front = served.connect().await;
    let lines = [POST, "REQUEST_URI=/a", "CONTENT_LENGTH=1000000"];
    front.send(head(1, false, &lines)).await;
    front.send(record(5, 1, &[b'x'; 1000])).await;
    let reply = front.reply(1).await;
    assert_eq!((&*reply.body(), reply.end), ("/a", Some(0)));
    // The end has come, and the rest of the body is still taken.
    assert_eq!(front.rest().await, b"");
    for _ in 0..900 {
        front.send(record(5, 1, &[b'x'; 1000])).await;
    }
    front.stream.shutdown().await.unwrap();
}

/// Otherwise two servers would wait for one another for ever.
#[tokio::test]
async fn gateway_42_what_is_discarded_has_a_limit() {
    let server = Server::new().lingering_bytes(100_000);
    let served = Served::fastcgi(server, service(path)).await;
    let mut front = served.connect().await;
    front.send(head(1, false, &[POST, "REQUEST_URI=/a"])).await;
    assert_eq!(front.reply(1).await.end, Some(0));
    let sending = async {
        while front
            .stream
            .write_all(&record(5, 1, &[0; 60_000]))
            .await
            .is_ok()
        {}
    };
    timeout(PATIENCE, sending).await.unwrap();
    let server = Server::new().lingering_time(Duration::from_millis(50));
    let served = Served::fastcgi(server, service(path)).await;
    let mut front = served.connect().await;
    front.send(get(1, false, "/a")).await;
    assert_eq!(front.reply(1).await.end, Some(0));
    let waiting = async {
        while front.stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap();
}

#[tokio::test]
async fn gateway_42_a_kept_connection_takes_further_requests() {
    let served = Served::fastcgi(Server::new(), service(path)).await;
    let mut front = served.connect().await;
    for number in 0..3 {
        // The body of the request before may still come after its end.
        front.send(record(5, 1, b"late")).await;
        front.send(get(1, true, &format!("/{number}"))).await;
        let reply = front.reply(1).await;
        assert_eq!((reply.body(), reply.end), (format!("/{number}"), Some(0)));
        assert!(front.is_silent().await);
    }
    front.send(get(1, false, "/last")).await;
    assert_eq!(front.reply(1).await.body(), "/last");
    assert_eq!(front.rest().await, b"");
}

#[tokio::test]
async fn gateway_36_a_body_without_a_length_ends_at_the_empty_stdin() {
    let served = Served::fastcgi(Server::new(), echo()).await;
    let mut front = served.connect().await;
    for lines in [
        &[POST, "REQUEST_URI=/"][..],
        &[POST, "REQUEST_URI=/", "CONTENT_LENGTH="],
        // The server has decoded the chunks.
        &[POST, "REQUEST_URI=/", "HTTP_TRANSFER_ENCODING=chunked"],
    ] {
        front.send(head(1, true, lines)).await;
        for piece in ["3\r\n", "abc", "\r\n0\r\n\r\n"] {
            front.send(record(5, 1, piece.as_bytes())).await;
        }
        front.send(record(5, 1, b"")).await;
        assert_eq!(front.reply(1).await.body(), "3\r\nabc\r\n0\r\n\r\n");
    }
}

/// Returns what a service has read of a body with this length and this content, and whether it has
/// ended well.
async fn read_of(length: &str, content: &[u8], end: &[u8]) -> String {
    let service = service(async |request: Request<RequestBody>| {
        let hint = format!("{:?}", http_body::Body::size_hint(request.body()).exact());
        let stated = request.headers().get("content-length").cloned();
        match request.into_body().collect().await {
            Ok(body) => {
                let body = String::from_utf8(body.to_bytes().to_vec()).unwrap();
                ok(format!("{hint} {stated:?} {body}"))
            }
            Err(error) => ok(format!("{hint} {:?} {error}", error.kind())),
        }
    });
    let served = Served::fastcgi(Server::new(), service).await;
    let mut front = served.connect().await;
    let length = format!("CONTENT_LENGTH={length}");
    front
        .send(head(1, true, &[POST, "REQUEST_URI=/", &length]))
        .await;
    front.send(record(5, 1, content)).await;
    front.send(end).await;
    front.reply(1).await.body()
}

#[tokio::test]
async fn gateway_36_a_body_has_the_announced_length() {
    let end = record(5, 1, b"");
    assert_eq!(read_of("3", b"abc", &end).await, "Some(3) Some(\"3\") abc");
    // It ends with its last byte.
    assert_eq!(read_of("3", b"abc", b"").await, "Some(3) Some(\"3\") abc");
    assert_eq!(
        read_of("3", b"abcdef", &end).await,
        "Some(3) Some(\"3\") abc"
    );
    assert_eq!(read_of("0", b"abc", &end).await, "Some(0) Some(\"0\") ");
    assert_eq!(
        read_of("9", b"abc", &end).await,
        "Some(9) UnexpectedEof the request's body is shorter than CONTENT_LENGTH"
    );
}

/// A body that is there with the head is known, so that a GET without a length has none.
#[tokio::test]
async fn gateway_36_a_get_without_a_length_has_no_body() {
    let service = service(async |request: Request<RequestBody>| {
        ok(http_body::Body::is_end_stream(request.body()).to_string())
    });
    let served = Served::fastcgi(Server::new(), service).await;
    let mut front = served.connect().await;
    front.send(get(1, true, "/")).await;
    assert_eq!(front.reply(1).await.body(), "true");
    front
        .send(head(1, true, &["REQUEST_METHOD=GET", "CONTENT_LENGTH=0"]))
        .await;
    assert_eq!(front.reply(1).await.body(), "true");
}

#[tokio::test]
async fn gateway_21_bodies_stream_both_ways_at_the_same_time() {
    let served = Served::fastcgi(Server::new(), echo()).await;
    let mut front = served.connect().await;
    front.send(head(7, true, &[POST, "REQUEST_URI=/"])).await;
    let (kind, id, content) = front.record().await.unwrap();
    assert_eq!((kind, id), (6, 7));
    assert!(content.ends_with(b"\r\n\r\n"));
    for piece in [&b"one"[..], b"two"] {
        front.send(record(5, 7, piece)).await;
        assert_eq!(front.record().await, Some((6, 7, piece.to_vec())));
    }
    front.send(record(5, 7, b"")).await;
    assert_eq!(front.reply(7).await.end, Some(0));
}

/// A body that the service does not read takes a part of it into memory and no more.
#[tokio::test]
async fn gateway_21_a_body_that_is_not_read_is_not_taken() {
    let (go, pieces) = (Arc::new(Semaphore::new(0)), 400);
    let waits = go.clone();
    let service = service(move |request: Request<RequestBody>| {
        let go = waits.clone();
        async move {
            let _ = go.acquire().await.unwrap();
            let body = request.into_body().collect().await.unwrap();
            ok(body.to_bytes().len().to_string())
        }
    });
    let served = Served::fastcgi(Server::new(), service).await;
    let mut front = served.connect().await;
    front.send(head(1, true, &[POST, "REQUEST_URI=/"])).await;
    let sending = async {
        for _ in 0..pieces {
            front.send(record(5, 1, &[0; 60_000])).await;
        }
    };
    let mut sending = Box::pin(sending);
    let blocked = timeout(Duration::from_millis(300), &mut sending).await;
    assert!(blocked.is_err(), "24 MB were taken");
    go.add_permits(1);
    timeout(PATIENCE, sending).await.unwrap();
    front.send(record(5, 1, b"")).await;
    assert_eq!(front.reply(1).await.body(), (pieces * 60_000).to_string());
}

#[tokio::test]
async fn gateway_33_requests_on_one_connection_run_at_the_same_time() {
    let barrier = Arc::new(Barrier::new(3));
    let service = service(move |request: Request<RequestBody>| {
        let barrier = barrier.clone();
        async move {
            barrier.wait().await;
            path(request).await
        }
    });
    let served = Served::fastcgi(Server::new(), service).await;
    let mut front = served.connect().await;
    let ids = [1, 2, 60_000];
    for id in ids {
        front.send(get(id, true, &format!("/{id}"))).await;
    }
    let (mut bodies, mut ended) = (vec![String::new(); 3], 0);
    while ended < 3 {
        let (kind, id, content) = front.record().await.unwrap();
        let index = ids.iter().position(|other| *other == id).unwrap();
        match kind {
            6 => bodies[index] += str::from_utf8(&content).unwrap(),
            _ => ended += 1,
        }
    }
    for (id, body) in ids.iter().zip(bodies) {
        assert!(body.ends_with(&format!("\r\n\r\n/{id}")), "{body}");
    }
}

/// A short response does not wait for the end of a long one.
#[tokio::test]
async fn gateway_33_requests_take_turns_when_they_write() {
    let service = service(async |request: Request<RequestBody>| {
        if request.uri().path() != "/long" {
            return path(request).await;
        }
        let pieces = stream::repeat(Bytes::from(vec![0; 100_000])).take(500);
        ok(Body::from_stream(pieces.map(Ok::<_, io::Error>)))
    });
    let served = Served::fastcgi(Server::new(), service).await;
    let mut front = served.connect().await;
    front.send(get(1, true, "/long")).await;
    let (_, _, begun) = front.record().await.unwrap();
    // If it could, the whole long response would wait to be sent by now.
    tokio::time::sleep(Duration::from_millis(500)).await;
    front.send(get(2, true, "/short")).await;
    let (mut long, mut at_end_of_short) = (begun.len(), None);
    loop {
        let (kind, id, content) = front.record().await.unwrap();
        match (kind, id) {
            (6, 1) => long += content.len(),
            (3, 2) => at_end_of_short = Some(long),
            (3, 1) => break,
            _ => {}
        }
    }
    assert!(long >= 50_000_000);
    // All that the system's buffers hold comes before it.
    assert!(at_end_of_short.unwrap() < 40_000_000, "{at_end_of_short:?}");
}

#[tokio::test]
async fn gateway_33_more_requests_than_the_limit_get_a_503() {
    let (endless, ..) = endless();
    let served = Served::fastcgi(Server::new().requests(2), endless).await;
    let mut front = served.connect().await;
    for id in [1, 2] {
        front.send(get(id, true, "/endless")).await;
    }
    front.send(get(3, true, "/a")).await;
    let reply = front.reply(3).await;
    // The status of the protocol alone would be an empty 200 for Apache.
    assert!(
        reply
            .text()
            .starts_with("Status: 503 Service Unavailable\r\n")
    );
    assert!(reply.text().contains("\r\nretry-after: 1\r\n"));
    assert_eq!(reply.end, Some(2));
    // One that has ended makes room.
    front.send(record(2, 1, b"")).await;
    assert_eq!(front.reply(1).await.end, Some(0));
    front.send(get(3, true, "/a")).await;
    assert_eq!(front.reply(3).await.body(), "/a");
}

#[tokio::test]
async fn gateway_34_questions_about_the_connection_have_answers() {
    let server = Server::new().connections(7).requests(3);
    let served = Served::fastcgi(server, service(path)).await;
    let mut front = served.connect().await;
    let names = [
        "FCGI_MPXS_CONNS=",
        "FCGI_MAX_CONNS=",
        "UNKNOWN=",
        "FCGI_MAX_REQS=",
    ];
    let values =
        super::front::pairs(&["FCGI_MAX_CONNS=7", "FCGI_MAX_REQS=21", "FCGI_MPXS_CONNS=1"]);
    front.send(record(9, 0, &super::front::pairs(&names))).await;
    assert_eq!(front.record().await, Some((10, 0, values)));
    front
        .send(record(9, 0, &super::front::pairs(&["FCGI_MAX_CONNS="])))
        .await;
    let value = super::front::pairs(&["FCGI_MAX_CONNS=7"]);
    assert_eq!(front.record().await, Some((10, 0, value)));
    // Malformed names, and no names at all.
    for content in [&b"\xFF"[..], b""] {
        front.send(record(9, 0, content)).await;
        assert_eq!(front.record().await, Some((10, 0, vec![])));
    }
    front.send(record(77, 0, b"what?")).await;
    assert_eq!(
        front.record().await,
        Some((11, 0, vec![77, 0, 0, 0, 0, 0, 0, 0]))
    );
    // Nothing about the connection is sent unless it is asked for.
    front.send(record(77, 1, b"ignored")).await;
    front.send(get(1, true, "/a")).await;
    assert_eq!(front.reply(1).await.body(), "/a");
}

/// A client that never reads the answers does not make them pile up.
#[cfg(unix)]
#[tokio::test]
async fn gateway_34_questions_wait_until_answers_are_read() {
    // The buffers of a Unix socket are small.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(Server::new().fastcgi(listener, service(self::path)));
    let mut front = tokio::net::UnixStream::connect(&path).await.unwrap();
    let questions = record(9, 0, &super::front::pairs(&["FCGI_MAX_CONNS="])).repeat(1000);
    let asking = async {
        for _ in 0..200 {
            front.write_all(&questions).await.unwrap();
        }
    };
    assert!(timeout(Duration::from_secs(3), asking).await.is_err());
}

#[tokio::test]
async fn gateway_34_a_wrong_role_is_a_501() {
    let served = Served::fastcgi(Server::new(), service(path)).await;
    for role in [2, 3, 9] {
        let mut front = served.connect().await;
        front.send(record(1, 1, &[0, role, 1, 0, 0, 0, 0, 0])).await;
        front.send(record(4, 1, b"")).await;
        let reply = front.reply(1).await;
        // An authorizer with an empty response would let everything pass.
        assert!(
            reply.text().starts_with("Status: 501 Not Implemented\r\n"),
            "{reply:?}"
        );
        assert_eq!(reply.end, Some(3));
        front.send(get(1, true, "/a")).await;
        assert_eq!(front.reply(1).await.body(), "/a");
    }
}

#[tokio::test]
async fn gateway_34_a_broken_protocol_closes_the_connection() {
    let served = Served::fastcgi(Server::new(), service(path)).await;
    let begin = record(1, 1, &[0, 1, 1, 0, 0, 0, 0, 0]);
    for bytes in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        record(4, 0, b"x"),
        record(6, 1, b"x"),
        [begin.clone(), begin].concat(),
    ] {
        let mut front = served.connect().await;
        front.send(&bytes).await;
        assert_eq!(front.record().await, None, "{bytes:?}");
    }
}

#[tokio::test]
async fn gateway_43_an_aborted_request_is_dropped() {
    let (endless, dropped, begun) = endless();
    let served = Served::fastcgi(Server::new(), endless).await;
    let mut front = served.connect().await;
    front.send(get(1, true, "/endless")).await;
    begun.notified().await;
    front.send(get(2, true, "/a")).await;
    assert_eq!(front.reply(2).await.body(), "/a");
    assert!(!dropped.load(Ordering::SeqCst));
    front.send(record(2, 1, b"")).await;
    assert_eq!(front.reply(1).await.end, Some(0));
    assert!(dropped.load(Ordering::SeqCst));
    // Before the service is called, and for a request that is not there.
    front.send(record(1, 1, &[0, 1, 1, 0, 0, 0, 0, 0])).await;
    front.send(record(2, 1, b"")).await;
    assert_eq!(front.reply(1).await.end, Some(0));
    front.send(record(2, 1, b"")).await;
    front.send(get(1, false, "/b")).await;
    assert_eq!(front.reply(1).await.body(), "/b");
}

#[tokio::test]
async fn gateway_43_the_end_of_the_connection_drops_its_requests() {
    let (endless, dropped, begun) = endless();
    let served = Served::fastcgi(Server::new(), endless).await;
    let mut front = served.connect().await;
    front.send(get(1, false, "/endless")).await;
    begun.notified().await;
    drop(front);
    until(&dropped).await;
}

#[tokio::test]
async fn gateway_41_a_failure_before_the_head_is_a_written_500() {
    for path in [
        "/error", "/panic", "/body", "/status", "/length", "/lengths",
    ] {
        let service = service_fn(async |request: Request<RequestBody>| {
            let stated =
                |length: &'static str| Response::builder().header("content-length", length);
            Ok(match request.uri().path() {
                "/error" => return Err(io::Error::other("no database")),
                "/panic" => panic!("a bug"),
                "/body" => {
                    let error = Err::<Bytes, _>(io::Error::other("no file"));
                    ok(Body::from_stream(stream::iter([error])))
                }
                "/status" => {
                    let mut response = ok("");
                    *response.status_mut() = StatusCode::EARLY_HINTS;
                    response
                }
                "/length" => stated("7").body(Body::from("six at")).unwrap(),
                _ => stated("7")
                    .header("content-length", "8")
                    .body(Body::empty())
                    .unwrap(),
            })
        });
        let served = unwatched(service).await;
        let mut front = served.connect().await;
        front.send(get(1, true, path)).await;
        let reply = front.reply(1).await;
        let begins = "Status: 500 Internal Server Error\r\n";
        assert!(reply.text().starts_with(begins), "{path}: {reply:?}");
        assert!(!reply.body().is_empty());
        assert_eq!(reply.end, Some(0));
        assert!(front.is_silent().await, "the connection is kept");
    }
}

/// Serves a service that breaks the rules that tower-lint watches.
async fn unwatched<S>(service: S) -> Served
where
    S: tower::Service<Request<RequestBody>, Response = Response<Body>> + Clone + Send + 'static,
    S::Error: Into<tower::BoxError>,
    S::Future: Send,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = Server::new();
    let task = tokio::spawn(async move { server.fastcgi(listener, service).await });
    Served {
        address,
        end: None,
        task,
    }
}

/// At the missing end, web servers notice that the response is cut.
#[tokio::test]
async fn gateway_41_a_response_that_breaks_off_has_no_end() {
    for path in ["/error", "/panic", "/short", "/long"] {
        let service = service(async |request: Request<RequestBody>| {
            let length = match request.uri().path() {
                "/short" => Some("9"),
                "/long" => Some("4"),
                _ => None,
            };
            let then = match request.uri().path() {
                "/error" => Some(Err(io::Error::other("no disk"))),
                "/long" => Some(Ok(Bytes::from_static(b"de"))),
                _ => None,
            };
            let panics = request.uri().path() == "/panic";
            let pieces = stream::iter([Ok(Bytes::from_static(b"abc"))]);
            let pieces = pieces.chain(stream::once(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert!(!panics, "a bug");
                then.unwrap_or(Ok(Bytes::new()))
            }));
            let mut response = ok(Body::from_stream(pieces));
            if let Some(length) = length {
                let length = HeaderValue::from_static(length);
                response.headers_mut().insert("content-length", length);
            }
            response
        });
        let served = unwatched(service).await;
        let mut front = served.connect().await;
        front.send(get(1, true, path)).await;
        let reply = front.reply(1).await;
        assert_eq!(reply.end, None, "{path}");
        assert!(reply.text().ends_with("\r\n\r\nabc"), "{path}: {reply:?}");
    }
}

#[tokio::test]
async fn gateway_41_a_head_that_is_too_large_is_a_431() {
    let served = Served::fastcgi(Server::new().head_limit(5000), service(path)).await;
    let mut front = served.connect().await;
    let long = format!("HTTP_X={}", "x".repeat(6000));
    front
        .send(head(1, true, &["REQUEST_METHOD=GET", &long]))
        .await;
    front.send(record(5, 1, b"")).await;
    let reply = front.reply(1).await;
    assert!(reply.text().starts_with("Status: 431 "), "{reply:?}");
    // A variable with a bad value does not end the connection either.
    front
        .send(head(1, true, &["REQUEST_METHOD=GET", "HTTP_X=a\u{1}b"]))
        .await;
    let reply = front.reply(1).await;
    assert!(
        reply.text().starts_with("Status: 400 Bad Request\r\n"),
        "{reply:?}"
    );
    front.send(head(1, true, &["REQUEST_METHOD=CONNECT"])).await;
    assert!(front.reply(1).await.text().starts_with("Status: 501 "));
    // Variables that end within a pair.
    front.send(record(1, 1, &[0, 1, 1, 0, 0, 0, 0, 0])).await;
    front
        .send([record(4, 1, b"\x04\x09HTTP"), record(4, 1, b"")].concat())
        .await;
    assert!(front.reply(1).await.text().starts_with("Status: 400 "));
    front.send(get(1, true, "/a")).await;
    assert_eq!(front.reply(1).await.body(), "/a");
}

#[tokio::test]
async fn gateway_45_a_head_has_a_time() {
    let server = Server::new().header_timeout(Duration::from_millis(500));
    let served = Served::fastcgi(server, service(path)).await;
    for bytes in [vec![], vec![1, 1], record(1, 1, &[0, 1, 1, 0, 0, 0, 0, 0])] {
        let mut front = served.connect().await;
        front.send(&bytes).await;
        assert_eq!(front.rest().await, b"", "{bytes:?}");
    }
    // A connection that is kept is not closed, because a POST on it could get lost.
    let mut front = served.connect().await;
    front.send(get(1, true, "/a")).await;
    front.reply(1).await;
    tokio::time::sleep(Duration::from_millis(1000)).await;
    front.send(get(1, true, "/b")).await;
    assert_eq!(front.reply(1).await.body(), "/b");
}

#[tokio::test]
async fn gateway_45_a_body_has_a_time_for_each_piece() {
    let service = service(async |request: Request<RequestBody>| {
        let error = request.into_body().collect().await.unwrap_err();
        ok(format!("{:?}", error.kind()))
    });
    let server = Server::new().body_timeout(Duration::from_millis(200));
    let served = Served::fastcgi(server, service).await;
    let mut front = served.connect().await;
    front.send(head(1, true, &[POST, "CONTENT_LENGTH=9"])).await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        front.send(record(5, 1, b"x")).await;
    }
    assert_eq!(front.reply(1).await.body(), "TimedOut");
}

#[tokio::test]
async fn gateway_45_a_server_that_takes_nothing_is_dropped() {
    let dropped = Arc::<AtomicBool>::default();
    let note = dropped.clone();
    let service = service(move |_: Request<RequestBody>| {
        let noted = Noted(note.clone());
        async move {
            let piece = Bytes::from(vec![0; 60_000]);
            let pieces = stream::repeat(piece).map(move |piece| {
                let _ = &noted;
                Ok::<_, io::Error>(piece)
            });
            ok(Body::from_stream(pieces))
        }
    });
    let server = Server::new().write_timeout(Duration::from_millis(100));
    let served = Served::fastcgi(server, service).await;
    let mut front = served.connect().await;
    front.send(get(1, true, "/")).await;
    until(&dropped).await;
}

#[tokio::test]
async fn gateway_45_connections_have_a_limit() {
    let served = Served::fastcgi(Server::new().connections(1), service(path)).await;
    let mut first = served.connect().await;
    first.send(get(1, true, "/a")).await;
    first.reply(1).await;
    let mut second = served.connect().await;
    second.send(get(1, true, "/b")).await;
    assert!(second.is_silent().await);
    drop(first);
    assert_eq!(second.reply(1).await.body(), "/b");
}

#[tokio::test]
async fn gateway_46_requests_end_before_the_server_does() {
    let go = Arc::new(Semaphore::new(0));
    let (waits, begun) = (go.clone(), Arc::new(AtomicUsize::new(0)));
    let count = begun.clone();
    let service = service(move |request: Request<RequestBody>| {
        let (go, count) = (waits.clone(), count.clone());
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = go.acquire().await.unwrap();
            path(request).await
        }
    });
    let mut served = Served::fastcgi(Server::new(), service).await;
    let (mut idle, mut busy) = (served.connect().await, served.connect().await);
    go.add_permits(1);
    idle.send(get(1, true, "/idle")).await;
    assert_eq!(idle.reply(1).await.body(), "/idle");
    // The permit was given back.
    go.forget_permits(1);
    busy.send(get(1, true, "/busy")).await;
    while begun.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    served.signal();
    assert_eq!(idle.rest().await, b"");
    drop(idle);
    // A request that comes now is rejected, and the others end.
    busy.send(get(2, true, "/late")).await;
    assert!(busy.reply(2).await.text().starts_with("Status: 503 "));
    go.add_permits(1);
    assert_eq!(busy.reply(1).await.body(), "/busy");
    assert_eq!(busy.rest().await, b"");
    drop(busy);
    served.ended().await.unwrap();
}

/// A web server connects when it has a request, so the first one is on its way at the signal.
#[tokio::test]
async fn gateway_46_a_first_request_is_on_its_way_at_the_signal() {
    let service =
        service(async |request: Request<RequestBody>| ok(request.uri().path().to_owned()));
    let mut served = Served::fastcgi(Server::new(), service).await;
    let (mut late, mut silent) = (served.connect().await, served.connect().await);
    tokio::time::sleep(Duration::from_millis(50)).await;
    served.signal();
    tokio::time::sleep(Duration::from_millis(50)).await;
    late.send(get(1, true, "/late")).await;
    assert_eq!(late.reply(1).await.body(), "/late");
    // It is the only one, and nothing more is waited for.
    assert_eq!(late.rest().await, b"");
    drop(late);
    // Without a request, it is closed after a second.
    let since = std::time::Instant::now();
    assert_eq!(silent.rest().await, b"");
    drop(silent);
    served.ended().await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn gateway_46_what_does_not_end_is_aborted() {
    let (endless, dropped, begun) = endless();
    let server = Server::new().drain_timeout(Duration::from_millis(50));
    let mut served = Served::fastcgi(server, endless).await;
    let mut front = served.connect().await;
    front.send(get(1, true, "/endless")).await;
    begun.notified().await;
    served.signal();
    let error = served.ended().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "1 connection was still open 50ms after the signal to end and is aborted"
    );
    until(&dropped).await;
}

/// Returns the head and the body of a response.
async fn sent(method: &str, make: fn() -> Response<Body>) -> String {
    let service = service(move |_: Request<RequestBody>| async move { make() });
    let served = unwatched(service).await;
    let mut front = served.connect().await;
    front
        .send(head(1, false, &[&format!("REQUEST_METHOD={method}")]))
        .await;
    front.reply(1).await.text()
}

fn with(status: u16, headers: &[(&'static str, &'static str)], body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        let name = HeaderName::from_static(name);
        response
            .headers_mut()
            .append(name, HeaderValue::from_static(value));
    }
    response
}

fn streamed(text: &'static str) -> Body {
    Body::from_stream(stream::iter([Ok::<_, io::Error>(Bytes::from_static(
        text.as_bytes(),
    ))]))
}

#[tokio::test]
async fn gateway_39_a_response_has_no_fields_about_one_hop() {
    let hop = || {
        let headers = [
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "1"),
            ("transfer-encoding", "chunked"),
            ("trailer", "x"),
            ("upgrade", "x"),
            ("x", "1"),
        ];
        with(200, &headers, Body::from("ab"))
    };
    assert_eq!(
        sent("GET", hop).await,
        "Status: 200 OK\r\nx: 1\r\ncontent-length: 2\r\n\r\nab"
    );
}

#[tokio::test]
async fn gateway_39_a_location_stays_except_at_200() {
    let at = |status| with(status, &[("location", "/b")], Body::empty());
    let created: fn() -> _ = || with(201, &[("location", "/b")], Body::empty());
    assert!(sent("POST", created).await.contains("location: /b\r\n"));
    let okay: fn() -> _ = || with(200, &[("location", "/b")], Body::empty());
    assert!(!sent("POST", okay).await.contains("location"));
    let service = service(move |_: Request<RequestBody>| async move { at(200) });
    let served = Served::fastcgi(Server::new().keep_location(), service).await;
    let mut front = served.connect().await;
    front.send(get(1, false, "/")).await;
    assert!(front.reply(1).await.text().contains("location: /b\r\n"));
}

#[tokio::test]
async fn gateway_39_nginx_does_not_buffer_an_event_stream() {
    let events: fn() -> _ = || {
        let headers = [("content-type", "text/event-stream; charset=utf-8")];
        with(200, &headers, streamed("data: 1\n\n"))
    };
    let text = sent("GET", events).await;
    assert!(text.contains("x-accel-buffering: no\r\n"), "{text}");
    let own: fn() -> _ = || {
        let headers = [
            ("content-type", "text/event-stream"),
            ("x-accel-buffering", "yes"),
        ];
        with(200, &headers, streamed("data: 1\n\n"))
    };
    assert!(
        sent("GET", own)
            .await
            .contains("x-accel-buffering: yes\r\n")
    );
    let page: fn() -> _ = || with(200, &[("content-type", "text/html")], streamed("<p>"));
    assert!(!sent("GET", page).await.contains("x-accel"));
}

#[tokio::test]
async fn gateway_40_content_and_its_length_fit_the_request() {
    let full: fn() -> _ = || with(200, &[], Body::from("abc"));
    let stream: fn() -> _ = || with(200, &[], streamed("abc"));
    let stated: fn() -> _ = || with(200, &[("content-length", "3")], streamed("abc"));
    let none: fn() -> _ = || with(204, &[("content-length", "0")], Body::empty());
    let reset: fn() -> _ = || with(205, &[], Body::empty());
    let same: fn() -> _ = || with(304, &[("etag", "\"1\"")], Body::empty());
    let same_0: fn() -> _ = || with(304, &[("content-length", "0")], Body::empty());
    for (method, make, expected) in [
        ("GET", full, "200 OK\r\ncontent-length: 3\r\n\r\nabc"),
        ("HEAD", full, "200 OK\r\ncontent-length: 3\r\n\r\n"),
        ("GET", stream, "200 OK\r\n\r\nabc"),
        ("HEAD", stream, "200 OK\r\n\r\n"),
        ("GET", stated, "200 OK\r\ncontent-length: 3\r\n\r\nabc"),
        ("HEAD", stated, "200 OK\r\ncontent-length: 3\r\n\r\n"),
        ("GET", none, "204 No Content\r\n\r\n"),
        (
            "GET",
            reset,
            "205 Reset Content\r\ncontent-length: 0\r\n\r\n",
        ),
        ("GET", same, "304 Not Modified\r\netag: \"1\"\r\n\r\n"),
        ("GET", same_0, "304 Not Modified\r\n\r\n"),
    ] {
        let found = sent(method, make).await;
        assert_eq!(found, format!("Status: {expected}"), "{method}");
    }
}

/// Trailers have no place in FastCGI.
#[tokio::test]
async fn gateway_40_trailers_are_dropped() {
    let service = service(async |_: Request<RequestBody>| {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x", HeaderValue::from_static("1"));
        let frames = [
            Ok::<_, io::Error>(http_body::Frame::data(Bytes::from_static(b"abc"))),
            Ok(http_body::Frame::trailers(trailers)),
        ];
        ok(Body::new(http_body_util::StreamBody::new(stream::iter(
            frames,
        ))))
    });
    let served = Served::fastcgi(Server::new(), service).await;
    let mut front = served.connect().await;
    front.send(get(1, false, "/")).await;
    let reply = front.reply(1).await;
    assert_eq!(
        (&*reply.text(), reply.end),
        ("Status: 200 OK\r\n\r\nabc", Some(0))
    );
}

/// No tunnel begins here, so nothing of one is in the request.
#[tokio::test]
async fn gateway_32_there_is_no_upgrade() {
    let service = service(async |request: Request<RequestBody>| {
        assert!(request.headers().is_empty());
        ok("none")
    });
    let served = Served::fastcgi(Server::new(), service).await;
    let mut front = served.connect().await;
    let lines = [
        "REQUEST_METHOD=GET",
        "HTTP_UPGRADE=websocket",
        "HTTP_CONNECTION=Upgrade",
    ];
    front.send(head(1, false, &lines)).await;
    assert_eq!(front.reply(1).await.body(), "none");
}
