//! Upstreams that speak HTTP/2, by what they send.

use std::time::Duration;

use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Version};
use http_body::Frame as BodyFrame;
use http_body_util::{BodyExt, Full};
use tokio::{net::TcpListener, time::Instant};
use tower_upstream::{HostPolicy, Protocol, Upstream};

use super::{
    App, Body, SHORT, ask, at,
    bodies::{channel, data},
    frames::{self, Frames},
    get,
    http2_server::Server,
    text, watched,
};

/// As long as a cancellation may take to reach the upstream.
pub(super) const AT_ONCE: Duration = Duration::from_millis(50);

pub(super) async fn listener() -> (TcpListener, Upstream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let upstream = at(format!("http://{address}")).protocol(Protocol::Http2);
    (listener, upstream)
}

pub(super) fn post(body: &'static str) -> Request<Body> {
    let body = Body::new(Full::<bytes::Bytes>::from(body));
    Request::post("/").body(body).unwrap()
}

#[tokio::test]
async fn upstream_21_prior_knowledge_is_http2_without_tls() {
    let server = Server::start(|_| {}).await;
    let upstream = at(&server).protocol(Protocol::Http2);
    for (policy, authority) in [
        (HostPolicy::Upstream, server.address.to_string()),
        (HostPolicy::Client, "client.example".to_owned()),
    ] {
        let app = watched(upstream.clone().host(policy));
        let request = Request::post("/a?b")
            .header("host", "client.example")
            .header("te", "trailers")
            .header("connection", "x-hop")
            .header("x-hop", "1")
            .header("cookie", "a=1")
            .body(Body::from("body"))
            .unwrap();
        let response = ask(&app, request).await;
        assert_eq!(response.version(), Version::HTTP_11);
        assert_eq!(text(response).await, "body");
        let seen = server.only();
        assert_eq!(seen.version, Version::HTTP_2);
        assert_eq!(seen.uri, format!("http://{authority}/a?b"));
        let mut names: Vec<_> = seen.headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        let own = ["content-length", "cookie", "te", "via"];
        let forwarding = ["x-forwarded-host", "x-forwarded-port", "x-forwarded-proto"];
        assert_eq!(names, [&own[..], &forwarding].concat());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn upstream_21_a_unix_socket_may_speak_http2() {
    let path = format!("tower-upstream-h2-{}.sock", std::process::id());
    let path = std::env::temp_dir().join(path);
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let server = Server::over_unix(listener);
    let upstream = at(format!("unix:{}:/base", path.display())).protocol(Protocol::Http2);
    let response = ask(&watched(upstream), get("/a")).await;
    std::fs::remove_file(&path).unwrap();
    assert_eq!(text(response).await, "");
    assert_eq!(server.only().uri, "http://localhost/base/a");
}

#[tokio::test]
async fn upstream_21_requests_share_a_connection() {
    for (limit, connections) in [(200_u32, 1), (10, 5)] {
        let server = Server::start(move |builder| {
            builder.max_concurrent_streams(limit);
        })
        .await;
        let app = watched(at(&server).protocol(Protocol::Http2));
        for count in [50, 1, 50] {
            let replies = (0..count).map(async |_| {
                let request = Request::post("/slow").body(Body::from("x")).unwrap();
                text(ask(&app, request).await).await
            });
            assert_eq!(join_all(replies).await, vec!["x"; count]);
        }
        assert_eq!(server.accepted(), connections);
    }
}

/// Fifty requests at once, of which none has a connection yet, make one.
#[tokio::test]
async fn upstream_21_the_first_requests_share_a_connection() {
    let server = Server::start(|builder| {
        builder.max_concurrent_streams(200_u32);
    })
    .await;
    let app = watched(at(&server).protocol(Protocol::Http2));
    let replies = (0..50).map(async |_| text(ask(&app, post("x")).await).await);
    assert_eq!(join_all(replies).await, vec!["x"; 50]);
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn upstream_21_an_idle_connection_is_closed() {
    let (listener, upstream) = listener().await;
    let app = watched(upstream.keep_alive(SHORT));
    let answers = async {
        let mut peer = Frames::accept(&listener).await;
        let (stream, _) = peer.request().await;
        // A connection in use is not idle.
        tokio::time::sleep(SHORT * 2).await;
        peer.respond(stream, "ok").await;
        peer
    };
    let (mut peer, response) = tokio::join!(answers, ask(&app, get("/")));
    assert_eq!(text(response).await, "ok");
    let start = Instant::now();
    let end = peer.next().await;
    assert!(end.is_none_or(|end| end.kind == frames::GOAWAY));
    assert!(start.elapsed() > SHORT / 2);
}

#[tokio::test]
async fn upstream_8_trailers_go_both_ways_over_http2() {
    let server = Server::start(|_| {}).await;
    let app = watched(at(&server).protocol(Protocol::Http2));
    let (sender, body) = channel();
    let mut trailers = HeaderMap::new();
    for name in ["x-sum", "x_sum", "connection", "x-forwarded-for"] {
        let name = http::HeaderName::from_static(name);
        trailers.insert(name, HeaderValue::from_static("1"));
    }
    sender.send(data("hi")).await.unwrap();
    sender
        .send(Ok(BodyFrame::trailers(trailers)))
        .await
        .unwrap();
    drop(sender);
    // Nothing has announced them.
    let response = ask(&app, Request::post("/").body(body).unwrap()).await;
    let body = response.into_body().collect().await.unwrap();
    let echoed: HeaderMap = [("x-sum", "1")]
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .into_iter()
        .collect();
    assert_eq!(body.trailers(), Some(&echoed));
    assert_eq!(body.to_bytes(), "hi");
}

#[tokio::test]
async fn upstream_20_informational_heads_of_http2_are_skipped() {
    let (listener, upstream) = listener().await;
    let app = watched(upstream);
    let answers = async {
        let mut peer = Frames::accept(&listener).await;
        let (stream, _) = peer.request().await;
        for status in ["100", "103", "102", "103", "199"] {
            peer.inform(stream, status).await;
        }
        peer.respond(stream, "ok").await;
        peer
    };
    let (_peer, response) = tokio::join!(answers, ask(&app, post("x")));
    assert_eq!(response.status(), StatusCode::OK);
    assert!(!response.headers().contains_key("link"));
    assert_eq!(text(response).await, "ok");
}

/// A response that is a head alone stays one, so that gRPC takes it for trailers.
#[tokio::test]
async fn upstream_21_a_head_alone_stays_one() {
    let (listener, upstream) = listener().await;
    let app = watched(upstream);
    let answers = async {
        let mut peer = Frames::accept(&listener).await;
        let (stream, _) = peer.request().await;
        peer.head(stream, &[("grpc-status", "5")], true).await;
        peer
    };
    let (_peer, response) = tokio::join!(answers, ask(&app, post("x")));
    assert_eq!(response.headers()["grpc-status"], "5");
    assert_eq!(response.headers().len(), 1);
    assert!(http_body::Body::is_end_stream(response.body()));
}

#[tokio::test]
async fn upstream_12_an_upstream_without_http2_is_a_502() {
    let upstream = super::sockets::Listener::bind().await;
    let url = upstream.to_string();
    let answers = tokio::spawn(async move {
        let mut peer = upstream.accept().await;
        peer.head().await;
        peer.write("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
            .await;
        peer
    });
    let app: App = watched(at(url).protocol(Protocol::Http2));
    let response = ask(&app, get("/")).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    drop(answers);
}

/// Names of gRPC's metadata may have `_` and `.`, and reach an upstream that speaks HTTP/2.
#[tokio::test]
async fn upstream_3_metadata_keeps_its_names_over_http2() {
    let server = Server::start(|_| {}).await;
    let to_http2 = watched(at(&server).protocol(Protocol::Http2));
    let given = [
        "x_user.id",
        "x_user-bin",
        "x~y",
        "SCRIPT_NAME",
        "Path.Info",
        "x_forwarded_for",
        "X.Forwarded.Host",
        "x_real_ip",
        "content_length",
        "transfer.encoding",
    ];
    for (content_type, passed) in [
        ("application/grpc", &["x_user-bin", "x_user.id", "x~y"][..]),
        (
            "application/grpc+proto",
            &["x_user-bin", "x_user.id", "x~y"],
        ),
        ("application/json", &[]),
    ] {
        let mut request = Request::post("/").header("content-type", content_type);
        for name in given {
            request = request.header(name, "1");
        }
        let response = ask(&to_http2, request.body(Body::default()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        let seen = server.only();
        let is_plain = |name: &&str| !tower_kit::names::is_plain(name);
        let names = seen.headers.keys().map(|name| name.as_str());
        let mut names: Vec<_> = names.filter(is_plain).collect();
        names.sort_unstable();
        assert_eq!(names, passed, "{content_type}");
    }
}
