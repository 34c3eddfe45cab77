//! Upstreams that speak HTTP/2, by what they send.

use std::time::Duration;

use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};
use http_body::Frame as BodyFrame;
use http_body_util::{BodyExt, Full};
use tokio::{net::TcpListener, time::Instant};
use tower_upstream::{HostPolicy, Protocol, Upstream};

use super::{
    App, Body, SHORT, ask, at,
    bodies::{channel, data},
    frames::{self, CANCEL, DATA, Frames, HEADERS, RST_STREAM},
    get,
    http2_server::Server,
    text, watched,
};

/// As long as a cancellation may take to reach the upstream.
const AT_ONCE: Duration = Duration::from_millis(50);

async fn listener() -> (TcpListener, Upstream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let upstream = at(format!("http://{address}")).protocol(Protocol::Http2);
    (listener, upstream)
}

fn post(body: &'static str) -> Request<Body> {
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
        // The limit of a connection is known after its first response, and so each round may add a
        // connection.
        for count in [1, 50, 50, 50, 50, 50, 50] {
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
    sender.send(Ok(BodyFrame::trailers(trailers))).await.unwrap();
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

#[derive(Clone, Copy, Debug)]
enum Refusal {
    Refused,
    /// The stream is above the last one that was processed.
    GoneAway,
    Both,
}

/// A request of any method that was not processed is sent once more, with its body.
#[tokio::test]
async fn upstream_22_an_unprocessed_request_is_sent_again() {
    for refusal in [Refusal::Refused, Refusal::GoneAway, Refusal::Both] {
        for (method, body) in [
            (Method::GET, ""),
            (Method::POST, ""),
            (Method::POST, "money"),
        ] {
            let (listener, upstream) = listener().await;
            let app = watched(upstream);
            let mut request = post(body);
            *request.method_mut() = method;
            let answers = async {
                let mut first = Frames::accept(&listener).await;
                let (stream, seen) = first.request().await;
                assert_eq!(seen, body.as_bytes());
                match refusal {
                    Refusal::Refused => first.reset(stream, frames::REFUSED_STREAM).await,
                    Refusal::GoneAway => first.go_away(0, frames::NO_ERROR).await,
                    Refusal::Both => {
                        first.go_away(0, frames::INTERNAL_ERROR).await;
                        first.reset(stream, frames::REFUSED_STREAM).await;
                    }
                }
                let mut second = Frames::accept(&listener).await;
                let (stream, seen) = second.request().await;
                assert_eq!(seen, body.as_bytes());
                second.respond(stream, "ok").await;
                (first, second)
            };
            let (_peers, response) = tokio::join!(answers, ask(&app, request));
            assert_eq!(response.status(), StatusCode::OK, "{refusal:?}");
            assert_eq!(text(response).await, "ok");
        }
    }
}

#[tokio::test]
async fn upstream_22_a_request_is_sent_again_once() {
    let (listener, upstream) = listener().await;
    let app = watched(upstream);
    let answers = async {
        let mut peers = Vec::new();
        for _ in 0..2 {
            let mut peer = Frames::accept(&listener).await;
            let (stream, _) = peer.request().await;
            peer.reset(stream, frames::REFUSED_STREAM).await;
            peers.push(peer);
        }
        peers
    };
    let (_peers, response) = tokio::join!(answers, ask(&app, post("x")));
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert!(tokio::time::timeout(SHORT, listener.accept()).await.is_err());
}

/// It may have been processed, so it is not sent again.
#[tokio::test]
async fn upstream_22_a_processed_request_is_not_sent_again() {
    for (method, code) in [
        (Method::POST, None),
        (Method::POST, Some(frames::INTERNAL_ERROR)),
        (Method::POST, Some(CANCEL)),
        (Method::GET, Some(frames::INTERNAL_ERROR)),
    ] {
        let (listener, upstream) = listener().await;
        let app = watched(upstream);
        let mut request = post("money");
        *request.method_mut() = method;
        let answers = async {
            let mut peer = Frames::accept(&listener).await;
            let (stream, _) = peer.request().await;
            match code {
                Some(code) => peer.reset(stream, code).await,
                // The last stream that was processed is this one.
                None => peer.go_away(stream, frames::NO_ERROR).await,
            }
            code.map(|_| peer)
        };
        let (_peer, response) = tokio::join!(answers, ask(&app, request));
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY, "{code:?}");
        assert!(tokio::time::timeout(SHORT, listener.accept()).await.is_err());
    }
}

/// Up to 64 KiB of a body are kept. The rest is read from the client.
#[tokio::test]
async fn upstream_22_a_long_body_is_not_sent_again() {
    for (length, is_again) in [(65_536, true), (65_537, false)] {
        let (listener, upstream) = listener().await;
        let app = watched(upstream);
        let (sender, body) = channel();
        for length in [1, length - 1] {
            let frame = BodyFrame::data(vec![b'x'; length].into());
            sender.send(Ok(frame)).await.unwrap();
        }
        let request = Request::post("/").body(body).unwrap();
        let taken = async |peer: &mut Frames, all: usize| {
            let head = peer.next().await.unwrap();
            let mut taken = 0;
            while taken < all {
                taken += peer.next().await.unwrap().payload.len();
            }
            head.stream
        };
        let answers = async {
            let mut peer = Frames::accept_wide(&listener).await;
            let stream = taken(&mut peer, length).await;
            peer.reset(stream, frames::REFUSED_STREAM).await;
            if !is_again {
                return [Some(peer), None];
            }
            let mut next = Frames::accept_wide(&listener).await;
            let stream = taken(&mut next, length).await;
            sender.send(data("more")).await.unwrap();
            drop(sender);
            let more = next.next().await.unwrap();
            assert_eq!(more.payload, b"more");
            next.respond(stream, "ok").await;
            [Some(peer), Some(next)]
        };
        let (_peers, response) = tokio::join!(answers, ask(&app, request));
        let expected = if is_again { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
        assert_eq!(response.status(), expected);
        assert!(tokio::time::timeout(SHORT, listener.accept()).await.is_err());
    }
}

/// What goes away finishes its requests, and gets no further ones.
#[tokio::test]
async fn upstream_22_a_connection_goes_away_in_peace() {
    let (listener, upstream) = listener().await;
    let app = watched(upstream);
    let old = async {
        let mut peer = Frames::accept(&listener).await;
        let (stream, _) = peer.request().await;
        peer.head(stream, &[], false).await;
        peer.go_away(stream, frames::NO_ERROR).await;
        (peer, stream)
    };
    let ((mut peer, stream), slow) = tokio::join!(old, ask(&app, get("/slow")));
    // The proxy learns of it after a moment.
    tokio::time::sleep(AT_ONCE).await;
    let new = async {
        let mut peer = Frames::accept(&listener).await;
        let (stream, _) = peer.request().await;
        peer.respond(stream, "new").await;
        peer
    };
    let (_new, response) = tokio::join!(new, ask(&app, post("x")));
    assert_eq!(text(response).await, "new");
    peer.data(stream, "old", true).await;
    assert_eq!(text(slow).await, "old");
}

async fn until_reset(peer: &mut Frames) -> (u32, Duration) {
    let start = Instant::now();
    loop {
        let frame = peer.next().await.unwrap();
        if frame.kind == RST_STREAM {
            return (frame.code(), start.elapsed());
        }
    }
}

/// A client that leaves resets its stream at once, and no other one.
#[tokio::test]
async fn upstream_23_a_client_that_leaves_resets_its_stream() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum When {
        BeforeTheHead,
        AfterTheHead,
        WithinData,
    }
    for when in [When::BeforeTheHead, When::AfterTheHead, When::WithinData] {
        for uploads in [false, true] {
            let (listener, upstream) = listener().await;
            let app = watched(upstream);
            let (sender, body) = channel();
            sender.send(data("x")).await.unwrap();
            let request = match uploads {
                true => Request::post("/").body(body).unwrap(),
                false => get("/"),
            };
            let asking = tokio::spawn({
                let app = app.clone();
                async move { ask(&app, request).await }
            });
            let mut peer = Frames::accept(&listener).await;
            let head = peer.next().await.unwrap();
            assert_eq!(head.kind, HEADERS);
            if uploads {
                assert_eq!(peer.next().await.unwrap().kind, DATA);
            }
            if when == When::BeforeTheHead {
                asking.abort();
            } else {
                peer.head(head.stream, &[], false).await;
                let mut response = asking.await.unwrap();
                if when == When::WithinData {
                    peer.data(head.stream, "part", false).await;
                    response.body_mut().frame().await.unwrap().unwrap();
                }
                drop(response);
            }
            let (code, time) = until_reset(&mut peer).await;
            assert_eq!(code, CANCEL, "{when:?} {uploads}");
            assert!(time < AT_ONCE, "{when:?} {uploads}: {time:?}");
            // The connection is used again.
            let answers = async {
                let (stream, _) = peer.request().await;
                peer.respond(stream, "ok").await;
            };
            let ((), response) = tokio::join!(answers, ask(&app, get("/")));
            assert_eq!(text(response).await, "ok");
            drop(sender);
        }
    }
}

/// An upload that breaks off is not a whole one.
#[tokio::test]
async fn upstream_11_half_an_upload_resets_its_stream() {
    let (listener, upstream) = listener().await;
    let app = watched(upstream);
    let (sender, body) = channel();
    let request = Request::post("/").body(body).unwrap();
    let uploads = async {
        sender.send(data("half")).await.unwrap();
        let mut peer = Frames::accept(&listener).await;
        assert_eq!(peer.next().await.unwrap().kind, HEADERS);
        assert_eq!(peer.next().await.unwrap().kind, DATA);
        sender.send(Err("gone".into())).await.unwrap();
        until_reset(&mut peer).await.0
    };
    let (code, response) = tokio::join!(uploads, ask(&app, request));
    assert_eq!(code, frames::INTERNAL_ERROR);
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[derive(Clone, Copy, Debug)]
enum Cut {
    Reset(u32),
    /// The connection ends.
    Closed,
    /// It ends after a GOAWAY that sounds well.
    GoneAway,
}

/// Sends a part of a response, and cuts it.
async fn cut(listener: &TcpListener, cut: Cut, length: Option<&str>) -> Option<Frames> {
    let mut peer = Frames::accept(listener).await;
    let (stream, _) = peer.request().await;
    let fields = length.map(|length| ("content-length", length));
    peer.head(stream, fields.as_slice(), false).await;
    peer.data(stream, "part", false).await;
    // The part arrives before the cut.
    tokio::time::sleep(AT_ONCE).await;
    match cut {
        Cut::Reset(code) => peer.reset(stream, code).await,
        Cut::GoneAway => {
            peer.go_away(stream, frames::NO_ERROR).await;
            return None;
        }
        Cut::Closed => return None,
    }
    Some(peer)
}

/// A response that was cut does not look whole: to HTTP/2 it is reset, and to HTTP/1.1 it has no
/// end.
#[tokio::test]
async fn upstream_11_a_cut_response_does_not_look_whole() {
    for (how, length) in [
        (Cut::Reset(frames::INTERNAL_ERROR), None),
        (Cut::Reset(CANCEL), None),
        (Cut::Reset(frames::REFUSED_STREAM), None),
        (Cut::Closed, None),
        (Cut::GoneAway, None),
        (Cut::Reset(frames::NO_ERROR), Some("9")),
    ] {
        let (listener, upstream) = listener().await;
        let front = super::sockets::serve(watched(upstream.clone())).await;
        let mut client = Frames::connect(front).await;
        client.get(1).await;
        let cutting = tokio::spawn(async move { (cut(&listener, how, length).await, listener) });
        assert_eq!(client.next().await.unwrap().kind, HEADERS);
        let part = client.next().await.unwrap();
        assert_eq!(part.payload, b"part", "{how:?} {part:?}");
        let end = client.next().await.unwrap();
        assert_eq!(end.kind, RST_STREAM, "{how:?} {end:?}");
        assert_eq!(end.code(), frames::INTERNAL_ERROR, "{how:?}");

        let (peer, listener) = cutting.await.unwrap();
        drop(peer);
        let front = super::sockets::serve(watched(at_new(&listener))).await;
        let mut wire = super::sockets::client(front).await;
        wire.write("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
        let (_peer, answer) = tokio::join!(cut(&listener, how, length), wire.rest());
        assert!(answer.contains("part"), "{how:?} {answer}");
        assert!(!answer.ends_with("0\r\n\r\n"), "{how:?} {answer}");
    }
}

/// Returns an upstream without a connection.
fn at_new(listener: &TcpListener) -> Upstream {
    let address = listener.local_addr().unwrap();
    at(format!("http://{address}")).protocol(Protocol::Http2)
}

/// The upstream ends an upload early, which does not cut its response (RFC 9113, section 8.1).
#[tokio::test]
async fn upstream_11_an_early_response_is_whole() {
    for length in [None, Some("2")] {
        let (listener, upstream) = listener().await;
        let app = watched(upstream);
        let (sender, body) = channel();
        sender.send(data("x")).await.unwrap();
        let answers = async {
            let mut peer = Frames::accept(&listener).await;
            let head = peer.next().await.unwrap();
            let fields = length.map(|length| ("content-length", length));
            peer.head(head.stream, fields.as_slice(), false).await;
            peer.data(head.stream, "no", true).await;
            peer.reset(head.stream, frames::NO_ERROR).await;
            peer
        };
        let request = Request::post("/").body(body).unwrap();
        let (_peer, response) = tokio::join!(answers, ask(&app, request));
        assert_eq!(text(response).await, "no");
        drop(sender);
    }
}

/// Without a sign of life, the next request gets another connection.
#[tokio::test]
async fn upstream_23_a_silent_connection_is_not_used_again() {
    let (listener, upstream) = listener().await;
    let app = watched(upstream.header_timeout(SHORT));
    let silent = async {
        let mut peer = Frames::accept(&listener).await;
        peer.request().await;
        peer
    };
    let (_silent, response) = tokio::join!(silent, ask(&app, get("/")));
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    let answers = async {
        let mut peer = Frames::accept(&listener).await;
        let (stream, _) = peer.request().await;
        peer.respond(stream, "ok").await;
        peer
    };
    let (_peer, response) = tokio::join!(answers, ask(&app, get("/")));
    assert_eq!(text(response).await, "ok");
}

/// Clients that do not read use up the window of a connection that all share.
#[tokio::test]
async fn upstream_23_a_slow_client_does_not_stop_the_others() {
    let server = Server::start(|builder| {
        builder.max_concurrent_streams(200_u32);
    })
    .await;
    let app = watched(at(&server).protocol(Protocol::Http2));
    let mut unread = Vec::new();
    for _ in 0..40 {
        unread.push(ask(&app, get("/endless")).await);
    }
    // They have filled their windows.
    tokio::time::sleep(SHORT).await;
    let response = tokio::time::timeout(SHORT * 5, async { text(ask(&app, post("ok")).await).await });
    assert_eq!(response.await.unwrap(), "ok");
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn upstream_12_an_upstream_without_http2_is_a_502() {
    let upstream = super::sockets::Listener::bind().await;
    let url = upstream.to_string();
    let answers = tokio::spawn(async move {
        let mut peer = upstream.accept().await;
        peer.head().await;
        peer.write("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").await;
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
        ("application/grpc+proto", &["x_user-bin", "x_user.id", "x~y"]),
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
