//! Responses without content.

use std::task::Poll;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Method, StatusCode, header::CONTENT_LENGTH};
use http_body::Frame;
use http_body_util::StreamBody;

use super::{
    exchange::{over_1, over_2, scripted},
    *,
};

#[tokio::test]
async fn serve_1_content_is_removed_where_there_is_none() {
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
        // It is the length of the missing content, and not of the content of a GET.
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
async fn serve_1_content_and_its_length_pass_otherwise() {
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
async fn serve_1_removed_content_is_dropped_and_never_polled() {
    let (bombs, mut dropped) = tokio::sync::mpsc::unbounded_channel();
    let server = run(
        server(),
        service(move |_| {
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

/// The lengths are on one line or on several. A 0 is not the length of a response to GET.
#[tokio::test]
async fn serve_1_a_304_with_a_zero_among_its_lengths_has_none() {
    let service = service_fn(async |request: Request<RequestBody>| {
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        let lengths = request.uri().path().split('/').skip(1);
        for length in lengths.map(|length| HeaderValue::from_str(length).unwrap()) {
            response.headers_mut().append(CONTENT_LENGTH, length);
        }
        Ok::<_, Infallible>(response)
    });
    let server = run(server(), service).await;
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

/// The names are written out here, so that none can get lost in the code.
#[tokio::test]
async fn serve_1_no_framing_is_left_without_content() {
    let service = service_fn(async |request: Request<RequestBody>| {
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
        Ok::<_, Infallible>(response)
    });
    let server = run(server(), service).await;
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
