//! Streams of HTTP/2 that end early, on either side, and streams that stand still.

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio::{net::TcpListener, time::Instant};
use tower_upstream::{Protocol, Upstream};

use super::{
    SHORT, ask, at,
    bodies::{channel, data},
    frames::{self, CANCEL, DATA, Frames, HEADERS, RST_STREAM},
    get,
    http2::{AT_ONCE, listener, post},
    http2_server::Server,
    text, watched,
};

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
        let code = match how {
            Cut::Reset(CANCEL) => CANCEL,
            _ => frames::INTERNAL_ERROR,
        };
        assert_eq!(end.code(), code, "{how:?}");

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
    let response =
        tokio::time::timeout(SHORT * 5, async { text(ask(&app, post("ok")).await).await });
    assert_eq!(response.await.unwrap(), "ok");
    assert_eq!(server.accepted(), 1);
}
