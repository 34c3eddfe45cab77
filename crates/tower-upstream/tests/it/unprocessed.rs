//! Requests that an upstream has not processed, over HTTP/2.

use http::{Method, Request, StatusCode};
use http_body::Frame as BodyFrame;

use super::{
    SHORT, ask,
    bodies::{channel, data},
    frames::{self, CANCEL, Frames},
    get,
    http2::{AT_ONCE, listener, post},
    text, watched,
};

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
    assert!(
        tokio::time::timeout(SHORT, listener.accept())
            .await
            .is_err()
    );
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
        assert!(
            tokio::time::timeout(SHORT, listener.accept())
                .await
                .is_err()
        );
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
        let expected = if is_again {
            StatusCode::OK
        } else {
            StatusCode::BAD_GATEWAY
        };
        assert_eq!(response.status(), expected);
        assert!(
            tokio::time::timeout(SHORT, listener.accept())
                .await
                .is_err()
        );
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
