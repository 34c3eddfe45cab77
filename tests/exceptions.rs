//! Every phase in which something can fail, on real sockets: the client's view, one incident, one
//! report, and a server that still works.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod support;

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::time::sleep;
use tower::{BoxError, Layer, Service};
use tower_exception::{ExceptionLayer, Incident, Phase, install_panic_hook};

use crate::support::{Server, VERSIONS};

/// The phase that fails, as the path names it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Nowhere,
    Ready,
    Call,
    FirstPoll,
    LaterPoll,
    /// When the future is dropped after its response.
    FutureDrop,
    SizeHint,
    /// 0 and 1 are data, 2 is the trailers.
    Frame(usize),
    BodyDrop,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Panic,
    Error,
}

impl How {
    fn strike(self) -> BoxError {
        match self {
            Self::Panic => panic!("broken"),
            Self::Error => "broken".into(),
        }
    }
}

/// Fails in the phase that the path names. A failure of `poll_ready` is set beforehand.
#[derive(Clone)]
struct Breaks {
    next: Arc<Mutex<(At, How)>>,
}

impl<B> Service<Request<B>> for Breaks {
    type Response = Response<Frames>;
    type Error = BoxError;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let next = *self.next.lock().unwrap();
        match next {
            (At::Ready, how) => Poll::Ready(Err(how.strike())),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _: Request<B>) -> Answer {
        let (at, how) = *self.next.lock().unwrap();
        if at == At::Call {
            how.strike();
        }
        Answer {
            at,
            how,
            polls: 0,
            bomb: Bomb(false),
        }
    }
}

struct Bomb(bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.0 || std::thread::panicking(), "broken");
    }
}

struct Answer {
    at: At,
    how: How,
    polls: usize,
    bomb: Bomb,
}

impl Future for Answer {
    type Output = Result<Response<Frames>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.polls += 1;
        match (self.at, self.polls) {
            (At::FirstPoll, 1) | (At::LaterPoll, 3) => Poll::Ready(Err(self.how.strike())),
            (At::LaterPoll, _) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => {
                self.bomb.0 = self.at == At::FutureDrop;
                Poll::Ready(Ok(Response::new(Frames {
                    at: self.at,
                    how: self.how,
                    given: 0,
                    pause: None,
                    _bomb: Bomb(self.at == At::BodyDrop),
                })))
            }
        }
    }
}

/// Two frames of data and trailers, with a pause before each except the first, so that earlier
/// frames are sent.
struct Frames {
    at: At,
    how: How,
    given: usize,
    pause: Option<Pin<Box<tokio::time::Sleep>>>,
    _bomb: Bomb,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.given > 0 {
            let pause = self
                .pause
                .get_or_insert_with(|| Box::pin(sleep(Duration::from_millis(20))));
            std::task::ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let at = self.given;
        self.given += 1;
        if self.at == At::Frame(at) {
            return Poll::Ready(Some(Err(self.how.strike())));
        }
        Poll::Ready(match at {
            0 => Some(Ok(Frame::data(Bytes::from_static(b"one ")))),
            1 => Some(Ok(Frame::data(Bytes::from_static(b"two")))),
            2 => Some(Ok(Frame::trailers(HeaderMap::new()))),
            _ => None,
        })
    }

    fn size_hint(&self) -> SizeHint {
        assert!(self.at != At::SizeHint, "broken");
        SizeHint::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_phase_on_the_wire() {
    install_panic_hook();
    let whole = (200, Ok("one two"));
    let page = (500, Ok("page"));
    let broken_off = (200, Err(()));
    // The phase and the kind of failure; then what the client sees, and the phase of the incident,
    // if the head was sent.
    let table = [
        (At::Nowhere, How::Panic, whole, None),
        (At::Ready, How::Error, page, Some((Phase::Ready, false))),
        (At::Ready, How::Panic, page, Some((Phase::Ready, false))),
        (At::Call, How::Panic, page, Some((Phase::Call, false))),
        (
            At::FirstPoll,
            How::Error,
            page,
            Some((Phase::Future, false)),
        ),
        (
            At::FirstPoll,
            How::Panic,
            page,
            Some((Phase::Future, false)),
        ),
        (
            At::LaterPoll,
            How::Error,
            page,
            Some((Phase::Future, false)),
        ),
        (
            At::LaterPoll,
            How::Panic,
            page,
            Some((Phase::Future, false)),
        ),
        (
            At::FutureDrop,
            How::Panic,
            whole,
            Some((Phase::Drop, false)),
        ),
        (At::SizeHint, How::Panic, page, Some((Phase::Body, false))),
        (At::Frame(0), How::Error, page, Some((Phase::Body, false))),
        (At::Frame(0), How::Panic, page, Some((Phase::Body, false))),
        (
            At::Frame(1),
            How::Error,
            broken_off,
            Some((Phase::Body, true)),
        ),
        (
            At::Frame(1),
            How::Panic,
            broken_off,
            Some((Phase::Body, true)),
        ),
        (
            At::Frame(2),
            How::Error,
            broken_off,
            Some((Phase::Body, true)),
        ),
        (
            At::Frame(2),
            How::Panic,
            broken_off,
            Some((Phase::Body, true)),
        ),
        (At::BodyDrop, How::Panic, whole, Some((Phase::Drop, true))),
    ];
    let incidents: Arc<Mutex<Vec<Incident>>> = Arc::default();
    let keeps = incidents.clone();
    let next = Arc::new(Mutex::new((At::Nowhere, How::Error)));
    let layer =
        ExceptionLayer::production(move |incident| keeps.lock().unwrap().push(incident.clone()));
    let server = Server::start(layer.layer(Breaks { next: next.clone() })).await;
    for version in VERSIONS {
        for (at, how, (status, body), phase) in table {
            let place = format!("{version:?} {at:?} {how:?}");
            *next.lock().unwrap() = (at, how);
            let got = server.get(version, "/a?b").await;
            assert_eq!(got.status.as_u16(), status, "{place}");
            // The drop comes after the client has the whole response.
            sleep(Duration::from_millis(10)).await;
            let incidents = std::mem::take(&mut *incidents.lock().unwrap());
            assert_eq!(incidents.len(), usize::from(phase.is_some()), "{place}");
            for incident in &incidents {
                assert_eq!(
                    Some((incident.phase(), incident.is_head_sent())),
                    phase,
                    "{place}"
                );
                assert_eq!(
                    incident.panic_message().is_some(),
                    how == How::Panic,
                    "{place}"
                );
                assert_eq!(incident.location().is_some(), how == How::Panic, "{place}");
                assert_eq!(
                    (incident.method(), incident.uri().path()),
                    (&Method::GET, "/a")
                );
            }
            match body {
                Err(()) => assert!(got.body.is_err(), "{place}: {:?}", got.body),
                Ok("page") => {
                    let id = incidents[0].id();
                    assert_eq!(got.header("x-incident-id"), Some(id));
                    assert_eq!(
                        got.text(),
                        format!("500 Internal Server Error\nincident {id}\n")
                    );
                }
                Ok(text) => assert_eq!(got.text(), text, "{place}"),
            }
            // The server still works, and HEAD has no body that could fail.
            *next.lock().unwrap() = (At::Nowhere, how);
            assert_eq!(
                server
                    .send(version, Method::HEAD, "/", "")
                    .await
                    .status
                    .as_u16(),
                200
            );
        }
    }
    server.stop().await.unwrap();
}

/// gRPC has a status at the end of every stream, so its streams are not reset.
#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_stream_that_breaks_ends_with_trailers_on_the_wire() {
    use http_body_util::{BodyExt, Full};
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};

    let incidents: Arc<Mutex<Vec<Incident>>> = Arc::default();
    let keeps = incidents.clone();
    let layer =
        ExceptionLayer::production(move |incident| keeps.lock().unwrap().push(incident.clone()));
    let next = Arc::new(Mutex::new((At::Nowhere, How::Error)));
    let app = tower::ServiceBuilder::new()
        .layer(layer)
        .map_response(|mut response: Response<Frames>| {
            let grpc = http::HeaderValue::from_static("application/grpc");
            response.headers_mut().insert("content-type", grpc);
            response
        })
        .service(Breaks { next: next.clone() });
    let server = Server::start(app).await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    for (at, how, sent) in [
        (At::Frame(1), How::Error, "one "),
        (At::Frame(1), How::Panic, "one "),
        (At::Frame(2), How::Error, "one two"),
    ] {
        *next.lock().unwrap() = (at, how);
        let request = Request::post(server.uri("/")).header("content-type", "application/grpc");
        let request = request.body(Full::<Bytes>::default()).unwrap();
        let response = client.request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap();
        let incident = incidents.lock().unwrap().pop().unwrap();
        let trailers = body.trailers().unwrap();
        assert_eq!(trailers["grpc-status"], "13");
        let message = format!("incident {}", incident.id());
        assert_eq!(trailers["grpc-message"], message);
        assert_eq!(body.to_bytes(), sent);
    }
    drop(client);
    server.stop().await.unwrap();
}

/// The future is dropped half way, after the client has left.
#[tokio::test(flavor = "multi_thread")]
async fn a_future_that_panics_when_its_client_has_gone_is_an_incident() {
    use tokio::{io::AsyncWriteExt, net::TcpStream};

    struct Stuck(Bomb);

    impl Drop for Stuck {
        fn drop(&mut self) {
            self.0.0 = true;
        }
    }

    let incidents: Arc<Mutex<Vec<Incident>>> = Arc::default();
    let keeps = incidents.clone();
    let layer =
        ExceptionLayer::production(move |incident| keeps.lock().unwrap().push(incident.clone()));
    let server = Server::start(layer.layer(tower::service_fn(|_: Request<_>| async {
        let _stuck = Stuck(Bomb(false));
        std::future::pending::<Result<Response<Frames>, Infallible>>().await
    })))
    .await;
    let address = server.uri("").replace("http://", "");
    let mut client = TcpStream::connect(address).await.unwrap();
    client
        .write_all(b"GET /gone HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    sleep(Duration::from_millis(50)).await;
    drop(client);
    for _ in 0..100 {
        if !incidents.lock().unwrap().is_empty() {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    let incidents = incidents.lock().unwrap();
    assert_eq!(incidents.len(), 1);
    assert_eq!(
        (incidents[0].phase(), incidents[0].uri().path()),
        (Phase::Drop, "/gone")
    );
}

/// Inner layers see the panic, and outer layers see the 500.
#[tokio::test]
async fn the_500_is_seen_outside_of_the_layer_only() {
    use tower::{ServiceBuilder, ServiceExt, service_fn, util::MapResponseLayer};

    let outside: Arc<Mutex<Vec<u16>>> = Arc::default();
    let inside = Arc::new(Mutex::new(Vec::new()));
    let watch = |seen: &Arc<Mutex<Vec<u16>>>| {
        let seen = seen.clone();
        move |status: u16| seen.lock().unwrap().push(status)
    };
    let (see_outside, see_inside) = (watch(&outside), watch(&inside));
    let app = ServiceBuilder::new()
        .layer(MapResponseLayer::new(move |response: Response<_>| {
            see_outside(response.status().as_u16());
            response
        }))
        .layer(ExceptionLayer::production(|_| {}))
        .layer(MapResponseLayer::new(move |response: Response<Frames>| {
            see_inside(response.status().as_u16());
            response
        }))
        .service(service_fn(
            async |_: Request<()>| -> Result<Response<Frames>, Infallible> { panic!("broken") },
        ));
    app.oneshot(Request::new(())).await.unwrap();
    assert_eq!(
        (&*outside.lock().unwrap(), inside.lock().unwrap().len()),
        (&vec![500], 0)
    );
}
