//! A layer for each rule of the contract that breaks it, and right ones that keep all.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    mem,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use tower::{BoxError, Layer, Service, layer::util::Identity, util::MapErrLayer};
use tower_lint::{Rule, contract, probe};

type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

fn any<B>(body: B) -> AnyBody
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}

/// What is wrong with a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Right,
    CallsAClone,
    CallsTwice,
    PollsTheFutureAgain,
    ReadsOnAfterAnError,
    UsesAFailedService,
    RebuildsTheRequest,
    DropsTheRequestsTrailers,
    RebuildsTheResponse,
    DropsTrailers,
    ChangesTheBody,
    SwallowsTheError,
    SwallowsTheReadyError,
    EndsWellAfterAnError,
    LiesOfItsLength,
    LiesOfItsEnd,
    FillsHead,
    PollsWithANoopWaker,
    LeaksTheFuture,
    GivesUpWhenNotReady,
}

struct Wrong<S> {
    inner: S,
    how: How,
    failed: bool,
}

impl<S: Clone> Clone for Wrong<S> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            how: self.how,
            failed: false,
        }
    }
}

type Answer = Result<Response<AnyBody>, BoxError>;

impl<S, B> Service<Request<probe::Body>> for Wrong<S>
where
    S: Service<
            Request<AnyBody>,
            Response = Response<B>,
            Error = probe::Error,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<AnyBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let mut noop = Context::from_waker(Waker::noop());
        let ready = match self.how {
            How::PollsWithANoopWaker => self.inner.poll_ready(&mut noop),
            _ => self.inner.poll_ready(cx),
        };
        match (self.how, ready) {
            (How::UsesAFailedService, Poll::Ready(Err(_))) => {
                self.failed = true;
                Poll::Ready(Ok(()))
            }
            (How::SwallowsTheReadyError, Poll::Ready(Err(_))) => {
                self.failed = true;
                Poll::Ready(Ok(()))
            }
            (How::GivesUpWhenNotReady, Poll::Pending) => Poll::Ready(Err("busy".into())),
            (_, ready) => ready.map_err(Into::into),
        }
    }

    fn call(&mut self, request: Request<probe::Body>) -> Self::Future {
        let how = self.how;
        if self.failed && how == How::SwallowsTheReadyError {
            return Box::pin(async { Ok(Response::new(any(Full::default()))) });
        }
        let (mut parts, body) = request.into_parts();
        let mut body = any(body);
        match how {
            How::RebuildsTheRequest => {
                let mut rebuilt = Request::new(());
                *rebuilt.method_mut() = parts.method;
                *rebuilt.uri_mut() = parts.uri;
                *rebuilt.headers_mut() = parts.headers;
                (parts, ()) = rebuilt.into_parts();
            }
            How::DropsTheRequestsTrailers => body = any(without_trailers(body)),
            _ => {}
        }
        let request = Request::from_parts(parts, body);
        let mut other = self.inner.clone();
        let future = match how {
            How::CallsAClone => other.call(request),
            How::CallsTwice => {
                drop(self.inner.call(Request::new(any(Full::default()))));
                self.inner.call(request)
            }
            _ => self.inner.call(request),
        };
        Box::pin(answer(how, Box::pin(future)))
    }
}

async fn answer<F, B>(how: How, mut future: Pin<Box<F>>) -> Answer
where
    F: Future<Output = Result<Response<B>, probe::Error>> + Send + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let answer = match how {
        How::PollsWithANoopWaker => {
            poll_fn(|_| {
                future
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()))
            })
            .await
        }
        How::LeaksTheFuture => {
            let mut held = mem::ManuallyDrop::new(future);
            poll_fn(|cx| held.as_mut().poll(cx)).await
        }
        How::PollsTheFutureAgain => {
            let answer = future.as_mut().await;
            // An async block would panic here; what is wrong is to try.
            let again = std::panic::AssertUnwindSafe(|| {
                drop(
                    future
                        .as_mut()
                        .poll(&mut Context::from_waker(Waker::noop())),
                );
            });
            let _ = std::panic::catch_unwind(again);
            answer
        }
        _ => future.await,
    };
    let response = match answer {
        Ok(response) => response,
        Err(_) if how == How::SwallowsTheError => return Err("something went wrong".into()),
        Err(error) => return Err(error.into()),
    };
    let (mut parts, body) = response.into_parts();
    let mut body = any(body);
    match how {
        How::RebuildsTheResponse => {
            let status = parts.status;
            (parts, ()) = Response::new(()).into_parts();
            parts.status = status;
        }
        How::DropsTrailers => body = any(without_trailers(body)),
        How::ChangesTheBody => {
            body = any(body.map_frame(|frame| frame.map_data(|data| data.slice(..data.len() - 1))));
        }
        How::FillsHead if parts.status == StatusCode::OK => body = any(Full::from("not for HEAD")),
        How::EndsWellAfterAnError
        | How::ReadsOnAfterAnError
        | How::LiesOfItsLength
        | How::LiesOfItsEnd => body = any(Odd { inner: body, how }),
        _ => {}
    }
    Ok(Response::from_parts(parts, body))
}

fn without_trailers(body: AnyBody) -> Odd {
    Odd {
        inner: body,
        how: How::DropsTrailers,
    }
}

/// A body that is wrapped badly.
struct Odd {
    inner: AnyBody,
    how: How,
}

impl http_body::Body for Odd {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        Poll::Ready(match (self.how, frame) {
            (How::DropsTrailers, Some(Ok(frame))) if frame.is_trailers() => None,
            (How::EndsWellAfterAnError, Some(Err(_))) => None,
            (How::ReadsOnAfterAnError, Some(Err(error))) => {
                let _ = Pin::new(&mut self.inner).poll_frame(cx);
                Some(Err(error))
            }
            (_, frame) => frame,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.how == How::LiesOfItsEnd
    }

    fn size_hint(&self) -> SizeHint {
        match self.how {
            How::LiesOfItsLength => SizeHint::with_exact(3),
            _ => SizeHint::default(),
        }
    }
}

#[test]
fn a_wrong_layer_is_caught_by_the_rule_that_it_breaks() {
    let table: [(How, &[Rule]); 20] = [
        (How::Right, &[]),
        (How::CallsAClone, &[Rule::CallWithoutReady]),
        (How::CallsTwice, &[Rule::CallTwiceOnOneReady]),
        (How::PollsTheFutureAgain, &[Rule::FuturePolledAfterDone]),
        (How::ReadsOnAfterAnError, &[Rule::BodyPolledAfterEnd]),
        (
            How::UsesAFailedService,
            &[Rule::UsedAfterFailed, Rule::ReadyError],
        ),
        (How::RebuildsTheRequest, &[Rule::RequestHead]),
        (How::DropsTheRequestsTrailers, &[Rule::RequestBody]),
        (How::RebuildsTheResponse, &[Rule::ResponseHead]),
        (How::DropsTrailers, &[Rule::ResponseBody]),
        (
            How::ChangesTheBody,
            &[
                Rule::ContentLengthWrong,
                Rule::ResponseBody,
                Rule::BodyError,
            ],
        ),
        (How::SwallowsTheError, &[Rule::ServiceError]),
        (How::SwallowsTheReadyError, &[Rule::ReadyError]),
        (How::EndsWellAfterAnError, &[Rule::BodyError]),
        (How::LiesOfItsLength, &[Rule::SizeHintWrong]),
        (How::LiesOfItsEnd, &[Rule::EndStreamWrong]),
        (How::FillsHead, &[Rule::BodyNotAllowed]),
        (How::PollsWithANoopWaker, &[Rule::Wake]),
        (How::LeaksTheFuture, &[Rule::Drop]),
        (How::GivesUpWhenNotReady, &[Rule::Readiness]),
    ];
    for (how, expected) in table {
        let report = contract::check(|inner| Wrong {
            inner,
            how,
            failed: false,
        });
        let broken: Vec<_> = report.broken().collect();
        for rule in expected {
            assert!(broken.contains(rule), "{how:?}\n{report}");
        }
        if how == How::Right {
            assert_eq!(broken, [], "{report}");
        }
    }
}

/// Always ready, and ready or not, it calls.
#[derive(Clone)]
struct Impatient<S>(S);

impl<S: Service<Request<probe::Body>>> Service<Request<probe::Body>> for Impatient<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let _ = self.0.poll_ready(cx);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<probe::Body>) -> S::Future {
        self.0.call(request)
    }
}

#[test]
fn a_layer_that_ignores_pending_is_caught() {
    let report = contract::check(Impatient);
    let broken: Vec<_> = report.broken().collect();
    assert!(broken.contains(&Rule::CallWithoutReady), "{report}");
}

#[test]
fn right_layers_keep_every_rule() {
    contract::check(|inner| Identity::new().layer(inner)).assert_kept();
    contract::check(|inner| MapErrLayer::new(BoxError::from).layer(inner)).assert_kept();
}

#[test]
fn a_departure_is_named_and_no_more_than_that() {
    let swallows = || {
        contract::check(|inner| Wrong {
            inner,
            how: How::SwallowsTheError,
            failed: false,
        })
    };
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
        text.contains("NOT BROKEN, although it is said to depart from it: rule 410"),
        "{text}"
    );
}

#[test]
fn a_layer_that_panics_or_stalls_has_broken_what_it_was_asked_for() {
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
    assert_eq!(report.seen(Rule::ServiceError), ["it panicked: not today"]);
}
