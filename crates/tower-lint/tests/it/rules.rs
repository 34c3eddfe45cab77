//! Each rule of `LintLayer`, broken and kept.

use std::{
    convert::Infallible,
    future::ready,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body::{Body as _, Frame, SizeHint};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_lint::{
    LintLayer, Rule,
    probe::{App, Body, Error, Step, block_on},
};

/// Returns the rules that are reported while `run` uses the layer.
fn reported(run: impl FnOnce(LintLayer)) -> Vec<Rule> {
    let rules: Arc<Mutex<Vec<Rule>>> = Arc::default();
    let keeps = rules.clone();
    run(LintLayer::new().report(move |violation| keeps.lock().unwrap().push(violation.rule)));
    let rules = rules.lock().unwrap();
    rules.clone()
}

fn app() -> App {
    App::new(|_| Response::new(Body::default())).lenient()
}

fn noop() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn request() -> Request<Body> {
    Request::new(Body::default())
}

#[test]
fn lint_101_a_call_without_ready() {
    let broken = reported(|lint| drop(lint.layer(app()).call(request())));
    assert_eq!(broken, [Rule::CallWithoutReady]);
    let of_a_clone = reported(|lint| {
        let mut service = lint.layer(app());
        assert!(Service::<Request<Body>>::poll_ready(&mut service, &mut noop()).is_ready());
        drop(service.clone().call(request()));
    });
    assert_eq!(of_a_clone, [Rule::CallWithoutReady]);
    let kept = reported(|lint| {
        block_on(lint.layer(app()).oneshot(request()))
            .unwrap()
            .unwrap();
    });
    assert_eq!(kept, []);
}

#[test]
fn lint_102_two_calls_on_one_readiness() {
    let calls = |ready_again: bool| {
        reported(|lint| {
            let mut service = lint.layer(app());
            let make_ready = |service: &mut _| {
                assert!(Service::<Request<Body>>::poll_ready(service, &mut noop()).is_ready());
            };
            make_ready(&mut service);
            drop(service.call(request()));
            if ready_again {
                make_ready(&mut service);
            }
            drop(service.call(request()));
        })
    };
    assert_eq!(calls(false), [Rule::CallTwiceOnOneReady]);
    assert_eq!(calls(true), []);
}

/// A service whose future returns a response at every poll.
struct Again;

impl Service<Request<Body>> for Again {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Always;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Always {
        Always
    }
}

struct Always;

impl Future for Always {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(Response::new(Body::default())))
    }
}

#[test]
fn lint_103_a_future_polled_after_it_was_done() {
    let polls = |times: usize| {
        reported(|lint| {
            let mut service = lint.layer(Again);
            assert!(service.poll_ready(&mut noop()).is_ready());
            let mut future = pin!(service.call(request()));
            for _ in 0..times {
                assert!(future.as_mut().poll(&mut noop()).is_ready());
            }
        })
    };
    assert_eq!(polls(2), [Rule::FuturePolledAfterDone]);
    assert_eq!(polls(1), []);
}

#[test]
fn lint_104_a_service_used_after_it_had_failed() {
    let used = |again: bool| {
        reported(|lint| {
            let mut service = lint.layer(app().fails_ready(Error("no")));
            for _ in 0..1 + usize::from(again) {
                let ready = Service::<Request<Body>>::poll_ready(&mut service, &mut noop());
                assert_eq!(ready, Poll::Ready(Err(Error("no"))));
            }
            if again {
                drop(service.call(request()));
            }
        })
    };
    assert_eq!(used(true), [Rule::UsedAfterFailed; 2]);
    assert_eq!(used(false), []);
}

/// Sends a request and reads the body, and reads on after an error if `reads_on`. Returns the rules
/// that are reported.
fn broken_by<B>(
    method: Method,
    version: Version,
    response: Response<B>,
    reads_on: bool,
) -> Vec<Rule>
where
    B: http_body::Body<Data = Bytes, Error = Error> + Send + 'static,
{
    reported(|lint| {
        let mut response = Some(response);
        let service = lint.layer(service_fn(move |_: Request<()>| {
            let response = response.take().unwrap();
            ready(Ok::<_, Infallible>(response))
        }));
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.version_mut() = version;
        block_on(async {
            let mut body = pin!(service.oneshot(request).await.unwrap().into_body());
            loop {
                match std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
                    Some(Ok(_)) => {}
                    Some(Err(_)) if reads_on => {}
                    Some(Err(_)) => break,
                    None => {
                        // A poll after the end breaks no rule.
                        let again = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
                        if again.is_none() {
                            break;
                        }
                    }
                }
            }
        })
        .unwrap();
    })
}

fn of_body(body: Body) -> Vec<Rule> {
    broken_by(Method::GET, Version::HTTP_11, Response::new(body), false)
}

#[test]
fn lint_201_a_body_polled_after_it_had_failed() {
    let body = || Response::new(Body::new(["one".into(), Step::Fail(Error("no"))]));
    let reads = |on| broken_by(Method::GET, Version::HTTP_11, body(), on);
    assert_eq!(reads(true), [Rule::BodyPolledAfterEnd]);
    assert_eq!(reads(false), []);
}

/// A body that ends before each frame.
struct Restless(usize);

impl http_body::Body for Restless {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.0 += 1;
        Poll::Ready((self.0 == 2).then(|| Ok(Frame::data(Bytes::from_static(b"more")))))
    }
}

#[test]
fn lint_202_a_frame_after_the_end() {
    let broken = broken_by(
        Method::GET,
        Version::HTTP_11,
        Response::new(Restless(0)),
        false,
    );
    assert_eq!(broken, [Rule::FrameAfterEnd]);
    let kept = broken_by(
        Method::GET,
        Version::HTTP_11,
        Response::new(Restless(2)),
        false,
    );
    assert_eq!(kept, []);
}

/// A body without content. After its end it has the result of this function.
struct Ends(bool, fn() -> Poll<Option<Result<Frame<Bytes>, Error>>>);

impl http_body::Body for Ends {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match std::mem::replace(&mut self.0, true) {
            true => (self.1)(),
            false => Poll::Ready(None),
        }
    }
}

#[test]
fn lint_202_a_body_that_does_not_report_its_end_again() {
    let polled_twice = |after: fn() -> Poll<Option<Result<Frame<Bytes>, Error>>>| {
        reported(|lint| {
            let respond = |_| ready(Ok::<_, Infallible>(Response::new(Ends(false, after))));
            let service = lint.layer(service_fn(respond));
            let response = block_on(service.oneshot(request())).unwrap().unwrap();
            let mut body = response.into_body();
            for _ in 0..2 {
                let poll = || Pin::new(&mut body).poll_frame(&mut noop()).is_ready();
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(poll));
            }
        })
    };
    assert_eq!(polled_twice(|| Poll::Pending), [Rule::FrameAfterEnd]);
    let failed = polled_twice(|| Poll::Ready(Some(Err(Error("no")))));
    assert_eq!(failed, [Rule::FrameAfterEnd]);
    assert_eq!(polled_twice(|| panic!("again")), [Rule::FrameAfterEnd]);
    assert_eq!(polled_twice(|| Poll::Ready(None)), []);
}

/// A body that sets the lower and then the upper bound of its size hint.
struct Hinting([u64; 2]);

impl http_body::Body for Hinting {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(self.0[0]);
        hint.set_upper(self.0[1]);
        hint
    }
}

#[test]
fn lint_203_a_lower_bound_above_the_upper_one() {
    let of = |hint| {
        broken_by(
            Method::GET,
            Version::HTTP_11,
            Response::new(Hinting(hint)),
            false,
        )
    };
    assert!(of([3, 2]).contains(&Rule::SizeHintOrder));
    assert_eq!(of([0, 2]), []);
}

#[test]
fn lint_204_a_size_hint_that_the_bytes_contradict() {
    let hint = |lower, upper| {
        let mut hint = SizeHint::new();
        hint.set_lower(lower);
        hint.set_upper(upper);
        hint
    };
    let body = || Body::new(["four".into(), Step::Yield]);
    assert_eq!(
        of_body(body().claim_hint(hint(0, 3))),
        [Rule::SizeHintWrong]
    );
    assert_eq!(
        of_body(Body::new([]).claim_end(false).claim_hint(hint(5, 9))),
        [Rule::SizeHintWrong]
    );
    assert_eq!(of_body(body().claim_hint(hint(0, 9))), []);
    assert_eq!(of_body(body()), []);
}

/// A body that is pending once, and then has four bytes. Its size hint changes at each poll.
struct Changes {
    polls: usize,
    hints: [(u64, Option<u64>); 4],
}

impl http_body::Body for Changes {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.polls += 1;
        match self.polls {
            1 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            2 => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"four"))))),
            _ => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let (lower, upper) = self.hints[self.polls.min(3)];
        let mut hint = SizeHint::new();
        if let Some(upper) = upper {
            hint.set_upper(upper);
        }
        hint.set_lower(lower);
        hint
    }
}

#[test]
fn lint_204_a_size_hint_between_two_polls_counts() {
    let of = |hints| {
        let response = Response::new(Changes { polls: 0, hints });
        broken_by(Method::GET, Version::HTTP_11, response, false)
    };
    let end = (0, Some(0));
    let less = [(0, Some(9)), (0, Some(3)), end, end];
    assert_eq!(of(less), [Rule::SizeHintWrong]);
    // A later hint does not cancel an earlier one.
    let promised = [(5, None), (0, None), end, end];
    assert_eq!(of(promised), [Rule::SizeHintWrong]);
    let true_all_along = [(0, None), (2, Some(9)), end, end];
    assert_eq!(of(true_all_along), []);
}

#[test]
fn lint_302_an_empty_frame_is_not_content() {
    let mut response = Response::new(Body::new(["".into(), Step::Yield]));
    *response.status_mut() = http::StatusCode::NO_CONTENT;
    let broken = broken_by(Method::GET, Version::HTTP_11, response, false);
    assert_eq!(broken, []);
}

#[test]
fn lint_205_a_frame_after_is_end_stream() {
    let body = || Body::new(["one".into(), Step::Trailers(HeaderMap::new())]);
    assert_eq!(of_body(body().claim_end(true)), [Rule::EndStreamWrong; 2]);
    assert_eq!(of_body(body().claim_end(false)), []);
    assert_eq!(of_body(body()), []);
}

#[test]
fn lint_206_a_frame_after_trailers() {
    let trailers = || Step::Trailers(HeaderMap::new());
    assert_eq!(
        of_body(Body::new([trailers(), "one".into()])),
        [Rule::FrameAfterTrailers]
    );
    assert_eq!(
        of_body(Body::new([trailers(), trailers()])),
        [Rule::FrameAfterTrailers]
    );
    assert_eq!(of_body(Body::new(["one".into(), trailers()])), []);
}

type Head<'a> = (Method, Version, u16, &'a [(&'a str, &'a str)]);

/// Returns the rules that a response with this head and body breaks.
fn of_head((method, version, status, headers): Head<'_>, body: &'static str) -> Vec<Rule> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let body = Body::new((!body.is_empty()).then(|| Step::from(body)));
    broken_by(method, version, response.body(body).unwrap(), false)
}

type Row = (Head<'static>, &'static str, &'static [Rule]);

fn heads() -> Vec<Row> {
    use Rule::{
        AllowMissing, BodyNotAllowed, ConnectionHeaders, ContentLengthMalformed,
        ContentLengthWithTransferEncoding, ContentLengthWrong, ContentOfConnect, ContentOfReset,
        ContentRangeMissing, ContentRangeWrong, WwwAuthenticateMissing,
    };
    let (get, head, connect) = (Method::GET, Method::HEAD, Method::CONNECT);
    let (h1, h2) = (Version::HTTP_11, Version::HTTP_2);
    vec![
        (
            (get.clone(), h1, 200, &[("content-length", "4")]),
            "four",
            &[],
        ),
        (
            (get.clone(), h1, 200, &[("content-length", "3")]),
            "four",
            &[ContentLengthWrong],
        ),
        (
            (get.clone(), h1, 200, &[("content-length", "5")]),
            "four",
            &[ContentLengthWrong],
        ),
        (
            (get.clone(), h1, 200, &[("content-length", "4")]),
            "",
            &[ContentLengthWrong],
        ),
        ((head.clone(), h1, 200, &[("content-length", "4")]), "", &[]),
        ((get.clone(), h1, 304, &[("content-length", "4")]), "", &[]),
        (
            (head.clone(), h1, 200, &[]),
            "four",
            &[BodyNotAllowed, BodyNotAllowed],
        ),
        (
            (get.clone(), h1, 100, &[]),
            "four",
            &[BodyNotAllowed, BodyNotAllowed],
        ),
        (
            (get.clone(), h1, 204, &[]),
            "four",
            &[BodyNotAllowed, BodyNotAllowed],
        ),
        (
            (get.clone(), h1, 304, &[]),
            "four",
            &[BodyNotAllowed, BodyNotAllowed],
        ),
        ((get.clone(), h1, 204, &[]), "", &[]),
        (
            (
                get.clone(),
                h1,
                200,
                &[("content-length", "4"), ("transfer-encoding", "chunked")],
            ),
            "four",
            &[ContentLengthWithTransferEncoding],
        ),
        (
            (get.clone(), h1, 200, &[("transfer-encoding", "chunked")]),
            "four",
            &[],
        ),
        (
            (get.clone(), h1, 200, &[("content-length", "four")]),
            "four",
            &[ContentLengthMalformed],
        ),
        (
            (get.clone(), h1, 200, &[("content-length", "+4")]),
            "four",
            &[ContentLengthMalformed],
        ),
        (
            (get.clone(), h1, 200, &[("content-length", "")]),
            "four",
            &[ContentLengthMalformed],
        ),
        (
            (
                get.clone(),
                h1,
                200,
                &[("content-length", "4"), ("content-length", "4")],
            ),
            "four",
            &[ContentLengthMalformed],
        ),
        ((get.clone(), h1, 405, &[]), "four", &[AllowMissing]),
        ((get.clone(), h1, 405, &[("allow", "")]), "four", &[]),
        (
            (get.clone(), h1, 401, &[]),
            "four",
            &[WwwAuthenticateMissing],
        ),
        (
            (get.clone(), h1, 401, &[("www-authenticate", "Basic")]),
            "four",
            &[],
        ),
        ((get.clone(), h1, 206, &[]), "four", &[ContentRangeMissing]),
        (
            (get.clone(), h1, 206, &[("content-range", "bytes 0-3/9")]),
            "four",
            &[],
        ),
        (
            (
                get.clone(),
                h1,
                206,
                &[("content-type", "Multipart/ByteRanges; boundary=x")],
            ),
            "four",
            &[],
        ),
        (
            (get.clone(), h1, 206, &[("content-range", "bytes 0-4/9")]),
            "four",
            &[ContentRangeWrong],
        ),
        (
            (get.clone(), h1, 206, &[("content-range", "bytes 5-7/9")]),
            "four",
            &[ContentRangeWrong],
        ),
        (
            (get.clone(), h1, 206, &[("content-range", "bytes 5-8/*")]),
            "four",
            &[],
        ),
        // Another unit, another status, and a response without content.
        (
            (get.clone(), h1, 206, &[("content-range", "lines 0-8/9")]),
            "four",
            &[],
        ),
        (
            (get.clone(), h1, 416, &[("content-range", "bytes 0-8/9")]),
            "four",
            &[],
        ),
        (
            (head.clone(), h1, 206, &[("content-range", "bytes 0-8/9")]),
            "",
            &[],
        ),
        (
            (get.clone(), h2, 200, &[("connection", "close")]),
            "four",
            &[ConnectionHeaders],
        ),
        (
            (get.clone(), h2, 200, &[("keep-alive", "x")]),
            "four",
            &[ConnectionHeaders],
        ),
        (
            (get.clone(), h2, 200, &[("proxy-connection", "x")]),
            "four",
            &[ConnectionHeaders],
        ),
        (
            (get.clone(), h2, 200, &[("transfer-encoding", "chunked")]),
            "four",
            &[ConnectionHeaders],
        ),
        (
            (get.clone(), h2, 200, &[("upgrade", "x")]),
            "four",
            &[ConnectionHeaders],
        ),
        (
            (
                get.clone(),
                h1,
                200,
                &[("connection", "close"), ("upgrade", "x")],
            ),
            "four",
            &[],
        ),
        (
            (get.clone(), h1, 205, &[]),
            "four",
            &[ContentOfReset, ContentOfReset],
        ),
        (
            (get.clone(), h1, 205, &[("content-length", "4")]),
            "",
            &[ContentLengthWrong],
        ),
        ((get.clone(), h1, 205, &[("content-length", "0")]), "", &[]),
        ((get, h1, 205, &[]), "", &[]),
        ((head, h1, 205, &[("content-length", "4")]), "", &[]),
        (
            (connect.clone(), h1, 200, &[]),
            "four",
            &[ContentOfConnect, ContentOfConnect],
        ),
        (
            (connect.clone(), h1, 299, &[("content-length", "4")]),
            "",
            &[ContentOfConnect],
        ),
        (
            (
                connect.clone(),
                h1,
                204,
                &[("transfer-encoding", "chunked")],
            ),
            "",
            &[ContentOfConnect],
        ),
        ((connect.clone(), h2, 200, &[]), "", &[]),
        ((connect, h1, 403, &[("content-length", "4")]), "four", &[]),
    ]
}

/// Checks the rows that break this rule, or that break none.
fn check(rule: Option<Rule>) {
    let mut rows = 0;
    for (head, body, expected) in heads() {
        if rule.map_or(expected.is_empty(), |rule| expected.contains(&rule)) {
            rows += 1;
            assert_eq!(of_head(head.clone(), body), expected, "{head:?} {body:?}");
        }
    }
    assert!(rows > 0);
}

#[test]
fn a_head_without_a_fault_breaks_no_rule() {
    check(None);
}

#[test]
fn lint_301_content_length_is_the_number_of_bytes() {
    check(Some(Rule::ContentLengthWrong));
}

#[test]
fn lint_302_content_where_none_is_allowed() {
    check(Some(Rule::BodyNotAllowed));
}

#[test]
fn lint_303_content_length_with_transfer_encoding() {
    check(Some(Rule::ContentLengthWithTransferEncoding));
}

#[test]
fn lint_304_a_malformed_content_length() {
    check(Some(Rule::ContentLengthMalformed));
}

#[test]
fn lint_305_a_405_without_allow() {
    check(Some(Rule::AllowMissing));
}

#[test]
fn lint_306_a_401_without_www_authenticate() {
    check(Some(Rule::WwwAuthenticateMissing));
}

#[test]
fn lint_307_a_206_without_content_range() {
    check(Some(Rule::ContentRangeMissing));
}

#[test]
fn lint_308_a_header_about_the_connection_over_http_2() {
    check(Some(Rule::ConnectionHeaders));
}

#[test]
fn lint_309_content_in_a_205() {
    check(Some(Rule::ContentOfReset));
}

#[test]
fn lint_310_content_in_a_2xx_to_connect() {
    check(Some(Rule::ContentOfConnect));
}

#[test]
fn lint_311_a_206_with_another_number_of_bytes_than_its_range() {
    check(Some(Rule::ContentRangeWrong));
}

#[test]
fn lint_2_without_a_report_a_violation_panics() {
    let panicked = std::panic::catch_unwind(|| drop(LintLayer::new().layer(app()).call(request())));
    let text = panicked.unwrap_err();
    assert_eq!(
        text.downcast_ref::<String>().unwrap(),
        "tower-lint, rule 101 (CallWithoutReady): a service is called only after it reported that it is ready \
         (tower_service::Service::call): GET / was sent to an instance that never reported that it is ready"
    );
}

#[test]
fn lint_2_the_lint_changes_nothing() {
    let app = App::new(|_| Response::new(Body::byte_by_byte("abc")));
    let response = block_on(LintLayer::new().layer(app).oneshot(request()))
        .unwrap()
        .unwrap();
    assert_eq!(response.body().size_hint().exact(), Some(3));
    assert!(!response.body().is_end_stream());
    let app = App::new(|_| Response::new(Body::default()));
    let response = block_on(LintLayer::new().layer(app).oneshot(request()));
    assert!(response.unwrap().unwrap().body().is_end_stream());
}
