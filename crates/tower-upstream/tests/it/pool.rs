//! Connections that are used again, and requests that are not sent again.

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::ServiceExt;

use super::{
    App, Body, OK, SHORT, ask, at, get, proxy,
    sockets::{Listener, Wire},
    text, watched,
};

fn post(body: &'static str) -> Request<Body> {
    let body = Body::new(Full::<bytes::Bytes>::from(body));
    Request::post("/").body(body).unwrap()
}

#[tokio::test]
async fn upstream_10_a_connection_is_used_again() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let requests = async {
        for _ in 0..3 {
            // `TE` is in `Connection`, which must not close it.
            let request = Request::get("/").header("te", "trailers");
            let response = ask(&app, request.body(Body::default()).unwrap()).await;
            assert_eq!(text(response).await, "ok");
        }
    };
    let answers = async {
        let mut peer = upstream.accept().await;
        for _ in 0..3 {
            peer.head().await;
            peer.write(OK).await;
        }
    };
    tokio::join!(requests, answers);
    assert!(!upstream.is_asked().await);
}

#[tokio::test]
async fn upstream_10_a_request_that_was_begun_is_not_sent_again() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let answers = async {
        let mut peer = upstream.accept().await;
        peer.head().await;
        peer.write(OK).await;
        // This is a kept connection, which may look as if it had been idle for too long.
        let mut seen = peer.head().await;
        seen += &peer.until("money").await;
        drop(peer);
        // A second attempt would come at once.
        let again = upstream.is_asked().await;
        (seen, again)
    };
    let requests = async {
        assert_eq!(text(ask(&app, get("/")).await).await, "ok");
        ask(&app, post("money")).await
    };
    let ((seen, again), response) = tokio::join!(answers, requests);
    assert!(seen.ends_with("money"), "{seen}");
    assert!(!again);
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn upstream_10_a_closed_connection_costs_no_request() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    for _ in 0..20 {
        let answers = async {
            let mut peer = upstream.accept().await;
            assert!(peer.head().await.starts_with("POST "));
            peer.until("whole").await;
            peer.write(OK).await;
            // It closes without a `Connection: close`.
        };
        let ((), response) = tokio::join!(answers, ask(&app, post("whole")));
        assert_eq!(text(response).await, "ok");
        // The proxy learns of it after a moment.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// Sends a request, and returns the connection that is kept.
async fn used(upstream: &Listener, app: &App) -> Wire {
    let (peer, response) = tokio::join!(upstream.answers(OK), ask(app, get("/")));
    assert_eq!(text(response).await, "ok");
    peer
}

/// A request that fails drops its connection, with the late response on it.
#[tokio::test]
async fn upstream_10_a_late_response_is_not_mistaken() {
    for begun in ["", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nla"] {
        let upstream = Listener::bind().await;
        let app = watched(at(&upstream).header_timeout(SHORT).idle_timeout(SHORT));
        let mut peer = used(&upstream, &app).await;
        let late = async {
            peer.head().await;
            peer.write(begun).await;
        };
        let ((), response) = tokio::join!(late, ask(&app, get("/")));
        match begun {
            "" => assert_eq!(response.status().as_u16(), 504),
            _ => assert!(response.into_body().collect().await.is_err()),
        }
        // The connection may be closed already.
        peer.try_write("te").await;
        drop(used(&upstream, &app).await);
    }
}

/// hyper's pool counts in real time, so a paused clock does not help.
#[tokio::test]
async fn upstream_10_thirty_two_idle_connections_are_kept() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let mut asked = Vec::new();
    let mut peers = Vec::new();
    for _ in 0..33 {
        asked.push(tokio::spawn(app.clone().oneshot(get("/"))));
        let mut peer = upstream.accept().await;
        peer.head().await;
        peers.push(peer);
    }
    for (peer, asked) in peers.iter_mut().zip(asked) {
        peer.write(OK).await;
        assert_eq!(text(asked.await.unwrap().unwrap()).await, "ok");
    }
    let mut closed = 0;
    for mut peer in peers {
        closed += usize::from(peer.is_closed().await);
    }
    assert_eq!(closed, 1);
}

#[cfg(unix)]
#[tokio::test]
async fn upstream_14_a_unix_socket_is_an_upstream() {
    let path = format!("tower-upstream-{}.sock", std::process::id());
    let path = std::env::temp_dir().join(path);
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let app = proxy(format!("unix:{}:/base/", path.display()));
    let answer = async {
        let mut peer = Wire::new(listener.accept().await.unwrap().0);
        let mut all = peer.head().await;
        all += &peer.until("body").await;
        peer.write(OK).await;
        all
    };
    let (head, response) = tokio::join!(answer, ask(&app, post("body")));
    std::fs::remove_file(&path).unwrap();
    assert!(head.starts_with("POST /base/ HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nhost: localhost\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-length: 4\r\n"), "{head}");
    assert_eq!(text(response).await, "ok");
}
