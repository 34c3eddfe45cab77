//! Kept connections that turn out closed, and requests that are sent a second time.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;

use super::{
    App, Body, OK, ask, get, proxy,
    sockets::{Listener, Wire},
    text,
};

fn request(method: &Method, body: &str) -> Request<Body> {
    let body = Body::new(Full::new(Bytes::from(body.to_owned())));
    Request::builder()
        .method(method)
        .uri("/")
        .body(body)
        .unwrap()
}

/// Sends a request, and returns the connection that is kept.
async fn kept(upstream: &Listener, app: &App) -> Wire {
    let (peer, response) = tokio::join!(upstream.answers(OK), ask(app, get("/")));
    assert_eq!(text(response).await, "ok");
    peer
}

/// Asks for this on a kept connection, to which the upstream writes a text and then closes it.
/// Returns the status, and what arrived on a second connection.
async fn cut(method: Method, body: &str, answer: &str) -> (StatusCode, Option<String>) {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let mut peer = kept(&upstream, &app).await;
    let upstream = async {
        peer.head().await;
        peer.until(body).await;
        peer.write(answer).await;
        drop(peer);
        let again = tokio::time::timeout(super::SHORT, upstream.accept()).await;
        let mut again = again.ok()?;
        let seen = again.head().await + &again.until(body).await;
        let ok = if method == Method::HEAD {
            "HTTP/1.1 200 OK\r\n\r\n"
        } else {
            OK
        };
        again.write(ok).await;
        Some(seen)
    };
    let (seen, response) = tokio::join!(upstream, ask(&app, request(&method, body)));
    (response.status(), seen)
}

#[tokio::test]
async fn upstream_10_a_get_survives_a_closed_connection() {
    for (method, body) in [
        (Method::GET, ""),
        (Method::HEAD, ""),
        (Method::OPTIONS, ""),
        (Method::TRACE, ""),
        (Method::DELETE, ""),
        (Method::DELETE, "body"),
        (Method::PUT, "body"),
    ] {
        let (status, again) = cut(method.clone(), body, "").await;
        assert_eq!(status, StatusCode::OK, "{method}");
        let again = again.unwrap();
        assert!(
            again.starts_with(&format!("{method} / HTTP/1.1\r\n")),
            "{again}"
        );
        assert!(again.ends_with(body), "{again}");
        assert_eq!(again.matches("host: ").count(), 1, "{again}");
    }
}

/// hyper takes the first head apart.
#[tokio::test]
async fn upstream_10_the_second_head_is_the_first_one() {
    for (method, body) in [
        (Method::GET, ""),
        (Method::HEAD, ""),
        (Method::OPTIONS, ""),
        (Method::DELETE, ""),
        (Method::PUT, ""),
        (Method::PUT, "body"),
    ] {
        let upstream = Listener::bind().await;
        let app = proxy(&upstream);
        // The first request shows that only the last one is kept.
        let mut peer = kept(&upstream, &app).await;
        let mut request = request(&method, body);
        *request.uri_mut() = "/a%20b//c?d=e:f&g".parse().unwrap();
        let headers = request.headers_mut();
        for (name, value) in [
            ("host", "client.example:81"),
            ("cookie", "a=1; b=2"),
            ("te", "trailers"),
            ("x-a", "1"),
            ("x-a", "2: \"3\", "),
            ("x-empty", ""),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        let twice = async {
            let first = peer.head().await;
            peer.until(body).await;
            drop(peer);
            let mut again = upstream.accept().await;
            let second = again.head().await;
            again.until(body).await;
            drop(again);
            (first, second)
        };
        let ((first, second), _) = tokio::join!(twice, ask(&app, request));
        assert_eq!(first, second);
        let line = format!("{method} /a%20b//c?d=e:f&g HTTP/1.1\r\n");
        assert!(first.starts_with(&line), "{first}");
        for line in ["x-a: 1", "x-a: 2: \"3\",", "te: trailers", "x-empty:"] {
            assert!(first.contains(line), "{first}");
        }
    }
}

#[tokio::test]
async fn upstream_10_a_post_is_never_sent_twice() {
    for (method, body) in [
        (Method::POST, ""),
        (Method::POST, "body"),
        (Method::PATCH, "body"),
        (Method::from_bytes(b"FROB").unwrap(), ""),
    ] {
        let found = cut(method.clone(), body, "").await;
        assert_eq!(found, (StatusCode::BAD_GATEWAY, None), "{method}");
    }
}

#[tokio::test]
async fn upstream_10_a_response_that_was_begun_is_no_second_try() {
    for begun in ["H", "HTTP/1.1 200 OK\r\n"] {
        let found = cut(Method::GET, "", begun).await;
        assert_eq!(found, (StatusCode::BAD_GATEWAY, None), "{begun}");
    }
}

#[tokio::test]
async fn upstream_10_a_long_body_is_not_sent_again() {
    let long = "x".repeat((64 << 10) + 1);
    let found = cut(Method::PUT, &long, "").await;
    assert_eq!(found, (StatusCode::BAD_GATEWAY, None));
    let most = "x".repeat(64 << 10);
    let (status, again) = cut(Method::PUT, &most, "").await;
    assert_eq!(status, StatusCode::OK);
    assert!(again.unwrap().ends_with(&most));
}

#[tokio::test]
async fn upstream_10_there_is_no_third_attempt() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let mut peer = kept(&upstream, &app).await;
    let closes = async {
        peer.head().await;
        drop(peer);
        let mut again = upstream.accept().await;
        again.head().await;
        drop(again);
        upstream.is_asked().await
    };
    let (third, response) = tokio::join!(closes, ask(&app, get("/")));
    assert!(!third);
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn upstream_10_a_new_connection_gives_no_second_try() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let closes = async {
        let mut peer = upstream.accept().await;
        peer.head().await;
        drop(peer);
        upstream.is_asked().await
    };
    let (second, response) = tokio::join!(closes, ask(&app, get("/")));
    assert!(!second);
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
}

/// The second attempt goes to a new connection, although there is another idle one.
#[tokio::test]
async fn upstream_10_a_second_attempt_has_a_new_connection() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let two = async {
        let mut one = upstream.accept().await;
        let mut two = upstream.accept().await;
        for peer in [&mut one, &mut two] {
            peer.head().await;
            peer.write(OK).await;
        }
        (one, two)
    };
    let both = async { tokio::join!(ask(&app, get("/")), ask(&app, get("/"))) };
    let ((mut one, mut two), (first, second)) = tokio::join!(two, both);
    assert_eq!(
        (text(first).await, text(second).await),
        ("ok".into(), "ok".into())
    );
    let answers = async {
        tokio::select! {
            _ = one.head() => drop(one),
            _ = two.head() => drop(two),
        }
        upstream.answers(OK).await
    };
    let (_new, response) = tokio::join!(answers, ask(&app, get("/")));
    assert_eq!(text(response).await, "ok");
}

const LATE: &str = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// HAProxy and node write a 408 to an idle connection before they close it.
#[tokio::test]
async fn upstream_10_an_unread_408_is_no_response() {
    // The runtime has no turn to see it.
    for method in [Method::GET, Method::POST] {
        let upstream = Listener::bind().await;
        let app = proxy(&upstream);
        let mut peer = kept(&upstream, &app).await;
        peer.write(LATE).await;
        let both = async { tokio::join!(upstream.answers(OK), ask(&app, request(&method, ""))) };
        let (_peer, response) = both.await;
        assert_eq!(response.status(), StatusCode::OK, "{method}");
    }
    // It crosses the request.
    let (status, again) = cut(Method::GET, "", LATE).await;
    assert_eq!((status, again.is_some()), (StatusCode::OK, true));
    let found = cut(Method::POST, "", LATE).await;
    assert_eq!(found, (StatusCode::REQUEST_TIMEOUT, None));
}
