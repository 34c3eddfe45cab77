//! Several upstreams.

use std::time::Duration;

use http::{Request, StatusCode};
use tokio::net::TcpListener;
use tower_upstream::{Address, BuildErrorKind, Upstream};

use super::{App, Body, OK, ask, at, get, sockets::Listener, text, watched};

/// Responds to each request with a name, on connections that are kept.
fn named(listener: TcpListener, name: &'static str) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        // The connections end with this task.
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(async move {
                let mut peer = super::sockets::Wire::new(stream);
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{name}");
                loop {
                    peer.head().await;
                    peer.write(&answer).await;
                }
            });
        }
    })
}

async fn bind() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

async fn names(app: &App, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    for _ in 0..count {
        let response = ask(app, get("/")).await;
        assert_eq!(response.status(), StatusCode::OK);
        names.push(text(response).await);
    }
    names
}

#[tokio::test]
async fn upstream_18_requests_are_spread() {
    let ((a, first), (b, second)) = (bind().await, bind().await);
    let app = watched(at(first).also(second).unwrap());
    let (_a, _b) = (named(a, "a"), named(b, "b"));
    let mut names = names(&app, 20).await;
    names.sort();
    names.dedup();
    assert_eq!(names, ["a", "b"]);
}

/// The one with a request under way is not chosen.
#[tokio::test]
async fn upstream_18_a_busy_upstream_gets_fewer_requests() {
    let (slow, (b, second)) = (Listener::bind().await, bind().await);
    let app = watched(at(&slow).also(second).unwrap());
    let _b = named(b, "b");
    let stuck = async {
        let mut peer = slow.accept().await;
        peer.head().await;
        peer
    };
    // The first request is stuck there, also while its body is read.
    let first = async { tokio::join!(ask(&app, get("/")), ask(&app, get("/"))) };
    let rest = async {
        let mut peer = stuck.await;
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no")
            .await;
        peer
    };
    let (mut peer, (one, two)) = tokio::join!(rest, first);
    assert_eq!(text(two).await, "b");
    assert_eq!(names(&app, 10).await, ["b"; 10]);
    peer.write("k").await;
    assert_eq!(text(one).await, "ok");
}

#[tokio::test]
async fn upstream_18_a_request_goes_to_the_next_address() {
    let (dead, first) = bind().await;
    drop(dead);
    let (b, second) = bind().await;
    let app = watched(at(first).also(second).unwrap());
    let _b = named(b, "b");
    for _ in 0..10 {
        let request = Request::post("/").body(Body::from("")).unwrap();
        assert_eq!(text(ask(&app, request).await).await, "b");
    }
}

#[tokio::test]
async fn upstream_18_all_are_tried_before_a_502() {
    let (dead, first) = bind().await;
    let (dead_too, second) = bind().await;
    drop((dead, dead_too));
    let app = watched(at(first).also(second.as_str()).unwrap());
    for _ in 0..3 {
        assert_eq!(ask(&app, get("/")).await.status(), StatusCode::BAD_GATEWAY);
    }
    // Also while both are ejected, a request is tried.
    let listener = TcpListener::bind(second.trim_start_matches("http://")).await;
    let _b = named(listener.unwrap(), "b");
    assert_eq!(names(&app, 3).await, ["b"; 3]);
}

#[tokio::test]
async fn upstream_18_an_upstream_that_is_back_is_used_within_a_second() {
    let ((a, first), (b, second)) = (bind().await, bind().await);
    let address = a.local_addr().unwrap();
    let app = watched(at(first).also(second).unwrap());
    let (a, _b) = (named(a, "a"), named(b, "b"));
    // Many connections are kept, which end with it.
    futures_util::future::join_all((0..200).map(|_| names(&app, 1))).await;
    a.abort();
    assert!(a.await.is_err());
    // It stays away long enough for the longest ejection.
    let gone = tokio::time::Instant::now();
    while gone.elapsed() < Duration::from_secs(2) {
        assert_eq!(names(&app, 2).await, ["b"; 2]);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let _a = named(TcpListener::bind(address).await.unwrap(), "a");
    let back = tokio::time::Instant::now();
    while !names(&app, 2).await.contains(&"a".to_owned()) {
        assert!(back.elapsed() < Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Of an upstream that has failed, no kept connection is tried: each trial would take one of them.
#[tokio::test]
async fn upstream_18_the_connections_of_a_failed_upstream_are_not_tried() {
    const KEPT: usize = 30;
    let ((a, first), (b, second)) = (bind().await, bind().await);
    let address = a.local_addr().unwrap();
    let app = watched(at(first).also(second).unwrap());
    let _b = named(b, "b");
    // Its connections look open, and are closed when they get another request.
    let kept = async {
        let mut connections = Vec::new();
        for _ in 0..KEPT {
            let (stream, _) = a.accept().await.unwrap();
            let mut peer = super::sockets::Wire::new(stream);
            peer.head().await;
            connections.push(peer);
        }
        for mut peer in connections {
            peer.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na")
                .await;
            tokio::spawn(async move { peer.head().await });
        }
        drop(a);
    };
    let requests = futures_util::future::join_all((0..2 * KEPT).map(|_| names(&app, 1)));
    tokio::join!(kept, requests);
    // While a response of the other one is read, each request that can goes to this one. It learns
    // that no connection can be made.
    let mut unread = Vec::new();
    for _ in 0..2 {
        unread.push(ask(&app, get("/")).await);
    }
    let _a = named(TcpListener::bind(address).await.unwrap(), "a");
    let mut trials = 0;
    while names(&app, 1).await == ["b"] {
        trials += 1;
        assert!(trials < KEPT / 2);
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
}

/// A name may have several addresses, of which some refuse.
#[tokio::test]
async fn upstream_18_all_addresses_of_a_name_are_tried() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // It is `::1` and 127.0.0.1 where there is IPv6.
    let app = watched(at(format!("http://localhost:{port}")));
    let _a = named(listener, "a");
    assert_eq!(names(&app, 2).await, ["a"; 2]);
}

#[tokio::test]
async fn upstream_5_each_upstream_has_its_own_host() {
    let (one, two) = (Listener::bind().await, Listener::bind().await);
    let app = watched(at(&one).also(two.to_string()).unwrap());
    let urls = [one.to_string(), two.to_string()];
    let mut heads = [one.answering(OK), two.answering(OK)];
    for _ in 0..2 {
        ask(&app, get("/")).await;
    }
    for (url, heads) in urls.iter().zip(&mut heads) {
        let head = heads.recv().await.unwrap();
        let host = format!("\r\nhost: {}\r\n", &url["http://".len()..]);
        assert!(head.contains(&host), "{head}");
    }
}

#[test]
fn upstream_18_the_paths_of_the_addresses_agree() {
    let upstream = Upstream::new("http://a/base").unwrap();
    let error = upstream.clone().also("http://b").unwrap_err();
    assert_eq!(error.kind(), BuildErrorKind::Path);
    assert_eq!(
        error.to_string(),
        "the addresses of one upstream have different paths"
    );
    let other: Address = "http://b/base".parse().unwrap();
    let two = upstream.clone().also(other).unwrap();
    let count = |upstream: &Upstream| format!("{upstream:?}").matches("socket").count();
    // The other clone has one upstream.
    assert_eq!((count(&two), count(&upstream)), (2, 1));
}
