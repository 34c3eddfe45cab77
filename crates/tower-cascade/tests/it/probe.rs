//! Helpers that these tests add to the probes of tower-lint.

use std::{
    convert::Infallible,
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use tower::{BoxError, Service, service_fn};
use tower_cascade::ReplayBody;
use tower_lint::probe::{Body, Error, Step};

pub(crate) type Replayed = ReplayBody<Body>;

pub(crate) const GONE: Step = Step::Fail(Error("the client is gone"));

pub(crate) fn trailers() -> Step {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("1"));
    Step::Trailers(trailers)
}

/// Returns the bytes of a body and whether it had trailers, or the text of its error.
pub(crate) async fn read(
    body: impl http_body::Body<Data = Bytes, Error = BoxError>,
) -> Result<(Bytes, bool), String> {
    let mut body = pin!(body);
    let (mut bytes, mut trailers) = (BytesMut::new(), false);
    while let Some(frame) = body.frame().await {
        assert!(!trailers, "a frame after trailers");
        match frame.map_err(|error| error.to_string())?.into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = frame.trailers_ref().unwrap()["x-sum"] == "1",
        }
    }
    Ok((bytes.freeze(), trailers))
}

/// Reads up to this many frames, then responds with this status.
pub(crate) async fn reads_then_responds(
    frames: usize,
    status: StatusCode,
    request: Request<Replayed>,
) -> Result<Response<Body>, Infallible> {
    let mut body = pin!(request.into_body());
    for _ in 0..frames {
        if body.frame().await.is_none_or(|frame| frame.is_err()) {
            break;
        }
    }
    Ok(with_status(status))
}

/// Returns a service that reads up to this many frames and responds with 404. All are of one type.
pub(crate) fn not_found(
    frames: usize,
) -> impl Service<Request<Replayed>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ std::fmt::Debug
+ 'static {
    service_fn(move |request| reads_then_responds(frames, StatusCode::NOT_FOUND, request))
}

pub(crate) fn with_status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response
}

/// Polls once, without a task to wake.
pub(crate) fn poll(body: &mut Replayed) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
    pin!(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}
