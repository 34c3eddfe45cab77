//! Bodies and apps that do what a test tells them.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tower_cascade::{BoxError, ReplayBody};

/// What a scripted body does when it is polled.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Data(Bytes),
    Trailers,
    Fail,
    Panic,
    /// Pending, and at once awake again.
    Yield,
    /// Pending until somebody else wakes the task.
    Hang,
}

pub(crate) fn data(text: &str) -> Step {
    Step::Data(Bytes::copy_from_slice(text.as_bytes()))
}

/// Follows a script and counts how often it was polled.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    steps: VecDeque<Step>,
    pub(crate) polled: Arc<Mutex<usize>>,
}

impl Scripted {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            polled: Arc::default(),
        }
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        *self.polled.lock().unwrap() += 1;
        Poll::Ready(match self.steps.pop_front() {
            None => None,
            Some(Step::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Step::Trailers) => {
                let mut trailers = HeaderMap::new();
                trailers.insert("x-sum", HeaderValue::from_static("1"));
                Some(Ok(Frame::trailers(trailers)))
            }
            Some(Step::Fail) => Some(Err("the client is gone".into())),
            Some(Step::Panic) => panic!("the body is broken"),
            Some(Step::Yield) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Step::Hang) => return Poll::Pending,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let bytes = self.steps.iter().map(|step| match step {
            Step::Data(data) => data.len() as u64,
            _ => 0,
        });
        let plain = |step: &Step| matches!(step, Step::Data(_) | Step::Yield);
        if self.steps.iter().all(plain) {
            SizeHint::with_exact(bytes.sum())
        } else {
            SizeHint::default()
        }
    }
}

pub(crate) type Replayed = ReplayBody<Scripted>;

/// What a body gives: its bytes and whether trailers came at its end, or its error's text.
pub(crate) async fn read(
    body: impl Body<Data = Bytes, Error = BoxError>,
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

/// Reads up to this many frames, then answers with this status.
pub(crate) async fn reads_then_answers(
    frames: usize,
    status: StatusCode,
    request: Request<Replayed>,
) -> Result<Response<Scripted>, Infallible> {
    let mut body = pin!(request.into_body());
    for _ in 0..frames {
        if body.frame().await.is_none_or(|frame| frame.is_err()) {
            break;
        }
    }
    Ok(answer(status))
}

pub(crate) fn answer(status: StatusCode) -> Response<Scripted> {
    let mut response = Response::new(Scripted::default());
    *response.status_mut() = status;
    response
}

/// Polls once with nobody to wake.
pub(crate) fn poll<B: Body + Unpin>(
    body: &mut B,
) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
    pin!(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}
