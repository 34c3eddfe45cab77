//! Wrong layers, each of which breaks its rule in its scenarios, and right layers, which keep every
//! rule.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    future::{Future, poll_fn},
    mem::ManuallyDrop,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header, request::Parts,
};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use tower::{
    BoxError, Layer, Service,
    layer::util::Identity,
    util::{MapErrLayer, MapRequestLayer},
};
use tower_lint::{Rule, contract, probe};

type BoxedBody = UnsyncBoxBody<Bytes, BoxError>;

fn any<B>(body: B) -> BoxedBody
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}

/// The fault of a layer.
#[derive(Clone, Copy)]
enum How {
    Right,
    Request(fn(Request<BoxedBody>) -> Request<BoxedBody>),
    Response(fn(Response<BoxedBody>) -> Response<BoxedBody>),
    CallsAClone,
    CallsAPendingClone,
    CallsTwice,
    PollsTheFutureAgain,
    LeaksTheFuture,
    LosesTheFuturesWaker(Waking),
    LosesTheWakerOfReady(Waking),
    CachesReadiness,
    GivesUpWhenNotReady(usize),
    IgnoresPending,
    UsesAFailedService,
    SwallowsTheReadyError,
    SwallowsTheError,
    RespondsByItself,
    Panics,
}

/// How a layer that loses a waker still continues if the inner side needs one more poll.
#[derive(Clone, Copy, PartialEq)]
enum Waking {
    /// It wakes itself again and again.
    Spins,
    /// It wakes itself a few times.
    GivesUp,
}

impl Waking {
    fn poll<T>(
        self,
        polls: &mut usize,
        cx: &mut Context<'_>,
        inner: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let poll = inner(&mut Context::from_waker(Waker::noop()));
        *polls += 1;
        if poll.is_pending() && (self == Self::Spins || *polls < 20) {
            cx.waker().wake_by_ref();
        }
        poll
    }
}

/// The requests for which a layer is wrong, and the number of earlier calls of this instance and of
/// all its clones. `generation` is the number of clones between it and the first instance.
type When = fn(&Parts, Past) -> bool;

#[derive(Clone, Copy)]
struct Past {
    calls: usize,
    of_all: usize,
    generation: usize,
}

struct Wrong<S> {
    inner: S,
    how: How,
    when: When,
    past: Past,
    of_all: Arc<AtomicUsize>,
    failed: bool,
    ready: bool,
    polls: usize,
}

impl<S> Wrong<S> {
    fn new(inner: S, how: How, when: When) -> Self {
        Self {
            inner,
            how,
            when,
            past: Past {
                calls: 0,
                of_all: 0,
                generation: 0,
            },
            of_all: Arc::default(),
            failed: false,
            ready: false,
            polls: 0,
        }
    }
}

impl<S: Clone> Clone for Wrong<S> {
    fn clone(&self) -> Self {
        Self {
            past: Past {
                calls: 0,
                generation: self.past.generation + 1,
                ..self.past
            },
            of_all: self.of_all.clone(),
            ready: self.ready,
            ..Self::new(self.inner.clone(), self.how, self.when)
        }
    }
}

type CallResult = Result<Response<BoxedBody>, BoxError>;

impl<S, B> Service<Request<probe::Body>> for Wrong<S>
where
    S: Service<
            Request<BoxedBody>,
            Response = Response<B>,
            Error = probe::Error,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<BoxedBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = CallResult> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let inner = &mut self.inner;
        let ready = match self.how {
            How::CachesReadiness if self.ready => return Poll::Ready(Ok(())),
            How::LosesTheWakerOfReady(waking) => {
                waking.poll(&mut self.polls, cx, |cx| inner.poll_ready(cx))
            }
            _ => inner.poll_ready(cx),
        };
        match (self.how, ready) {
            (How::UsesAFailedService | How::SwallowsTheReadyError, Poll::Ready(Err(_))) => {
                self.failed = true;
                Poll::Ready(Ok(()))
            }
            (How::GivesUpWhenNotReady(polls), Poll::Pending) => {
                self.polls += 1;
                match self.polls < polls {
                    true => Poll::Pending,
                    false => Poll::Ready(Err("busy".into())),
                }
            }
            (How::IgnoresPending, Poll::Pending) => Poll::Ready(Ok(())),
            (_, ready) => {
                self.ready = matches!(ready, Poll::Ready(Ok(())));
                ready.map_err(Into::into)
            }
        }
    }

    fn call(&mut self, request: Request<probe::Body>) -> Self::Future {
        self.ready = false;
        let failed = self.failed;
        if failed && matches!(self.how, How::SwallowsTheReadyError) {
            return Box::pin(async { Ok(Response::new(any(Full::default()))) });
        }
        self.past.of_all = self.of_all.fetch_add(1, Ordering::Relaxed);
        let (parts, body) = request.into_parts();
        let how = match (self.when)(&parts, self.past) {
            true => self.how,
            false => How::Right,
        };
        self.past.calls += 1;
        let mut request = Request::from_parts(parts, any(body));
        if let How::Request(change) = how {
            request = change(request);
        }
        let mut other = self.inner.clone();
        let future = match how {
            How::Panics => panic!("not today"),
            How::RespondsByItself => {
                return Box::pin(async { Ok(Response::new(any(Full::from("by itself")))) });
            }
            How::CallsAClone => other.call(request),
            How::CallsAPendingClone => {
                let _ = other.poll_ready(&mut Context::from_waker(Waker::noop()));
                other.call(request)
            }
            How::CallsTwice => {
                drop(self.inner.call(Request::new(any(Full::default()))));
                self.inner.call(request)
            }
            _ => self.inner.call(request),
        };
        Box::pin(respond(how, Box::pin(future)))
    }
}

async fn respond<F, B>(how: How, mut future: Pin<Box<F>>) -> CallResult
where
    F: Future<Output = Result<Response<B>, probe::Error>> + Send + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let result = match how {
        How::LosesTheFuturesWaker(waking) => {
            let mut polls = 0;
            poll_fn(|cx| waking.poll(&mut polls, cx, |cx| future.as_mut().poll(cx))).await
        }
        How::LeaksTheFuture => {
            let mut held = ManuallyDrop::new(future);
            poll_fn(|cx| held.as_mut().poll(cx)).await
        }
        How::PollsTheFutureAgain => {
            let result = future.as_mut().await;
            // An async block would panic here. The attempt is the fault.
            let again = std::panic::AssertUnwindSafe(|| {
                drop(
                    future
                        .as_mut()
                        .poll(&mut Context::from_waker(Waker::noop())),
                );
            });
            let _ = std::panic::catch_unwind(again);
            result
        }
        _ => future.await,
    };
    let response = match (result, how) {
        (Ok(response), _) => response.map(any),
        (Err(_), How::SwallowsTheError) => return Err("something went wrong".into()),
        (Err(error), _) => return Err(error.into()),
    };
    Ok(match how {
        How::Response(change) => change(response),
        _ => response,
    })
}

/// A body with a fault.
struct Odd {
    inner: ManuallyDrop<BoxedBody>,
    what: What,
    polls: usize,
    ended: bool,
}

#[derive(Clone, Copy)]
enum What {
    DropsTrailers,
    EmptiesTrailers,
    EndsAtAnEmptyFrame,
    CutsAByte,
    AddsAFrame,
    HasAFrameAfterItsEnd,
    PanicsAfterItsEnd,
    Panics,
    DropsData,
    FailsAtTheEnd,
    EndsWellAfterAnError,
    ReadsOnAfterAnError,
    ChangesTheError,
    LiesOfItsLength,
    LiesOfItsEnd,
    LosesTheWaker(Waking),
    Leaks,
}

impl What {
    fn of(self, body: BoxedBody) -> BoxedBody {
        any(Odd {
            inner: ManuallyDrop::new(body),
            what: self,
            polls: 0,
            ended: false,
        })
    }
}

impl Drop for Odd {
    fn drop(&mut self) {
        if !matches!(self.what, What::Leaks) {
            let inner = std::mem::replace(&mut *self.inner, any(Full::default()));
            drop(inner);
        }
    }
}

impl http_body::Body for Odd {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        assert!(!matches!(this.what, What::Panics), "not again");
        if this.ended {
            return Poll::Ready(None);
        }
        let mut inner = Pin::new(&mut *this.inner);
        let frame = std::task::ready!(match this.what {
            What::LosesTheWaker(waking) =>
                waking.poll(&mut this.polls, cx, |cx| inner.as_mut().poll_frame(cx)),
            _ => inner.as_mut().poll_frame(cx),
        });
        this.polls += 1;
        let is_empty = |frame: &Frame<Bytes>| frame.data_ref().is_some_and(Bytes::is_empty);
        let cut = |data: Bytes| data.slice(..data.len().saturating_sub(1));
        let frame = match (this.what, frame) {
            (What::DropsTrailers, Some(Ok(frame))) if frame.is_trailers() => None,
            (What::EmptiesTrailers, Some(Ok(frame))) if frame.is_trailers() => {
                Some(Ok(Frame::trailers(HeaderMap::new())))
            }
            (What::EndsAtAnEmptyFrame, Some(Ok(frame))) if is_empty(&frame) => None,
            (What::CutsAByte, Some(Ok(frame))) => Some(Ok(frame.map_data(cut))),
            (What::DropsData, Some(Ok(frame))) => Some(Ok(frame.map_data(|_| Bytes::new()))),
            (What::AddsAFrame, None) => {
                this.what = What::LiesOfItsLength;
                Some(Ok(Frame::data(Bytes::from_static(b"more"))))
            }
            (What::HasAFrameAfterItsEnd, None) => {
                this.what = What::AddsAFrame;
                None
            }
            (What::PanicsAfterItsEnd, None) => {
                this.what = What::Panics;
                None
            }
            (What::FailsAtTheEnd, None) => Some(Err("no".into())),
            (What::EndsWellAfterAnError, Some(Err(_))) => None,
            (What::ChangesTheError, Some(Err(_))) => Some(Err("another".into())),
            (What::ReadsOnAfterAnError, Some(Err(error))) => {
                let _ = inner.poll_frame(cx);
                Some(Err(error))
            }
            (_, frame) => frame,
        };
        this.ended = frame.is_none() && !matches!(this.what, What::AddsAFrame | What::Panics);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.what, What::LiesOfItsEnd)
    }

    fn size_hint(&self) -> SizeHint {
        match self.what {
            What::LiesOfItsLength if self.polls == 0 => SizeHint::with_exact(3),
            _ => SizeHint::default(),
        }
    }
}

fn patch(parts: &Parts, _: Past) -> bool {
    parts.method == Method::PATCH
}

/// Returns whether a page is requested without conditions.
fn get(parts: &Parts, _: Past) -> bool {
    parts.method == Method::GET
        && parts.uri.path().starts_with("/page")
        && !parts.headers.contains_key(header::RANGE)
        && !parts.headers.contains_key(header::IF_NONE_MATCH)
}

fn html(parts: &Parts, past: Past) -> bool {
    get(parts, past) && parts.uri.path() == "/page.html"
}

fn is_page(parts: &Parts) -> bool {
    parts.headers.contains_key(header::ORIGIN)
}

fn filled(response: Response<BoxedBody>) -> Response<BoxedBody> {
    response.map(|_| any(Full::from("a body")))
}

fn filled_if(response: Response<BoxedBody>, status: StatusCode) -> Response<BoxedBody> {
    match response.status() == status {
        true => filled(response),
        false => response,
    }
}

/// Replaces the content of a page, and keeps its tag.
fn replaced(mut response: Response<BoxedBody>) -> Response<BoxedBody> {
    if response.status() != StatusCode::OK && response.status() != StatusCode::PARTIAL_CONTENT {
        return response;
    }
    response.headers_mut().remove("content-length");
    response.map(|_| any(Full::from("other")))
}

fn swapped(headers: &mut HeaderMap) {
    headers.insert("x-twice", HeaderValue::from_static("2"));
    headers.append("x-twice", HeaderValue::from_static("1"));
}

/// The fault, when it occurs, the rules that it breaks with their scenarios, and a part of the
/// report.
type Row = (
    How,
    When,
    &'static [(Rule, &'static [&'static str])],
    &'static str,
);

const EXCHANGES: &[&str] = &["an exchange", "the next exchange", "a clone"];

fn rows() -> Vec<Row> {
    use How::{Request, Response};
    use Rule as R;
    vec![
        (How::Right, |_, _| true, &[], ""),
        // Additions of a layer do not count.
        (
            Request(|mut request| {
                let headers = request.headers_mut();
                headers.insert("x-twice", HeaderValue::from_static("0"));
                for value in ["1", "1.5", "2", "3"] {
                    headers.append("x-twice", HeaderValue::from_static(value));
                }
                headers.insert("x-added", HeaderValue::from_static("1"));
                request
            }),
            |_, _| true,
            &[],
            "",
        ),
        // Changes of the request.
        (
            Request(|mut request| {
                *request.method_mut() = Method::PUT;
                request
            }),
            patch,
            &[(R::RequestHead, EXCHANGES)],
            "PATCH became PUT",
        ),
        (
            Request(|mut request| {
                *request.uri_mut() = "/a/b?c=d".parse().unwrap();
                request
            }),
            patch,
            &[(R::RequestHead, EXCHANGES)],
            "/a%2Fb?c=d became /a/b?c=d",
        ),
        (
            Request(|mut request| {
                *request.version_mut() = Version::HTTP_11;
                request
            }),
            patch,
            &[(R::RequestHead, EXCHANGES)],
            "HTTP/2 became HTTP/1.1",
        ),
        (
            Request(|mut request| {
                swapped(request.headers_mut());
                request
            }),
            patch,
            &[(R::RequestHead, EXCHANGES)],
            "x-twice became",
        ),
        (
            Request(|mut request| {
                request.headers_mut().remove("te");
                request
            }),
            patch,
            &[(R::RequestHead, EXCHANGES)],
            "te became []",
        ),
        (
            Request(|mut request| {
                request.extensions_mut().clear();
                request
            }),
            patch,
            &[(R::RequestHead, EXCHANGES)],
            "an extension is gone",
        ),
        (
            Request(|request| request.map(|body| What::CutsAByte.of(body))),
            patch,
            &[(R::RequestBody, EXCHANGES)],
            "\"request\" became b\"rques\"",
        ),
        (
            Request(|request| request.map(|body| What::EndsAtAnEmptyFrame.of(body))),
            patch,
            &[(R::RequestBody, EXCHANGES)],
            "\"request\" became b\"re\"",
        ),
        (
            Request(|request| request.map(|body| What::DropsTrailers.of(body))),
            patch,
            &[(R::RequestBody, EXCHANGES)],
            "the trailers became None",
        ),
        (
            Request(|request| request.map(|body| What::FailsAtTheEnd.of(body))),
            patch,
            &[(R::RequestBody, EXCHANGES)],
            "the body failed: Some(\"no\")",
        ),
        // Changes of the response.
        (
            Response(|mut response| {
                *response.status_mut() = StatusCode::OK;
                response
            }),
            patch,
            &[(R::ResponseHead, EXCHANGES)],
            "201 became 200 OK",
        ),
        (
            Response(|mut response| {
                *response.version_mut() = Version::HTTP_11;
                response
            }),
            patch,
            &[(R::ResponseHead, EXCHANGES)],
            "HTTP/2 became HTTP/1.1",
        ),
        (
            Response(|mut response| {
                swapped(response.headers_mut());
                response
            }),
            patch,
            &[(R::ResponseHead, EXCHANGES)],
            "x-twice became",
        ),
        (
            Response(|mut response| {
                response.headers_mut().remove("etag");
                response
            }),
            patch,
            &[(R::ResponseHead, EXCHANGES)],
            "etag became []",
        ),
        (
            Response(|mut response| {
                response.extensions_mut().clear();
                response
            }),
            patch,
            &[(R::ResponseHead, EXCHANGES)],
            "an extension is gone",
        ),
        (
            Response(|response| response.map(|body| What::EndsAtAnEmptyFrame.of(body))),
            patch,
            &[(R::ResponseBody, EXCHANGES)],
            "\"response\" became b\"re\"",
        ),
        (
            Response(|response| response.map(|body| What::DropsTrailers.of(body))),
            patch,
            &[(R::ResponseBody, EXCHANGES)],
            "the trailers became None",
        ),
        (
            Response(|response| response.map(|body| What::EmptiesTrailers.of(body))),
            patch,
            &[(R::ResponseBody, EXCHANGES)],
            "the trailers became Some({})",
        ),
        (
            Response(|response| {
                let created = response.status() == StatusCode::CREATED;
                response.map(|body| match created {
                    true => What::FailsAtTheEnd.of(body),
                    false => body,
                })
            }),
            patch,
            &[(R::ResponseBody, EXCHANGES)],
            "the body failed: Some(\"no\")",
        ),
        (
            How::RespondsByItself,
            |parts, past| patch(parts, past) && past.of_all == 1,
            &[
                (R::RequestHead, &["the next exchange", "a clone"]),
                (R::ResponseHead, &["the next exchange", "a clone"]),
                (R::ResponseBody, &["the next exchange", "a clone"]),
                (R::Readiness, &["a service that is not ready"]),
            ],
            "the request did not reach the inner service",
        ),
        // Faults of one instance or one call.
        (
            Response(|response| response.map(|body| What::DropsTrailers.of(body))),
            |parts, past| patch(parts, past) && past.of_all == 0,
            &[(R::ResponseBody, &["an exchange"])],
            "",
        ),
        (
            Response(|response| response.map(|body| What::DropsTrailers.of(body))),
            |parts, past| patch(parts, past) && past.calls == 1,
            &[(R::ResponseBody, &["the next exchange"])],
            "",
        ),
        (
            Response(|response| response.map(|body| What::DropsTrailers.of(body))),
            |parts, past| patch(parts, past) && past.generation == 1,
            &[(R::ResponseBody, &["a clone"])],
            "",
        ),
        (
            How::CachesReadiness,
            |_, _| true,
            &[(R::CallWithoutReady, &["a clone of a ready clone"])],
            "never reported that it is ready",
        ),
        (
            How::CallsAClone,
            patch,
            &[(
                R::CallWithoutReady,
                &[
                    "an exchange",
                    "the next exchange",
                    "a clone",
                    "a clone of a ready clone",
                    "a known length",
                    "a failing service",
                    "a failing body",
                    "a service that is not ready",
                    "a late poll_ready",
                    "a late response",
                    "a late body",
                    "dropped at any point",
                ],
            )],
            "",
        ),
        (
            How::CallsTwice,
            |parts, past| patch(parts, past) && past.calls == 1,
            &[
                (
                    R::CallTwiceOnOneReady,
                    &["the next exchange", "a service that is not ready"],
                ),
                (R::Readiness, &["a service that is not ready"]),
            ],
            "of 2 requests 3 reached the service",
        ),
        (
            How::PollsTheFutureAgain,
            |parts, past| patch(parts, past) && past.calls == 1,
            &[(
                R::FuturePolledAfterDone,
                &["the next exchange", "a service that is not ready"],
            )],
            "",
        ),
        (
            Response(|response| {
                let endless = probe::Step::Endless(Bytes::from_static(&[b'x'; 1 << 16]));
                response.map(|_| any(probe::Body::new([endless])))
            }),
            |parts, past| patch(parts, past) && past.of_all == 0,
            &[
                (R::ResponseBody, &["an exchange", "a known length"]),
                (R::ContentLengthWrong, &["a known length"]),
                (R::BodyError, &["a failing body"]),
                (R::Wake, &["a late body"]),
            ],
            "\"response\" became 1114112 bytes",
        ),
        // Lengths.
        (
            Response(|mut response| {
                response.headers_mut().remove("content-length");
                response
            }),
            patch,
            &[(R::ResponseHead, &["a known length"])],
            "content-length became []",
        ),
        (
            Response(|response| {
                let known = response.headers().contains_key("content-length");
                response.map(|body| match known {
                    true => What::CutsAByte.of(body),
                    false => body,
                })
            }),
            patch,
            &[
                (R::ContentLengthWrong, &["a known length"]),
                (R::ResponseBody, &["a known length"]),
            ],
            "\"response\" became b\"respons\"",
        ),
        (
            Response(filled),
            |parts, _| parts.method == Method::HEAD && !is_page(parts),
            &[(R::BodyNotAllowed, &["HEAD"])],
            "",
        ),
        (
            Response(|mut response| {
                response.headers_mut().remove("content-length");
                response
            }),
            |parts, _| parts.method == Method::HEAD && !is_page(parts),
            &[(R::ResponseHead, &["HEAD"])],
            "",
        ),
        (
            Response(|response| filled_if(response, StatusCode::NO_CONTENT)),
            |parts, _| !is_page(parts),
            &[(R::BodyNotAllowed, &["204"])],
            "",
        ),
        (
            Response(|response| filled_if(response, StatusCode::RESET_CONTENT)),
            |parts, _| !is_page(parts),
            &[
                (R::ContentLengthWrong, &["205"]),
                (R::ContentOfReset, &["205"]),
            ],
            "",
        ),
        (
            Response(|response| filled_if(response, StatusCode::NOT_MODIFIED)),
            |parts, _| !is_page(parts),
            &[(R::BodyNotAllowed, &["304"])],
            "",
        ),
        // Errors.
        (
            How::SwallowsTheError,
            |_, _| true,
            &[(R::ServiceError, &["a failing service"])],
            "it became \"something went wrong\"",
        ),
        (
            How::SwallowsTheReadyError,
            |_, _| true,
            &[(R::ReadyError, &["a failing poll_ready"])],
            "it became 200 OK",
        ),
        (
            How::UsesAFailedService,
            |_, _| true,
            &[
                (R::UsedAfterFailed, &["a failing poll_ready"]),
                (R::ReadyError, &["a failing poll_ready"]),
            ],
            "",
        ),
        (
            Response(|response| response.map(|body| What::EndsWellAfterAnError.of(body))),
            patch,
            &[(R::BodyError, &["a failing body"])],
            "the body ended without an error",
        ),
        (
            Response(|response| response.map(|body| What::ChangesTheError.of(body))),
            patch,
            &[(R::BodyError, &["a failing body"])],
            "it became \"another\"",
        ),
        (
            Response(|response| response.map(|body| What::ReadsOnAfterAnError.of(body))),
            patch,
            &[(R::BodyPolledAfterEnd, &["a failing body"])],
            "",
        ),
        (
            Response(|response| {
                let created = response.status() == StatusCode::CREATED;
                let known = response.headers().contains_key("content-length");
                response.map(|body| match created || known {
                    true => body,
                    false => What::DropsData.of(body),
                })
            }),
            patch,
            &[(R::BodyError, &["a failing body"])],
            "\"before\" and then the error became",
        ),
        // Waiting.
        (
            How::GivesUpWhenNotReady(2),
            |_, _| true,
            &[(R::Readiness, &["a service that is not ready"])],
            "of 1 requests 0 reached the service",
        ),
        (
            How::GivesUpWhenNotReady(1),
            |_, _| true,
            &[
                (R::Readiness, &["a service that is not ready"]),
                (R::Wake, &["a late poll_ready"]),
            ],
            "it did not wait",
        ),
        (
            How::LosesTheWakerOfReady(Waking::Spins),
            |_, _| true,
            &[(R::Wake, &["a late poll_ready"])],
            "it waits by waking itself",
        ),
        (
            How::LosesTheWakerOfReady(Waking::GivesUp),
            |_, _| true,
            &[(R::Wake, &["a late poll_ready"])],
            "the task was not woken",
        ),
        (
            How::LosesTheFuturesWaker(Waking::Spins),
            |_, _| true,
            &[(R::Wake, &["a late response"])],
            "it waits by waking itself",
        ),
        (
            How::LosesTheFuturesWaker(Waking::GivesUp),
            |_, _| true,
            &[(R::Wake, &["a late response"])],
            "the task was not woken",
        ),
        (
            Response(|response| response.map(|body| What::LosesTheWaker(Waking::Spins).of(body))),
            patch,
            &[(R::Wake, &["a late body"])],
            "it waits by waking itself",
        ),
        (
            Response(|response| response.map(|body| What::LosesTheWaker(Waking::GivesUp).of(body))),
            patch,
            &[(R::Wake, &["a late body"])],
            "the task was not woken",
        ),
        // Drops.
        (
            How::LeaksTheFuture,
            patch,
            &[(R::Drop, &["dropped at any point"])],
            "the inner future",
        ),
        (
            Request(|request| request.map(|body| What::Leaks.of(body))),
            patch,
            &[(R::Drop, &["dropped at any point"])],
            "the request's body",
        ),
        (
            Response(|response| response.map(|body| What::Leaks.of(body))),
            patch,
            &[(R::Drop, &["dropped at any point"])],
            "the inner body",
        ),
        // Pages.
        (
            Response(|response| {
                let known = response.headers().contains_key("content-length");
                response.map(|body| match known {
                    true => What::AddsAFrame.of(body),
                    false => body,
                })
            }),
            html,
            &[
                (R::ContentLengthWrong, &["GET of a page"]),
                (R::EntityTag, &["GET of a page"]),
            ],
            "",
        ),
        (
            How::CallsAClone,
            |parts, past| get(parts, past) && past.generation == 2,
            &[(R::CallWithoutReady, &["GET of a page"])],
            "",
        ),
        (
            Response(|mut response| {
                let headers = response.headers_mut();
                headers.insert("content-length", HeaderValue::from_static("1"));
                headers.insert("transfer-encoding", HeaderValue::from_static("chunked"));
                response.map(|_| any(Full::from("1")))
            }),
            |parts, past| get(parts, past) && parts.version == Version::HTTP_11 && past.calls == 0,
            &[
                (
                    R::ContentLengthWithTransferEncoding,
                    &[
                        "GET of a page",
                        "a failing page",
                        "a late page",
                        "a page dropped at any point",
                    ],
                ),
                (R::BodyError, &["a failing page"]),
                (R::Wake, &["a late page"]),
                (R::EntityTag, &["GET of a page"]),
            ],
            "it did not wait for /page.txt",
        ),
        (
            Response(|response| response.map(|body| What::FailsAtTheEnd.of(body))),
            |parts, past| get(parts, past) && parts.uri.path() == "/page.json",
            &[(R::ResponseBody, &["GET of a page"])],
            "the body of /page.json failed",
        ),
        (
            Response(filled),
            |parts, _| parts.method == Method::HEAD && is_page(parts),
            &[(R::BodyNotAllowed, &["HEAD of a page"])],
            "",
        ),
        (
            How::Panics,
            |parts, _| parts.method == Method::HEAD && is_page(parts),
            &[(R::BodyNotAllowed, &["HEAD of a page"])],
            "it panicked: not today",
        ),
        (
            How::CallsAClone,
            |parts, _| {
                let range = parts.headers.get(header::RANGE);
                parts.version == Version::HTTP_2
                    && range.is_some_and(|range| range == "bytes=100-299")
            },
            &[(R::CallWithoutReady, &["a range of a page"])],
            "",
        ),
        (
            How::CallsAPendingClone,
            |parts, _| {
                let range = parts.headers.get(header::RANGE);
                range.is_some_and(|range| range == "bytes=1000000-")
            },
            &[(R::CallWithoutReady, &["a range beyond a page"])],
            "",
        ),
        (
            How::LeaksTheFuture,
            |parts, _| parts.headers.contains_key(header::RANGE),
            &[(R::Drop, &["a page dropped at any point"])],
            "the inner future",
        ),
        (
            How::CallsAClone,
            |parts, _| {
                parts
                    .headers
                    .get("range")
                    .is_some_and(|range| range == "bytes=1000000-")
            },
            &[(R::CallWithoutReady, &["a range beyond a page"])],
            "",
        ),
        (
            Response(|response| filled_if(response, StatusCode::NOT_MODIFIED)),
            |parts, _| is_page(parts),
            &[(R::BodyNotAllowed, &["a page that is known"])],
            "",
        ),
        (
            Response(|mut response| {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert("connection", close);
                response
            }),
            |parts, _| parts.method == Method::POST,
            &[(R::ConnectionHeaders, &["POST to a page"])],
            "",
        ),
        (
            Response(|mut response| {
                *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
                response.headers_mut().remove("allow");
                response
            }),
            |parts, _| parts.method == Method::OPTIONS,
            &[(R::AllowMissing, &["OPTIONS of a page"])],
            "",
        ),
        (
            Response(|mut response| {
                let zero = HeaderValue::from_static("0");
                response.headers_mut().insert("content-length", zero);
                response
            }),
            |parts, _| parts.method == Method::CONNECT,
            &[(R::ContentOfConnect, &["CONNECT"])],
            "content-length in the 200 OK to CONNECT",
        ),
        (
            Response(|response| response.map(|body| What::EndsWellAfterAnError.of(body))),
            get,
            &[(R::BodyError, &["a failing page"])],
            "the body ended without an error",
        ),
        (
            Response(|response| response.map(|body| What::LosesTheWaker(Waking::GivesUp).of(body))),
            html,
            &[(R::Wake, &["a late page"])],
            "the task was not woken",
        ),
        (
            Response(|response| response.map(|body| What::Leaks.of(body))),
            html,
            &[(R::Drop, &["a page dropped at any point"])],
            "the inner body",
        ),
        // A layer may respond to a page itself.
        (
            How::RespondsByItself,
            |parts, _| parts.method == Method::GET && is_page(parts),
            &[],
            "",
        ),
        // Changed content.
        (
            Response(replaced),
            |parts, past| get(parts, past) && past.generation == 2,
            &[(R::EntityTag, &["GET of a page"])],
            "the 200 OK of /page.html over HTTP/2.0 has \"tag\" and other content",
        ),
        (
            Response(|response| {
                let mut response = replaced(response);
                let weak = HeaderValue::from_static("W/\"tag\"");
                response.headers_mut().insert("etag", weak);
                response
            }),
            |parts, past| get(parts, past) && past.generation == 2,
            &[],
            "",
        ),
        (
            Response(replaced),
            |parts, past| parts.headers.contains_key(header::RANGE) && past.generation == 2,
            &[
                (R::EntityTag, &["a range of a page"]),
                (R::ContentRangeWrong, &["a range of a page"]),
            ],
            "Content-Range is 200 bytes long, it ended after 5",
        ),
        // Bodies after their end.
        (
            Response(|response| response.map(|body| What::HasAFrameAfterItsEnd.of(body))),
            |parts, past| get(parts, past) && past.generation == 2,
            &[
                (R::FrameAfterEnd, &["GET of a page"]),
                (R::FrameAfterTrailers, &["GET of a page"]),
            ],
            "a frame of 4 bytes came after the end",
        ),
        (
            Response(|response| response.map(|body| What::PanicsAfterItsEnd.of(body))),
            |parts, past| get(parts, past) && past.generation == 2,
            &[(R::FrameAfterEnd, &["GET of a page"])],
            "it panicked after its end",
        ),
        // Bodies with false hints.
        (
            Response(|response| {
                let known = response.headers().contains_key("content-length");
                response.map(|body| match known {
                    true => body,
                    false => What::LiesOfItsLength.of(body),
                })
            }),
            |parts, past| get(parts, past) && past.generation == 2,
            &[(R::SizeHintWrong, &["GET of a page"])],
            "",
        ),
        (
            Response(|response| response.map(|body| What::LiesOfItsEnd.of(body))),
            |parts, past| get(parts, past) && past.generation == 2,
            &[
                (R::EndStreamWrong, &["GET of a page"]),
                (R::ContentLengthWrong, &["GET of a page"]),
            ],
            "",
        ),
    ]
}

/// Returns the scenarios in which each rule was broken.
fn scenarios(report: &contract::Report) -> BTreeMap<Rule, BTreeSet<String>> {
    let of_line = |line: &String| line.split_once(": ").unwrap().0.to_owned();
    report
        .broken()
        .map(|rule| (rule, report.seen(rule).iter().map(of_line).collect()))
        .collect()
}

/// Checks the rows whose first rule is accepted.
fn check(accept: impl Fn(Option<Rule>) -> bool) {
    let first = |row: &Row| row.2.first().map(|(rule, _)| *rule);
    let rows = rows().into_iter().enumerate();
    let rows: Vec<_> = rows.filter(|(_, row)| accept(first(row))).collect();
    assert!(!rows.is_empty());
    // Most of the time they wait.
    std::thread::scope(|scope| {
        for (at, (how, when, expected, text)) in rows {
            scope.spawn(move || {
                let report = contract::check(|inner| Wrong::new(inner, how, when));
                let expected: BTreeMap<_, BTreeSet<_>> = expected
                    .iter()
                    .map(|(rule, names)| (*rule, names.iter().map(ToString::to_string).collect()))
                    .collect();
                assert_eq!(scenarios(&report), expected, "row {at}:\n{report}");
                assert!(report.to_string().contains(text), "row {at}:\n{report}");
            });
        }
    });
}

#[test]
fn lint_1_a_wrong_layer_breaks_rules_of_the_lint() {
    check(|rule| rule.is_none_or(|rule| rule < Rule::RequestHead));
}

#[test]
fn lint_401_a_changed_request_head() {
    check(|rule| rule == Some(Rule::RequestHead));
}

#[test]
fn lint_402_a_changed_request_body() {
    check(|rule| rule == Some(Rule::RequestBody));
}

#[test]
fn lint_403_a_changed_response_head() {
    check(|rule| rule == Some(Rule::ResponseHead));
}

#[test]
fn lint_404_a_changed_response_body() {
    check(|rule| rule == Some(Rule::ResponseBody));
}

#[test]
fn lint_405_a_lost_error_of_the_service() {
    check(|rule| rule == Some(Rule::ServiceError));
}

#[test]
fn lint_406_a_lost_error_of_poll_ready() {
    check(|rule| rule == Some(Rule::ReadyError));
}

#[test]
fn lint_407_a_lost_error_of_the_body() {
    check(|rule| rule == Some(Rule::BodyError));
}

#[test]
fn lint_408_a_request_to_a_service_that_is_not_ready() {
    check(|rule| rule == Some(Rule::Readiness));
}

#[test]
fn lint_409_a_missing_wake_up() {
    check(|rule| rule == Some(Rule::Wake));
}

#[test]
fn lint_410_a_leak() {
    check(|rule| rule == Some(Rule::Drop));
}

#[test]
fn lint_411_changed_content_with_a_strong_tag() {
    check(|rule| rule == Some(Rule::EntityTag));
}

/// Without the scenario, a wrong layer of the table would pass.
#[test]
fn lint_1_every_scenario_alone_catches_a_wrong_layer() {
    let rules = include_str!("../../RULES.md");
    let (_, table) = rules.split_once("| scenario | what happens |").unwrap();
    let names = table.lines().skip(2).take_while(|line| !line.is_empty());
    let mut count = 0;
    for line in names {
        let name = line.split('|').nth(1).unwrap().trim();
        let alone = |(_, _, expected, _): &Row| {
            !expected.is_empty() && expected.iter().all(|(_, names)| *names == [name])
        };
        assert!(
            rows().iter().any(alone),
            "only this should catch a row: {name}"
        );
        count += 1;
    }
    assert_eq!(count, 28);
}

#[test]
fn lint_1_pages_are_requested_as_by_a_browser() {
    let requests: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let keeps = requests.clone();
    let layer = MapRequestLayer::new(move |request: Request<probe::Body>| {
        let host = request.headers().get("host");
        let host = host.map_or("-", |host| host.to_str().unwrap());
        let length = http_body::Body::size_hint(request.body()).lower();
        let (method, uri) = (request.method(), request.uri());
        let line = format!("{method} {uri} {:?} {host} {length}", request.version());
        keeps.lock().unwrap().insert(line);
        request
    });
    contract::check(|inner| layer.layer(inner)).assert_kept();
    let requests = requests.lock().unwrap();
    for line in [
        "GET /page.html HTTP/1.1 example.org 0",
        "GET https://example.org/page.html HTTP/2.0 - 0",
        "POST /page.txt HTTP/1.1 example.org 11",
        "POST https://example.org/page.json HTTP/2.0 - 11",
        "CONNECT example.org:443 HTTP/1.1 example.org:443 0",
        "CONNECT example.org:443 HTTP/2.0 - 0",
    ] {
        assert!(requests.contains(line), "{line} is not in {requests:#?}");
    }
}

#[test]
fn lint_101_a_layer_that_ignores_pending() {
    let report = contract::check(|inner| Wrong::new(inner, How::IgnoresPending, |_, _| true));
    let broken: Vec<_> = report.broken().collect();
    assert!(broken.contains(&Rule::CallWithoutReady), "{report}");
}

/// A layer that copies the request's extensions into the response, as layers do that log both.
#[derive(Clone)]
struct KeepsExtensions<S>(S);

impl<S, B> Service<Request<probe::Body>> for KeepsExtensions<S>
where
    S: Service<Request<probe::Body>, Response = Response<B>, Future: Send + 'static>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<probe::Body>) -> Self::Future {
        let extensions = request.extensions().clone();
        let future = self.0.call(request);
        Box::pin(async move {
            let mut response = future.await?;
            response.extensions_mut().extend(extensions);
            Ok(response)
        })
    }
}

#[test]
fn lint_403_a_layer_that_copies_extensions_keeps_every_rule() {
    contract::check(KeepsExtensions).assert_kept();
}

/// A layer whose response waits until the inner service has dropped the layer's extension.
#[derive(Clone)]
struct WaitsForItsExtension<S>(S);

struct Held(probe::Gate);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.open();
    }
}

impl<S, B> Service<Request<probe::Body>> for WaitsForItsExtension<S>
where
    S: Service<Request<probe::Body>, Response = Response<B>, Future: Send + 'static>,
    B: Send,
    S::Error: Send,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<probe::Body>) -> Self::Future {
        let gate = probe::Gate::new();
        request
            .extensions_mut()
            .insert(Arc::new(Held(gate.clone())));
        let future = self.0.call(request);
        Box::pin(async move {
            let response = future.await?;
            poll_fn(|cx| gate.poll(cx)).await;
            Ok(response)
        })
    }
}

#[test]
fn lint_409_a_layer_that_waits_for_its_extension_keeps_every_rule() {
    contract::check(WaitsForItsExtension).assert_kept();
}

#[test]
fn lint_1_right_layers_keep_every_rule() {
    contract::check(|inner| Identity::new().layer(inner)).assert_kept();
    contract::check(|inner| MapErrLayer::new(BoxError::from).layer(inner)).assert_kept();
}

#[test]
fn lint_1_a_departure_is_exactly_one_rule() {
    let swallows =
        || contract::check(|inner| Wrong::new(inner, How::SwallowsTheError, |_, _| true));
    swallows()
        .departs(Rule::ServiceError, "the error becomes another")
        .assert_kept();
    let panics = |report: contract::Report| {
        let text = std::panic::catch_unwind(|| report.assert_kept()).unwrap_err();
        text.downcast_ref::<String>().unwrap().clone()
    };
    let text = panics(swallows());
    assert!(text.contains("BROKEN    rule 405"), "{text}");
    let text = panics(
        swallows()
            .departs(Rule::ServiceError, "x")
            .departs(Rule::Drop, "y"),
    );
    assert!(
        text.contains("NOT BROKEN, although the layer departs from it: rule 410"),
        "{text}"
    );
}

#[test]
fn lint_1_a_layer_that_panics_breaks_the_scenarios_rule() {
    #[derive(Clone)]
    struct Panics;
    impl Service<Request<probe::Body>> for Panics {
        type Response = Response<Full<Bytes>>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            panic!("not today")
        }
        fn call(&mut self, _: Request<probe::Body>) -> Self::Future {
            panic!("never")
        }
    }
    let report = contract::check(|_| Panics);
    assert_eq!(
        report.seen(Rule::ServiceError),
        ["a failing service: it panicked: not today"]
    );
}
