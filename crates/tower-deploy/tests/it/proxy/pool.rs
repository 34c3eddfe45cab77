//! Connections that are used again, and requests that are not sent again.

use http::{Request, StatusCode};
use http_body_util::Full;
use tower_deploy::Body;

use super::{ask, get, proxy, sockets::Upstream, text};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn post(body: &'static str) -> Request<Body> {
    let body = Body::new(Full::<bytes::Bytes>::from(body));
    Request::post("/").body(body).unwrap()
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let upstream = Upstream::bind().await;
    let app = proxy(&upstream, "");
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
async fn a_request_that_was_begun_is_not_sent_again() {
    let upstream = Upstream::bind().await;
    let app = proxy(&upstream, "");
    let answers = async {
        let mut peer = upstream.accept().await;
        peer.head().await;
        peer.write(OK).await;
        // On a connection that is used again, where a client might think that it was idle for too long.
        let mut seen = peer.head().await;
        seen += &peer.until("money").await;
        drop(peer);
        // Whoever sends it again does so at once.
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
async fn a_connection_that_was_closed_meanwhile_costs_no_request() {
    let upstream = Upstream::bind().await;
    let app = proxy(&upstream, "");
    for _ in 0..20 {
        let answers = async {
            let mut peer = upstream.accept().await;
            assert!(peer.head().await.starts_with("POST "));
            peer.until("whole").await;
            peer.write(OK).await;
            // Without a `Connection: close`.
        };
        let ((), response) = tokio::join!(answers, ask(&app, post("whole")));
        assert_eq!(text(response).await, "ok");
        // The news of it takes a moment.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_an_upstream() {
    use super::sockets::Wire;

    let path = format!("tower-deploy-proxy-{}.sock", std::process::id());
    let path = std::env::temp_dir().join(path);
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let app = proxy(format!("unix:{}:/base/", path.display()), "");
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
