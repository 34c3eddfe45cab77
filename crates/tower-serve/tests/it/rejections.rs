//! Responses of the server itself: to requests that no service gets, and instead of responses that
//! are not final.

use http::Method;

use super::{
    exchange::{over_1, over_2, scripted},
    *,
};

#[tokio::test]
async fn serve_2_a_response_that_is_not_final_is_a_500() {
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
async fn serve_2_a_101_needs_a_request_to_upgrade() {
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
async fn serve_5_a_transfer_coding_besides_chunked_is_a_501() {
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
        // It is allowed once (RFC 9112, section 6.1).
        ("transfer-encoding: chunked, chunked", "400"),
        (
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
            "400",
        ),
        // The length of the body cannot be known (section 6.3).
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

/// A cache may store a 501 otherwise (RFC 9110, section 15.1).
#[tokio::test]
async fn serve_6_no_cache_keeps_a_response_of_the_server() {
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

/// As the rule says. If hyper changes them, the rule does.
#[tokio::test]
async fn serve_6_the_responses_of_hyper_are_bare() {
    let server = run(server(), scripted()).await;
    let long = "x".repeat(70_000);
    for (request, status) in [
        ("GET / HTTP/1.1\r\na b\r\n\r\n".to_owned(), "400"),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n".to_owned(),
            "400",
        ),
        (format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"), "414"),
        (
            format!(
                "GET / HTTP/1.1\r\nhost: a\r\n{}\r\n",
                "a: b\r\n".repeat(200)
            ),
            "431",
        ),
    ] {
        let mut client = server.connect().await;
        client.send(&*request).await;
        let head = client.head().await;
        assert_eq!(head.split(' ').nth(1), Some(status), "{head}");
        let head = head.to_ascii_lowercase();
        assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
        assert!(head.contains("\r\ncontent-length: 0\r\n"), "{head}");
        assert!(!head.contains("cache-control"), "{head}");
        assert!(!head.contains("content-type"), "{head}");
    }
}

#[tokio::test]
async fn serve_6_a_rejection_has_the_format_that_the_client_prefers() {
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

#[tokio::test]
async fn serve_4_a_request_names_exactly_one_valid_host() {
    let server = run(server(), echo_path()).await;
    for (head, status) in [
        ("GET /a HTTP/1.1\r\nhost: a\r\n\r\n", "200"),
        ("GET /a HTTP/1.1\r\nhost:\r\n\r\n", "200"),
        ("GET /a HTTP/1.0\r\n\r\n", "200"),
        ("GET /a HTTP/1.1\r\n\r\n", "400"),
        ("GET /a HTTP/1.1\r\nhost: a\r\nHost: b\r\n\r\n", "400"),
        ("GET /a HTTP/1.1\r\nhost: a b\r\n\r\n", "400"),
        ("GET /a HTTP/1.0\r\nhost: a:99999\r\n\r\n", "400"),
        ("GET /a HTTP/1.0\r\nhost: a\r\nhost: a\r\n\r\n", "400"),
    ] {
        let mut client = server.connect().await;
        client.send(head).await;
        let response = client.response().await;
        assert_eq!(
            response.split(' ').nth(1),
            Some(status),
            "{head}: {response}"
        );
    }
    server.trigger.signal();
    server.ended().await.unwrap();
}
