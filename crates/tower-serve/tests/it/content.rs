//! Responses without content, responses that are not final, and requests that no service gets.

use std::task::Poll;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header::CONTENT_LENGTH};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;

/// Returns a service that responds as the path describes: `/STATUS`, `/STATUS/HOW`, with the query
/// as Content-Length.
fn scripted()
-> impl Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible, Future = Answer>
+ Clone
+ Send
+ 'static {
    service_fn(|request: Request<RequestBody>| {
        let path = request.uri().path().trim_start_matches('/').to_owned();
        let (status, how) = path.split_once('/').unwrap_or((&path, "content"));
        // CONNECT has no path.
        let status = status.parse().unwrap_or(200);
        let mut response = Response::new(body(how));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        if let Some(length) = request.uri().query() {
            let length = HeaderValue::from_str(length).unwrap();
            response.headers_mut().insert(CONTENT_LENGTH, length);
        }
        Box::pin(async { Ok(response) }) as Answer
    })
}

fn body(how: &str) -> Body {
    let data = |text| Ok::<_, Infallible>(Frame::data(Bytes::from_static(text)));
    let trailers = HeaderMap::from_iter([("x-end".parse().unwrap(), HeaderValue::from(1))]);
    match how {
        "content" => Body::from("content"),
        "stream" => Body::new(StreamBody::new(stream::iter([data(b"con"), data(b"tent")]))),
        "trailers" => {
            let frames = [data(b"content"), Ok(Frame::trailers(trailers))];
            Body::new(StreamBody::new(stream::iter(frames)))
        }
        "only-trailers" => Body::new(StreamBody::new(stream::iter([Ok::<_, Infallible>(
            Frame::trailers(trailers),
        )]))),
        // It never sends anything, and never ends.
        "silent" => {
            let silence = stream::pending::<Result<Frame<Bytes>, Infallible>>();
            Body::new(StreamBody::new(silence))
        }
        "empty" => Body::default(),
        _ => panic!("{how}?"),
    }
}

/// Returns an HTTP/2 connection with a request on it.
async fn connect_2(server: &Running) -> SendRequest<Empty<Bytes>> {
    let socket = TcpStream::connect(server.address).await.unwrap();
    let io = TokioIo::new(socket);
    let (sender, connection) = handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// The status, the length that the head states, and the content with its trailers.
type Seen = (u16, Option<String>, Vec<u8>, bool);

fn length(headers: &HeaderMap) -> Option<String> {
    let length = headers.get(CONTENT_LENGTH)?;
    Some(length.to_str().unwrap().to_owned())
}

async fn over_2(server: &Running, method: Method, target: &str) -> Seen {
    let uri = match method {
        Method::CONNECT => Uri::from_static("a:80"),
        _ => format!("http://a{target}").parse().unwrap(),
    };
    let request = Request::builder().method(method).uri(uri);
    let request = request.body(Empty::new()).unwrap();
    let mut sender = connect_2(server).await;
    let response = timeout(PATIENCE, sender.send_request(request)).await;
    let (head, body) = response.unwrap().unwrap().into_parts();
    let body = timeout(PATIENCE, body.collect()).await.unwrap().unwrap();
    let has_trailers = body.trailers().is_some();
    let content = body.to_bytes().to_vec();
    (
        head.status.as_u16(),
        length(&head.headers),
        content,
        has_trailers,
    )
}

/// The content is what comes before the next response on the same connection, or before its end.
async fn over_1(server: &Running, method: Method, target: &str) -> Seen {
    let target = match method {
        Method::CONNECT => "a:80",
        _ => target,
    };
    let mut client = server.connect().await;
    client
        .send(format!(
            "{method} {target} HTTP/1.1\r\nhost: a\r\nte: trailers\r\n\r\n\
             GET /299 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        ))
        .await;
    let head = client.head().await;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let line = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    let length = line("content-length: ").map(str::to_owned);
    assert!(line("transfer-encoding: ").is_none(), "{head}");
    let (mut rest, _) = client.rest().await;
    let next = rest.windows(9).position(|window| window == b"HTTP/1.1 ");
    rest.truncate(next.unwrap_or(rest.len()));
    (status, length, rest, false)
}

#[tokio::test]
async fn content_is_stripped_where_there_is_none() {
    let server = run(server(), scripted()).await;
    let none = |status, length: Option<&str>| (status, length.map(str::to_owned), vec![], false);
    for (method, target, expected) in [
        // The length is that of the response to a GET.
        (Method::HEAD, "/200", none(200, Some("7"))),
        (Method::HEAD, "/200?9", none(200, Some("9"))),
        (Method::HEAD, "/200/stream", none(200, None)),
        (Method::HEAD, "/200/stream?9", none(200, Some("9"))),
        (Method::HEAD, "/200/trailers", none(200, None)),
        (Method::HEAD, "/200/only-trailers", none(200, None)),
        (Method::HEAD, "/200/silent?9", none(200, Some("9"))),
        (Method::HEAD, "/200/empty", none(200, None)),
        (Method::HEAD, "/200/empty?9", none(200, Some("9"))),
        (Method::HEAD, "/200/empty?0", none(200, Some("0"))),
        (Method::HEAD, "/404", none(404, Some("7"))),
        (Method::HEAD, "/413/stream?9", none(413, Some("9"))),
        (Method::GET, "/204", none(204, None)),
        (Method::GET, "/204?7", none(204, None)),
        (Method::GET, "/204/stream", none(204, None)),
        (Method::GET, "/204/trailers?7", none(204, None)),
        (Method::GET, "/204/silent", none(204, None)),
        (Method::GET, "/204/empty?0", none(204, None)),
        (Method::POST, "/204?7", none(204, None)),
        (Method::HEAD, "/204?7", none(204, None)),
        (Method::GET, "/205", none(205, Some("0"))),
        (Method::GET, "/205?7", none(205, Some("0"))),
        (Method::GET, "/205/stream", none(205, Some("0"))),
        (Method::GET, "/205/silent", none(205, Some("0"))),
        (Method::GET, "/205/empty", none(205, Some("0"))),
        (Method::POST, "/205/trailers", none(205, Some("0"))),
        (Method::HEAD, "/205/stream", none(205, Some("0"))),
        (Method::GET, "/304", none(304, None)),
        (Method::GET, "/304?9", none(304, Some("9"))),
        (Method::GET, "/304/stream", none(304, None)),
        (Method::GET, "/304/stream?9", none(304, Some("9"))),
        (Method::GET, "/304/trailers", none(304, None)),
        (Method::GET, "/304/silent?9", none(304, Some("9"))),
        (Method::GET, "/304/empty?9", none(304, Some("9"))),
        // The length of the missing content, and not of what it stands for.
        (Method::GET, "/304/empty?0", none(304, None)),
        (Method::HEAD, "/304/stream?9", none(304, Some("9"))),
    ] {
        let over_1 = over_1(&server, method.clone(), target).await;
        assert_eq!(over_1, expected, "{method} {target} over HTTP/1");
        let over_2 = over_2(&server, method.clone(), target).await;
        assert_eq!(over_2, expected, "{method} {target} over HTTP/2");
    }
}

#[tokio::test]
async fn content_and_its_length_pass_everywhere_else() {
    let server = run(server(), scripted()).await;
    for (target, length, has_trailers) in [
        ("/200", Some("7"), false),
        ("/200?7", Some("7"), false),
        ("/200/stream", None, false),
        ("/200/stream?7", Some("7"), false),
        ("/200/trailers", None, true),
        ("/206", Some("7"), false),
        ("/404", Some("7"), false),
        ("/500/stream", None, false),
    ] {
        let status = target[1..4].parse().unwrap();
        let expected = (
            status,
            length.map(str::to_owned),
            b"content".to_vec(),
            has_trailers,
        );
        assert_eq!(
            over_2(&server, Method::GET, target).await,
            expected,
            "{target}"
        );
    }
    let mut client = server.connect().await;
    assert!(
        client
            .get("/200/content")
            .await
            .ends_with("\r\n\r\ncontent")
    );
    client
        .send("GET /200/stream HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await;
    assert!(
        client
            .head()
            .await
            .contains("transfer-encoding: chunked\r\n")
    );
    assert_eq!(client.rest().await.0, b"3\r\ncon\r\n4\r\ntent\r\n0\r\n\r\n");
}

#[tokio::test]
async fn a_response_that_is_not_final_is_a_500() {
    let server = run(server(), scripted()).await;
    let text = b"500 Internal Server Error\n";
    for target in [
        "/100",
        "/101",
        "/102/empty",
        "/103/stream",
        "/103?7",
        "/199/silent",
    ] {
        let expected = (500, Some(text.len().to_string()), text.to_vec(), false);
        assert_eq!(
            over_1(&server, Method::GET, target).await,
            expected,
            "{target}"
        );
        assert_eq!(
            over_2(&server, Method::GET, target).await,
            expected,
            "{target}"
        );
        let expected = (500, Some(text.len().to_string()), vec![], false);
        assert_eq!(
            over_1(&server, Method::HEAD, target).await,
            expected,
            "{target}"
        );
        assert_eq!(
            over_2(&server, Method::HEAD, target).await,
            expected,
            "{target}"
        );
    }
}

#[tokio::test]
async fn a_switch_of_protocols_needs_a_request_for_it() {
    let server = run(server(), scripted()).await;
    for (head, status) in [
        (
            "GET /101?7 HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
            "101",
        ),
        ("GET /101 HTTP/1.1\r\nhost: a\r\n\r\n", "500"),
        (
            "GET /101 HTTP/1.0\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
            "500",
        ),
        (
            "GET /100 HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
            "500",
        ),
    ] {
        let mut client = server.connect().await;
        client.send(head).await;
        let response = client.head().await;
        assert_eq!(response.split(' ').nth(1), Some(status), "{head}");
        if status == "101" {
            assert!(!response.contains("content-length"), "{response}");
            assert_eq!(client.rest().await.0, b"");
        }
    }
}

#[tokio::test]
async fn connect_gets_a_response_and_no_tunnel_by_mistake() {
    let text = |status: u16, text: &str| {
        (
            status,
            Some(text.len().to_string()),
            text.as_bytes().to_vec(),
            false,
        )
    };
    let server_200 = run(server(), scripted()).await;
    let expected = text(501, "501 Not Implemented\n");
    assert_eq!(over_1(&server_200, Method::CONNECT, "").await, expected);
    assert_eq!(over_2(&server_200, Method::CONNECT, "").await, expected);

    // axum has a 405 for it, with `Allow`.
    let router = axum::Router::new().route("/", axum::routing::get(async || "page"));
    let router = run(server(), router).await;
    for seen in [
        over_1(&router, Method::CONNECT, "").await,
        over_2(&router, Method::CONNECT, "").await,
    ] {
        assert!([404, 405].contains(&seen.0), "{seen:?}");
        assert_eq!(seen.2, b"");
    }

    let empty = service_fn(|_: Request<RequestBody>| async {
        let mut response = Response::new(Body::default());
        response.headers_mut().insert(CONTENT_LENGTH, 0.into());
        Ok::<_, Infallible>(response)
    });
    // The response opens a tunnel, which has already ended.
    let empty = run(server(), empty).await;
    let expected = (200, None, vec![], false);
    assert_eq!(over_1(&empty, Method::CONNECT, "").await, expected);
    assert_eq!(over_2(&empty, Method::CONNECT, "").await, expected);
}

/// What follows on the connection was meant for the tunnel, and is no request.
#[tokio::test]
async fn a_connect_without_a_tunnel_closes_the_connection() {
    let router = axum::Router::new().route("/", axum::routing::get(async || "page"));
    let server = run(server(), router).await;
    let mut client = server.connect().await;
    client
        .send("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    let (text, _) = client.rest().await;
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
    assert!(text.contains("connection: close\r\n"), "{text}");
    server.trigger.signal();
    server.ended().await.unwrap();
}

#[tokio::test]
async fn a_tunnel_of_the_app_works_over_both_versions() {
    let app = service_fn(|mut request: Request<RequestBody>| async move {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut tunnel = TokioIo::new(upgrade.await.unwrap());
            let mut four = [0; 4];
            tunnel.read_exact(&mut four).await.unwrap();
            tunnel.write_all(&four).await.unwrap();
            tunnel.shutdown().await.unwrap();
        });
        Ok::<_, Infallible>(Response::new(Body::default()))
    });
    let server = run(server(), app).await;
    let mut client = server.connect().await;
    client
        .send("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n")
        .await;
    assert!(client.head().await.starts_with("HTTP/1.1 200 "));
    client.send("ping").await;
    assert_eq!(client.rest().await.0, b"ping");

    let request = Request::connect("a:80").body(Empty::new()).unwrap();
    let response = connect_2(&server).await.send_request(request).await;
    let upgraded = hyper::upgrade::on(response.unwrap()).await.unwrap();
    let mut tunnel = TokioIo::new(upgraded);
    tunnel.write_all(b"ping").await.unwrap();
    let mut back = Vec::new();
    let read = timeout(PATIENCE, tunnel.read_to_end(&mut back)).await;
    read.unwrap().unwrap();
    assert_eq!(back, b"ping");
}

#[tokio::test]
async fn content_that_is_stripped_is_dropped_and_never_polled() {
    let (bombs, mut dropped) = tokio::sync::mpsc::unbounded_channel();
    let server = run(
        server(),
        app(move |_| {
            let (bomb, receiver) = bomb();
            bombs.send(receiver).unwrap();
            let frames =
                stream::poll_fn(move |_| -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
                    let _held = &bomb;
                    panic!("it is polled")
                });
            std::future::ready(Body::new(StreamBody::new(frames)))
        }),
    )
    .await;
    let mut client = server.connect().await;
    client.send("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await;
    let first = timeout(PATIENCE, dropped.recv()).await.unwrap().unwrap();
    timeout(PATIENCE, first).await.unwrap().unwrap();
    over_2(&server, Method::HEAD, "/").await;
    let second = timeout(PATIENCE, dropped.recv()).await.unwrap().unwrap();
    timeout(PATIENCE, second).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_transfer_coding_besides_chunked_is_a_501() {
    let server = run(server(), echo_path()).await;
    let chunks = "3\r\nabc\r\n0\r\n\r\n";
    for (lines, status) in [
        ("transfer-encoding: chunked", "200"),
        ("transfer-encoding: Chunked", "200"),
        ("transfer-encoding: , chunked", "200"),
        ("transfer-encoding: gzip, chunked", "501"),
        (
            "transfer-encoding: gzip\r\ntransfer-encoding: chunked",
            "501",
        ),
        ("transfer-encoding: GZIP;q=1 ,\tchunked", "501"),
        ("transfer-encoding: identity, chunked", "501"),
        ("transfer-encoding: x\"chunked\", chunked", "501"),
        // It may be there once (RFC 9112, section 6.1).
        ("transfer-encoding: chunked, chunked", "400"),
        (
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
            "400",
        ),
        // How long the body is cannot be known (section 6.3).
        ("transfer-encoding: chunked, gzip", "400"),
        ("transfer-encoding: gzip", "400"),
        ("transfer-encoding: identity", "400"),
    ] {
        let mut client = server.connect().await;
        client
            .send(format!(
                "POST /a HTTP/1.1\r\nhost: a\r\n{lines}\r\n\r\n{chunks}"
            ))
            .await;
        let response = client.head().await;
        assert_eq!(
            response.split(' ').nth(1),
            Some(status),
            "{lines}: {response}"
        );
        if status != "200" {
            assert!(response.contains("connection: close\r\n"), "{response}");
            client.rest().await;
        }
    }
}

/// Lengths of a 304 on one line or several: a 0 is not the length of a response to GET.
#[tokio::test]
async fn a_304_with_a_zero_among_its_lengths_has_none() {
    let app = service_fn(|request: Request<RequestBody>| {
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        let lengths = request.uri().path().split('/').skip(1);
        for length in lengths.map(|length| HeaderValue::from_str(length).unwrap()) {
            response.headers_mut().append(CONTENT_LENGTH, length);
        }
        Box::pin(async { Ok(response) }) as Answer
    });
    let server = run(server(), app).await;
    for (target, stated) in [
        ("/7", Some("7")),
        ("/0", None),
        ("/0/0", None),
        ("/0/7", None),
        ("/7/0", None),
    ] {
        let over_1 = over_1(&server, Method::GET, target).await;
        let over_2 = over_2(&server, Method::GET, target).await;
        assert_eq!(over_1.1.as_deref(), stated, "{target}");
        assert_eq!(over_2.1.as_deref(), stated, "{target} over HTTP/2");
    }
}

/// A 501 may be stored by a cache otherwise (RFC 9110, section 15.1).
#[tokio::test]
async fn no_cache_keeps_a_response_of_the_server_itself() {
    let server = run(server(), scripted()).await;
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
        (
            "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "501 Not Implemented",
        ),
        (
            "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n",
            "501 Not Implemented",
        ),
        (
            "GET /103 HTTP/1.1\r\nhost: a\r\n\r\n",
            "500 Internal Server Error",
        ),
    ] {
        let mut client = server.connect().await;
        client.send(request).await;
        let head = client.head().await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{head}"
        );
        assert!(
            head.contains("\r\ncache-control: no-store\r\n"),
            "{request}{head}"
        );
    }
}

#[tokio::test]
async fn the_server_rejects_in_the_format_that_the_client_prefers() {
    let server = run(server(), scripted()).await;
    for (lines, status, body) in [
        ("", "400 Bad Request", "400 Bad Request\n"),
        (
            "accept: application/json\r\n",
            "400 Bad Request",
            "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400}\n",
        ),
        ("content-type: application/grpc\r\n", "200 OK", ""),
    ] {
        let mut client = server.connect().await;
        client
            .send(format!(
                "POST / HTTP/1.1\r\n{lines}content-length: 0\r\n\r\n"
            ))
            .await;
        let head = client.head().await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{head}"
        );
        assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
        let is_grpc = head.contains("\r\ngrpc-status: 3\r\n");
        assert_eq!(is_grpc, status == "200 OK", "{head}");
        assert_eq!(client.rest().await.0, body.as_bytes());
    }
}

/// What frames content is in no head without content, written out here.
#[tokio::test]
async fn no_framing_is_left_without_content() {
    let app = service_fn(|request: Request<RequestBody>| {
        let mut response = Response::new(Body::default());
        let status = request.uri().path().trim_start_matches('/').parse();
        *response.status_mut() = status.unwrap_or(StatusCode::OK);
        for (name, value) in [
            ("content-length", "7"),
            ("transfer-encoding", "chunked"),
            ("trailer", "x-sum"),
            ("x-kept", "1"),
        ] {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        Box::pin(async { Ok(response) }) as Answer
    });
    let server = run(server(), app).await;
    for (request, length) in [
        ("GET /204", None),
        ("GET /205", Some("\r\ncontent-length: 0\r\n")),
        ("CONNECT a:80", None),
    ] {
        let mut client = server.connect().await;
        client
            .send(format!("{request} HTTP/1.1\r\nhost: a\r\n\r\n"))
            .await;
        let head = client.head().await;
        assert!(head.contains("\r\nx-kept: 1\r\n"), "{head}");
        for name in ["transfer-encoding", "trailer"] {
            assert!(!head.contains(name), "{request}: {head}");
        }
        match length {
            Some(length) => assert!(head.contains(length), "{head}"),
            None => assert!(!head.contains("content-length"), "{head}"),
        }
    }
}
