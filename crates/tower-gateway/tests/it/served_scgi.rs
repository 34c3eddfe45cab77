//! A service behind a web server that speaks SCGI.

use std::{io, time::Duration};

use axum::body::Body;
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::{io::AsyncWriteExt, time::timeout};
use tower_gateway::{RequestBody, Server};

use super::front::{PATIENCE, Served, echo, service};

/// Lines such as `A=1` as the head of a request.
fn head(lines: &[&str]) -> Vec<u8> {
    let content: String = lines
        .iter()
        .flat_map(|line| {
            line.split_once('=')
                .map(|(name, value)| [name, "\0", value, "\0"])
        })
        .flatten()
        .collect();
    format!("{}:{content},", content.len()).into_bytes()
}

async fn path_and_body(request: Request<RequestBody>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Response::new(format!("{path} {}", String::from_utf8_lossy(&body)).into())
}

#[tokio::test]
async fn gateway_35_a_response_ends_with_the_connection() {
    let served = Served::scgi(Server::new(), service(path_and_body)).await;
    let post = [
        "CONTENT_LENGTH=3",
        "SCGI=1",
        "REQUEST_METHOD=POST",
        "REQUEST_URI=/a",
    ];
    let get = [
        "CONTENT_LENGTH=0",
        "SCGI=1",
        "REQUEST_METHOD=GET",
        "PATH_INFO=/b c",
    ];
    let none = ["CONTENT_LENGTH=", "REQUEST_METHOD=GET", "REQUEST_URI=/c"];
    for (lines, body, expected) in [
        (&post[..], "abc", "/a abc"),
        // Reading stops at the length. Servers keep the sending side open.
        (&post, "abcdef", "/a abc"),
        (&get, "", "/b%20c "),
        (&none, "xyz", "/c "),
    ] {
        let mut front = served.connect().await;
        front
            .send([&head(lines)[..], body.as_bytes()].concat())
            .await;
        let text = String::from_utf8(front.rest().await).unwrap();
        let length = expected.len();
        assert_eq!(
            text,
            format!("Status: 200 OK\r\ncontent-length: {length}\r\n\r\n{expected}")
        );
        // The other side is still open.
        front.stream.write_all(b"more").await.unwrap();
    }
}

#[tokio::test]
async fn gateway_35_bodies_stream_both_ways() {
    use tokio::io::AsyncReadExt;

    let served = Served::scgi(Server::new(), echo()).await;
    let mut front = served.connect().await;
    front
        .send(head(&["CONTENT_LENGTH=6", "REQUEST_METHOD=POST"]))
        .await;
    let mut found = Vec::new();
    for piece in ["one", "two"] {
        front.send(piece).await;
        while !found.ends_with(piece.as_bytes()) {
            front.stream.read_buf(&mut found).await.unwrap();
        }
    }
    assert_eq!(front.rest().await, b"");
}

#[tokio::test]
async fn gateway_35_a_bad_head_is_an_error_response_or_closes() {
    let served = Served::scgi(Server::new().head_limit(100), service(path_and_body)).await;
    for (bytes, expected) in [
        (
            &b"101:"[..],
            "Status: 431 Request Header Fields Too Large\r\n",
        ),
        (b"4:A\x001\x00,", "Status: 400 Bad Request\r\n"),
        (b"3:A\x001,", "Status: 400 Bad Request\r\n"),
        (b"GET / HTTP/1.1\r\n\r\n", ""),
        (b"2:A\x001\x00,", ""),
    ] {
        let mut front = served.connect().await;
        front.send(bytes).await;
        let mut rest = Vec::new();
        // A reset is a close, too.
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut front.stream, &mut rest).await;
        let text = String::from_utf8(rest).unwrap();
        assert!(text.starts_with(expected), "{bytes:?}: {text}");
        assert_eq!(text.is_empty(), expected.is_empty(), "{bytes:?}: {text}");
    }
}

/// An orderly end is that of a whole response.
#[tokio::test]
async fn gateway_41_a_response_that_breaks_off_resets_the_connection() {
    use tokio::io::AsyncReadExt;

    let service = service(async |_: Request<RequestBody>| {
        let pieces = stream::iter([Ok("abc"), Err(io::Error::other("no disk"))]);
        let pieces = pieces.then(async |piece| {
            tokio::time::sleep(Duration::from_millis(20)).await;
            piece
        });
        Response::new(Body::from_stream(pieces))
    });
    let served = Served::scgi(Server::new(), service).await;
    let mut front = served.connect().await;
    front
        .send(head(&["CONTENT_LENGTH=0", "REQUEST_METHOD=GET"]))
        .await;
    let mut found = Vec::new();
    let read = timeout(PATIENCE, front.stream.read_to_end(&mut found)).await;
    assert_eq!(
        read.unwrap().unwrap_err().kind(),
        io::ErrorKind::ConnectionReset
    );
    assert_eq!(found, b"Status: 200 OK\r\n\r\nabc");
}
