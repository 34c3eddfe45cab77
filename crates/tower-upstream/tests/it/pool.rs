//! Connections that are used again, and requests that are not sent again.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
    time::{Duration, Instant},
};

use http::{Method, Request, StatusCode, Version};
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
            // It closes without a `Connection: close`. The runtime has no turn to see it before
            // the next request.
        };
        let ((), response) = tokio::join!(answers, ask(&app, post("whole")));
        assert_eq!(text(response).await, "ok");
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

/// Opens so many connections at once, and returns them after their first response.
async fn opened(upstream: &Listener, app: &App, count: usize) -> Vec<Wire> {
    let mut asked = Vec::new();
    let mut peers = Vec::new();
    for _ in 0..count {
        asked.push(tokio::spawn(app.clone().oneshot(get("/"))));
        let mut peer = upstream.accept().await;
        peer.head().await;
        peers.push(peer);
    }
    for (peer, asked) in peers.iter_mut().zip(asked) {
        peer.write(OK).await;
        assert_eq!(text(asked.await.unwrap().unwrap()).await, "ok");
    }
    peers
}

#[tokio::test]
async fn upstream_19_256_idle_connections_are_kept() {
    let upstream = Listener::bind().await;
    let app = watched(at(&upstream).keep_alive(Duration::MAX));
    let mut peers = opened(&upstream, &app, 257).await;
    // The oldest one makes room.
    assert!(peers[0].is_closed().await);
    for peer in &mut peers[1..4] {
        assert!(!peer.is_closed().await);
    }
    drop(app);
    for peer in &mut peers[1..] {
        assert!(peer.is_closed().await);
    }
}

/// An idle connection is closed after its time, and no request makes that happen.
#[tokio::test]
async fn upstream_19_an_idle_connection_is_closed_in_time() {
    const LONG: Duration = Duration::from_secs(60);
    const OPEN: Duration = Duration::from_secs(3);
    let timeout = |seconds| {
        format!(
            "HTTP/1.1 200 OK\r\nKeep-Alive: max=9, timeout={seconds}\r\ncontent-length: 2\r\n\r\nok"
        )
    };
    for (time, answer, least, most) in [
        (SHORT, OK.to_owned(), 0.2, 0.8),
        (LONG, timeout(2), 0.9, 1.5),
        (SHORT, timeout(9), 0.2, 0.8),
        (LONG, timeout(1), 0.0, 0.2),
        (Duration::ZERO, OK.to_owned(), 0.0, 0.2),
        (LONG, OK.replace("HTTP/1.1", "HTTP/1.0"), 0.0, 0.2),
        (
            LONG,
            OK.replace("content", "connection: close\r\ncontent"),
            0.0,
            0.2,
        ),
        (LONG, OK.to_owned(), 3.0, 9.0),
        // What the upstream says is no reason to keep it for longer.
        (LONG, timeout(99), 3.0, 9.0),
    ] {
        let upstream = Listener::bind().await;
        let app = watched(at(&upstream).keep_alive(time));
        let (mut peer, response) = tokio::join!(upstream.answers(&answer), ask(&app, get("/")));
        assert_eq!(text(response).await, "ok");
        let began = Instant::now();
        while began.elapsed() < OPEN && !peer.is_closed().await {}
        let open = began.elapsed().as_secs_f64();
        assert!(
            (least..most).contains(&open),
            "{answer:?} after {time:?}: {open}"
        );
    }
}

#[tokio::test]
async fn upstream_19_no_connection_is_made_without_a_request() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    assert!(!upstream.is_asked().await);
    let peer = used(&upstream, &app).await;
    drop(peer);
    // Not for a connection that was closed, either.
    assert!(!upstream.is_asked().await);
}

#[tokio::test]
async fn upstream_19_the_last_connection_is_used_first() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let mut peers = opened(&upstream, &app, 3).await;
    for _ in 0..3 {
        let last = &mut peers[2];
        let answers = async {
            last.head().await;
            last.write(OK).await;
        };
        let ((), response) = tokio::join!(answers, ask(&app, get("/")));
        assert_eq!(text(response).await, "ok");
    }
}

/// hyper cannot send them to the client (hyper#4114).
#[tokio::test]
async fn upstream_20_informational_responses_are_read_over() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let informational = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n";
    let answers = async {
        let mut peer = upstream.accept().await;
        for _ in 0..2 {
            peer.head().await;
            peer.write(informational).await;
            peer.write(OK).await;
        }
    };
    let asks = async {
        for _ in 0..2 {
            let response = ask(&app, get("/")).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert!(!response.headers().contains_key("link"));
            assert_eq!(text(response).await, "ok");
        }
    };
    tokio::join!(answers, asks);
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

/// Some servers send the content that a response to GET has. It may come when the next request is
/// on its way, so the system is asked before.
#[tokio::test]
async fn upstream_10_content_after_a_head_is_no_response() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    for (method, answer) in [
        (Method::HEAD, head),
        (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n"),
        (Method::GET, "HTTP/1.1 304 Not Modified\r\n\r\n"),
    ] {
        let upstream = Listener::bind().await;
        let app = proxy(&upstream);
        let mut request = get("/");
        *request.method_mut() = method;
        let (mut peer, response) = tokio::join!(upstream.answers(answer), ask(&app, request));
        assert_eq!(text(response).await, "");
        peer.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")
            .await;
        let second = tokio::time::timeout(SHORT, upstream.answers(OK));
        let (second, response) = tokio::join!(second, ask(&app, get("/")));
        assert!(second.is_ok(), "{answer}");
        assert_eq!(text(response).await, "ok");
    }
}

/// A waker that notes whether it was used.
struct Noted(Waker, AtomicBool);

impl Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.1.store(true, Ordering::Relaxed);
        self.0.wake_by_ref();
    }
}

/// Returns the output of a future, and whether the future woke its own task while it was polled.
async fn wakes_itself<T>(future: impl Future<Output = T>) -> (T, bool) {
    let mut future = pin!(future);
    let mut wakes = false;
    let output = poll_fn(|cx| {
        let noted = Arc::new(Noted(cx.waker().clone(), AtomicBool::new(false)));
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(&noted.clone().into()));
        wakes |= noted.1.load(Ordering::Relaxed);
        polled
    });
    (output.await, wakes)
}

/// So that a server reads the responses of a batch before it writes them. Over HTTP/2, the task of
/// the connection does that.
#[tokio::test]
async fn upstream_8_a_response_over_http_1_lets_other_tasks_go_first() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let answers = async {
        let mut peer = upstream.accept().await;
        for _ in 0..3 {
            peer.head().await;
            peer.write(OK).await;
        }
    };
    let requests = async {
        // It opens the connection.
        ask(&app, get("/")).await.collect().await.unwrap();
        for (version, expected) in [(Version::HTTP_11, true), (Version::HTTP_2, false)] {
            let mut request = get("/");
            *request.version_mut() = version;
            let (response, found) = wakes_itself(ask(&app, request)).await;
            assert_eq!(text(response).await, "ok");
            assert_eq!(found, expected, "{version:?}");
        }
    };
    tokio::join!(requests, answers);
}
