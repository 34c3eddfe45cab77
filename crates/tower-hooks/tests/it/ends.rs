//! How a request ends, and the outcome that the hooks get.

use std::{
    convert::Infallible,
    future::ready,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    request, response,
};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_hooks::{BoxHook, Hook, HookList, Hooks, HooksLayer, Outcome, OutcomeKind, ResponseBody};
use tower_lint::probe::{self, Step, block_on};

use crate::scripted::{Deed, Log, Script, Scripted, silent_panic};

/// Calls `app` through a hook, takes n frames of its body and drops it. Returns the outcomes by
/// then, and those after it.
fn outcomes(
    method: Method,
    app: probe::App,
    script: Script,
    frames: usize,
) -> (Vec<OutcomeKind>, Vec<OutcomeKind>) {
    let log = Log::default();
    let hook = Scripted {
        script,
        ..Scripted::passing(&log)
    };
    let service = HooksLayer::new().hook(hook).layer(app);
    let mut request = Request::<probe::Body>::default();
    *request.method_mut() = method;
    let response = block_on(service.oneshot(request)).unwrap().unwrap();
    let mut body = Box::pin(response.into_body());
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..frames {
        let polled = catch_unwind(AssertUnwindSafe(|| body.as_mut().poll_frame(&mut cx)));
        drop(polled);
    }
    let before = log.finishes();
    drop(body);
    (before, log.finishes())
}

fn app(status: StatusCode, length: Option<u64>, steps: &[Step]) -> probe::App {
    let steps = steps.to_vec();
    probe::App::new(move |_| {
        let mut response = Response::new(probe::Body::new(steps.clone()));
        *response.status_mut() = status;
        if let Some(length) = length {
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        response
    })
}

#[test]
fn hooks_4_the_end_of_a_body_is_known_when_it_is_seen() {
    use OutcomeKind::{Cancelled, Completed, Failed, Panicked};
    let (a, b) = (Step::from("aa"), Step::from("bb"));
    let trailers = Step::Trailers(HeaderMap::new());
    let fails = Step::Fail(probe::Error("body"));
    let table: [(&str, Vec<Step>, usize, &[OutcomeKind], &[OutcomeKind]); 11] = [
        ("empty, never asked", vec![], 0, &[], &[Completed]),
        ("asked for its end", vec![a.clone()], 2, &[Completed], &[]),
        (
            "all of it",
            vec![a.clone(), b.clone()],
            2,
            &[],
            &[Completed],
        ),
        ("half", vec![a.clone(), b.clone()], 1, &[], &[Cancelled]),
        ("nothing", vec![a.clone()], 0, &[], &[Cancelled]),
        (
            "waiting",
            vec![Step::Yield, a.clone()],
            1,
            &[],
            &[Cancelled],
        ),
        (
            "with trailers",
            vec![a.clone(), trailers.clone()],
            2,
            &[],
            &[Completed],
        ),
        (
            "without its trailers",
            vec![a.clone(), trailers],
            1,
            &[],
            &[Cancelled],
        ),
        ("failed", vec![a.clone(), fails.clone()], 2, &[Failed], &[]),
        (
            "before it fails",
            vec![a.clone(), fails],
            1,
            &[],
            &[Cancelled],
        ),
        (
            "panicked",
            vec![a, Step::Panic("body")],
            2,
            &[Panicked],
            &[],
        ),
    ];
    for (name, steps, frames, before, after) in table {
        let app = app(StatusCode::OK, None, &steps);
        let (seen_before, seen_after) = outcomes(Method::GET, app, Script::PASSES, frames);
        assert_eq!((&*seen_before, &*seen_after), (before, after), "{name}");
    }
}

#[test]
fn hooks_4_a_response_without_content_is_whole_unpolled() {
    let table = [
        (Method::GET, StatusCode::OK, false),
        (Method::HEAD, StatusCode::OK, true),
        (Method::HEAD, StatusCode::NOT_FOUND, true),
        (Method::CONNECT, StatusCode::OK, true),
        (Method::CONNECT, StatusCode::FORBIDDEN, false),
        (Method::GET, StatusCode::SWITCHING_PROTOCOLS, true),
        (Method::GET, StatusCode::NO_CONTENT, true),
        (Method::GET, StatusCode::NOT_MODIFIED, true),
        (Method::GET, StatusCode::NOT_FOUND, false),
    ];
    for (method, status, whole) in table {
        let app = app(status, None, &[Step::from("data")]);
        let (before, after) = outcomes(method.clone(), app, Script::PASSES, 0);
        let outcome = if whole {
            OutcomeKind::Completed
        } else {
            OutcomeKind::Cancelled
        };
        assert_eq!(
            (before, after),
            (vec![], vec![outcome]),
            "{method} {status}"
        );
    }
}

#[test]
fn hooks_4_a_body_is_whole_when_all_bytes_were_read() {
    // Neither of these bodies says before it is asked that this was its end.
    let steps = [Step::from("ab"), Step::from("cd")];
    for (length, hint, taken, outcome) in [
        (Some(4), None, 2, OutcomeKind::Completed),
        (Some(4), None, 1, OutcomeKind::Cancelled),
        (None, Some(4), 2, OutcomeKind::Completed),
        (None, Some(4), 1, OutcomeKind::Cancelled),
        (None, None, 2, OutcomeKind::Cancelled),
    ] {
        let steps = steps.clone();
        let app = probe::App::new(move |_| {
            let hint = hint.map_or_else(SizeHint::default, SizeHint::with_exact);
            let body = probe::Body::new(steps.clone())
                .claim_end(false)
                .claim_hint(hint);
            let mut response = Response::new(body);
            if let Some(length) = length {
                response.headers_mut().insert(CONTENT_LENGTH, length.into());
            }
            response
        });
        let (before, after) = outcomes(Method::GET, app, Script::PASSES, taken);
        let name = format!("{length:?} {hint:?} {taken}");
        assert_eq!((before, after), (vec![], vec![outcome]), "{name}");
    }
}

#[test]
fn hooks_4_a_body_is_whole_after_its_last_frame() {
    for (taken, outcome) in [(2, OutcomeKind::Completed), (1, OutcomeKind::Cancelled)] {
        let app = probe::App::new(|_| {
            let body = probe::Body::new([Step::from("ab"), Step::from("cd")]);
            Response::new(body.claim_hint(SizeHint::default()))
        });
        let seen = outcomes(Method::GET, app, Script::PASSES, taken);
        assert_eq!(seen, (vec![], vec![outcome]));
    }
}

#[test]
fn hooks_3_a_hook_that_responds_gets_its_own_outcome() {
    let answers = Script {
        before: (0, Deed::Answer),
        ..Script::PASSES
    };
    let never = || probe::App::new(|_| unreachable!("a hook has responded"));
    for (method, frames, outcome) in [
        (Method::GET, 1, OutcomeKind::Aborted),
        (Method::GET, 0, OutcomeKind::Cancelled),
        (Method::HEAD, 0, OutcomeKind::Aborted),
    ] {
        let (before, after) = outcomes(method, never(), answers, frames);
        assert_eq!((before, after), (vec![], vec![outcome]));
    }
    let (before, _) = outcomes(Method::GET, never(), answers, 2);
    assert_eq!(before, [OutcomeKind::Aborted]);
}

/// Answers with its text and this status.
struct Answers(StatusCode);

impl Hook for Answers {
    type State = ();

    async fn before(
        &self,
        (): &mut (),
        _: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        let mut response = Response::new(Full::from("text"));
        *response.status_mut() = self.0;
        ControlFlow::Break(response)
    }
}

#[test]
fn hooks_10_a_response_to_head_has_a_length_and_no_body() {
    for (status, length) in [
        (StatusCode::OK, Some("4")),
        (StatusCode::NOT_FOUND, Some("4")),
        (StatusCode::NO_CONTENT, None),
        (StatusCode::NOT_MODIFIED, None),
    ] {
        let app = probe::App::new(|_| unreachable!("a hook has responded"));
        let service = HooksLayer::new().hook(Answers(status)).layer(app);
        let request = Request::head("/").body(probe::Body::default()).unwrap();
        let response = block_on(service.oneshot(request)).unwrap().unwrap();
        let seen = response.headers().get(CONTENT_LENGTH);
        assert_eq!(
            seen.map(|length| length.to_str().unwrap()),
            length,
            "{status}"
        );
        assert!(response.body().is_end_stream());
        assert_eq!(response.body().size_hint().exact(), Some(0));
    }
}

/// RFC 9110, section 6.4.1, and 9.3.6 for CONNECT.
#[test]
fn hooks_10_a_hooks_response_has_a_body_only_with_content() {
    let table = [
        (Method::GET, 200, None, 4),
        (Method::GET, 401, None, 4),
        (Method::POST, 503, None, 4),
        (Method::GET, 101, None, 0),
        (Method::GET, 204, None, 0),
        (Method::GET, 205, None, 0),
        (Method::GET, 304, None, 0),
        (Method::CONNECT, 200, None, 0),
        (Method::CONNECT, 403, None, 4),
        (Method::HEAD, 101, None, 0),
        (Method::HEAD, 200, Some("4"), 0),
        (Method::HEAD, 204, None, 0),
        (Method::HEAD, 304, None, 0),
        (Method::HEAD, 401, Some("4"), 0),
    ];
    for (method, status, header, body) in table {
        let status = StatusCode::from_u16(status).unwrap();
        let app = probe::App::new(|_| unreachable!("a hook has responded"));
        let service = HooksLayer::new().hook(Answers(status)).layer(app);
        let mut request = Request::<probe::Body>::default();
        *request.method_mut() = method.clone();
        let response = block_on(service.oneshot(request)).unwrap().unwrap();
        let name = format!("{method} {status}");
        assert_eq!(response.status(), status, "{name}");
        let length = response.headers().get(CONTENT_LENGTH);
        let length = length.map(|length| length.to_str().unwrap());
        assert_eq!(length, header, "{name}");
        let hint = response.body().size_hint();
        assert_eq!(hint.exact(), Some(body), "{name}");
    }
}

/// States the length of its body itself, in these headers.
struct Says(&'static [(HeaderName, &'static str)]);

impl Hook for Says {
    type State = ();

    async fn before(
        &self,
        (): &mut (),
        _: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        let mut response = Response::new(Full::from("text"));
        for (name, value) in self.0 {
            let value = HeaderValue::from_static(value);
            response.headers_mut().append(name, value);
        }
        ControlFlow::Break(response)
    }
}

#[test]
fn hooks_10_a_response_to_head_keeps_the_hooks_length() {
    let table: [(&[_], &[&str]); 3] = [
        (&[(CONTENT_LENGTH, "9")], &["9"]),
        (&[(CONTENT_LENGTH, "9"), (CONTENT_LENGTH, "9")], &["9", "9"]),
        (&[(TRANSFER_ENCODING, "chunked")], &[]),
    ];
    for (headers, lengths) in table {
        let app = probe::App::new(|_| unreachable!("a hook has responded"));
        let service = HooksLayer::new().hook(Says(headers)).layer(app);
        let request = Request::head("/").body(probe::Body::default()).unwrap();
        let response = block_on(service.oneshot(request)).unwrap().unwrap();
        let seen = response.headers().get_all(CONTENT_LENGTH);
        assert!(seen.iter().eq(lengths), "{headers:?}");
    }
}

#[test]
fn hooks_3_an_error_or_a_drop_finishes_at_once() {
    let log = Log::default();
    let layer = HooksLayer::new().hook(Scripted::passing(&log));
    let failing = probe::App::new(|_| Response::default()).fails(probe::Error("app"));
    let result = block_on(
        layer
            .layer(failing)
            .oneshot(Request::<probe::Body>::default()),
    )
    .unwrap();
    assert_eq!(result.unwrap_err(), probe::Error("app"));
    assert_eq!(log.finishes(), [OutcomeKind::Failed]);

    let slow = probe::App::new(|_| Response::default()).yields(1);
    let mut service = layer.layer(slow);
    let service: &mut dyn Service<Request<probe::Body>, Response = _, Error = _, Future = _> =
        &mut service;
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    let mut future = Box::pin(service.call(Request::<probe::Body>::default()));
    assert!(future.as_mut().poll(&mut cx).is_pending());
    assert_eq!(log.finishes(), []);
    drop(future);
    assert_eq!(log.finishes(), [OutcomeKind::Cancelled]);

    // Without a poll, no hook is entered.
    assert!(service.poll_ready(&mut cx).is_ready());
    drop(service.call(Request::<probe::Body>::default()));
    assert_eq!(log.take(), []);
}

/// Panics in `finish`, loudly.
struct Bomb;

impl Hook for Bomb {
    type State = ();

    fn finish(&self, (): (), _: Outcome) {
        panic!("in finish");
    }
}

#[test]
fn hooks_6_a_panic_in_finish_ends_there_also_unwinding() {
    let log = Log::default();
    let layer = HooksLayer::new()
        .hook(Scripted::passing(&log))
        .hook(Bomb)
        .hook(Scripted::passing(&log));
    let panics = probe::App::new(|_| silent_panic());
    let service = layer.layer(panics);
    let result = catch_unwind(AssertUnwindSafe(|| {
        block_on(service.oneshot(Request::<probe::Body>::default()))
    }));
    assert!(result.is_err());
    assert_eq!(log.finishes(), [OutcomeKind::Panicked; 2]);

    let fine = probe::App::new(|_| Response::new(probe::Body::new([Step::from("data")])));
    let response = block_on(layer.layer(fine).oneshot(Request::<probe::Body>::default()))
        .unwrap()
        .unwrap();
    let mut body = pin!(response.into_body());
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(_)) = body.as_mut().poll_frame(&mut cx) {}
    assert_eq!(log.finishes(), [OutcomeKind::Completed; 2]);
}

/// Panics with something that panics when it is dropped.
struct Mines;

struct Mine;

impl Drop for Mine {
    fn drop(&mut self) {
        silent_panic();
    }
}

impl Hook for Mines {
    type State = ();

    async fn after(&self, (): &mut (), _: &mut response::Parts) {
        resume_unwind(Box::new(Mine));
    }

    fn finish(&self, (): (), _: Outcome) {
        resume_unwind(Box::new(Mine));
    }
}

#[test]
fn hooks_6_the_payload_of_a_panic_may_panic_in_drop() {
    let log = Log::default();
    let layer = HooksLayer::new()
        .hook(Scripted::passing(&log))
        .hook(Mines)
        .hook(Scripted {
            script: Script {
                after: (0, Deed::Panic),
                ..Script::PASSES
            },
            ..Scripted::passing(&log)
        });
    let app = probe::App::new(|_| Response::new(probe::Body::default()));
    let service = layer.layer(app);
    let request = Request::<probe::Body>::default();
    let result = catch_unwind(AssertUnwindSafe(|| block_on(service.oneshot(request))));
    // The first panic is the one that goes on.
    assert_eq!(*result.unwrap_err().downcast::<&str>().unwrap(), "silent");
    assert_eq!(log.finishes(), [OutcomeKind::Panicked; 2]);
}

#[test]
fn hooks_6_a_body_dropped_while_unwinding_is_a_panic() {
    let log = Log::default();
    let layer = HooksLayer::new().hook(Scripted::passing(&log));
    for (status, steps) in [
        (StatusCode::OK, vec![Step::from("data")]),
        (StatusCode::OK, vec![]),
        (StatusCode::NO_CONTENT, vec![]),
    ] {
        let app = app(status, None, &steps);
        let request = Request::<probe::Body>::default();
        let response = block_on(layer.layer(app).oneshot(request))
            .unwrap()
            .unwrap();
        let unwinding = catch_unwind(AssertUnwindSafe(|| {
            let _body: ResponseBody<_> = response.into_body();
            silent_panic();
        }));
        assert!(unwinding.is_err());
        assert_eq!(log.finishes(), [OutcomeKind::Panicked]);
    }
}

#[test]
fn hooks_6_a_body_that_panics_finishes_at_once_and_once() {
    let log = Log::default();
    let layer = HooksLayer::new().hook(Scripted::passing(&log));
    let steps = [Step::Panic("body"), Step::from("after it")];
    let request = Request::<probe::Body>::default();
    let service = layer.layer(app(StatusCode::OK, None, &steps));
    let response = block_on(service.oneshot(request)).unwrap().unwrap();
    let mut body = Box::pin(response.into_body());
    let mut cx = Context::from_waker(Waker::noop());
    let polled = catch_unwind(AssertUnwindSafe(|| body.as_mut().poll_frame(&mut cx)));
    assert!(polled.is_err());
    assert_eq!(log.finishes(), [OutcomeKind::Panicked]);
    while let Poll::Ready(Some(_)) = body.as_mut().poll_frame(&mut cx) {}
    drop(body);
    assert_eq!(log.finishes(), []);
}

/// Nothing comes, and at some time it says that this was its end.
struct Quiet(Arc<AtomicBool>);

impl http_body::Body for Quiet {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn hooks_4_a_body_is_whole_once_it_reports_its_end() {
    let log = Log::default();
    for (asks, outcome) in [
        (true, OutcomeKind::Completed),
        (false, OutcomeKind::Cancelled),
    ] {
        let ended = Arc::new(AtomicBool::new(false));
        let end = ended.clone();
        let app = service_fn(move |_: Request<()>| {
            ready(Ok::<_, Infallible>(Response::new(Quiet(end.clone()))))
        });
        let layer = HooksLayer::new().hook(Scripted::passing(&log));
        let response = block_on(layer.layer(app).oneshot(Request::new(())))
            .unwrap()
            .unwrap();
        ended.store(true, Ordering::Relaxed);
        if asks {
            assert!(response.body().is_end_stream());
        }
        drop(response);
        assert_eq!(log.finishes(), [outcome]);
    }
}

/// Trailers end a body that neither knows its length nor reports its end.
#[test]
fn hooks_4_a_body_taken_with_its_trailers_is_whole() {
    for (frames, outcome) in [(1, OutcomeKind::Cancelled), (2, OutcomeKind::Completed)] {
        let app = probe::App::new(|_| {
            let steps = [Step::from("data"), Step::Trailers(HeaderMap::new())];
            let body = probe::Body::new(steps).claim_end(false);
            Response::new(body.claim_hint(SizeHint::default()))
        });
        let seen = outcomes(Method::GET, app, Script::PASSES, frames);
        assert_eq!(seen, (vec![], vec![outcome]), "{frames}");
    }
}

/// Lines of Content-Length that differ do not count.
#[test]
fn hooks_4_lines_of_content_length_count_if_they_are_equal() {
    let table: [(&[&'static str], OutcomeKind); 5] = [
        (&["4", "4"], OutcomeKind::Completed),
        (&["4", "5"], OutcomeKind::Cancelled),
        (&["5", "4"], OutcomeKind::Cancelled),
        (&["4", "x"], OutcomeKind::Cancelled),
        (&["5", "5"], OutcomeKind::Cancelled),
    ];
    for (lengths, outcome) in table {
        let app = probe::App::new(move |_| {
            let body = probe::Body::new([Step::from("data")]).claim_end(false);
            let mut response = Response::new(body.claim_hint(SizeHint::default()));
            for length in lengths {
                let length = HeaderValue::from_static(length);
                response.headers_mut().append(CONTENT_LENGTH, length);
            }
            response
        });
        let seen = outcomes(Method::GET, app, Script::PASSES, 1);
        assert_eq!(seen, (vec![], vec![outcome]), "{lengths:?}");
    }
}

#[test]
fn hooks_4_a_content_length_is_digits() {
    for (length, outcome) in [
        ("4", OutcomeKind::Completed),
        ("+4", OutcomeKind::Cancelled),
        ("4, 4", OutcomeKind::Cancelled),
    ] {
        let app = probe::App::new(move |_| {
            let body = probe::Body::new([Step::from("data")]).claim_end(false);
            let mut response = Response::new(body.claim_hint(SizeHint::default()));
            let length = HeaderValue::from_static(length);
            response.headers_mut().insert(CONTENT_LENGTH, length);
            response
        });
        let seen = outcomes(Method::GET, app, Script::PASSES, 1);
        assert_eq!(seen, (vec![], vec![outcome]), "{length}");
    }
}

#[test]
fn hooks_6_a_panic_that_waits_counts_when_it_is_dropped() {
    let log = Log::default();
    let waits = Script {
        after: (1, Deed::Pass),
        ..Script::PASSES
    };
    let layer = HooksLayer::new()
        .hook(Scripted {
            script: waits,
            ..Scripted::passing(&log)
        })
        .hook(Mines);
    for unwinding in [false, true] {
        let app = app(StatusCode::OK, None, &[]);
        let mut future = Box::pin(layer.layer(app).oneshot(Request::<probe::Body>::default()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut cx).is_pending());
        let dropped = catch_unwind(AssertUnwindSafe(|| {
            let _future = future;
            if unwinding {
                silent_panic();
            }
        }));
        assert_eq!(dropped.is_err(), unwinding);
        assert_eq!(log.finishes(), [OutcomeKind::Panicked]);
    }
}

/// A state, and a hook, that cannot be dropped quietly.
#[derive(Default)]
struct Fused;

impl Drop for Fused {
    fn drop(&mut self) {
        silent_panic();
    }
}

struct Holds(#[allow(dead_code, reason = "dropped")] Fused);

impl Hook for Holds {
    type State = Option<Fused>;

    async fn before(
        &self,
        state: &mut Self::State,
        _: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        *state = Some(Fused);
        ControlFlow::Continue(())
    }
}

#[test]
fn hooks_6_states_and_hooks_may_panic_when_dropped() {
    let log = Log::default();
    let list = HookList::from_iter([
        BoxHook::new(Scripted::passing(&log)),
        BoxHook::new(Holds(Fused)),
    ]);
    let app = probe::App::new(|_| silent_panic()).yields(1);
    let service = HooksLayer::list(list.clone()).layer(app);
    let mut future = Box::pin(service.oneshot(Request::<probe::Body>::default()));
    let mut cx = Context::from_waker(Waker::noop());
    let mut poll = || {
        catch_unwind(AssertUnwindSafe(|| {
            future.as_mut().poll(&mut cx).is_ready()
        }))
    };
    assert!(!poll().unwrap_or(true) || poll().is_err());
    // The request is the last to hold them.
    list.set([]);
    while let Ok(false) = poll() {}
    assert_eq!(log.finishes(), [OutcomeKind::Panicked]);
}

struct Bursts(#[allow(dead_code, reason = "dropped")] Fused);

impl Hook for Bursts {
    type State = ();
}

fn bursting() -> [BoxHook; 3] {
    [(); 3].map(|()| BoxHook::new(Bursts(Fused)))
}

/// They were dropped together, so the second panic aborted the process.
#[test]
fn hooks_6_several_hooks_may_panic_when_dropped() {
    let app = || app(StatusCode::OK, None, &[]);
    let called = |service: &mut Hooks<probe::App>| {
        let request = Request::<probe::Body>::default();
        let ready = ServiceExt::<Request<probe::Body>>::ready(service);
        block_on(ready).unwrap().unwrap().call(request)
    };

    // The list holds them.
    let list = HookList::from_iter(bursting());
    list.set([]);
    list.set(bursting());
    drop(list);

    // A future that was not polled.
    let list = HookList::from_iter(bursting());
    let mut service = HooksLayer::list(list.clone()).layer(app());
    let future = called(&mut service);
    list.set([]);
    drop(future);

    // One that was polled to its end.
    list.set(bursting());
    let future = called(&mut service);
    list.set([]);
    assert!(block_on(future).is_ok());

    // A layer and its service.
    let [one, two, three] = bursting();
    let layer = HooksLayer::new().hook(one).hook(two).hook(three);
    let service = layer.layer(app());
    drop(layer);
    drop(service);
}

/// Its state cannot be made.
#[derive(Debug)]
struct Never;

impl Default for Never {
    fn default() -> Self {
        silent_panic();
    }
}

struct Stateless;

impl Hook for Stateless {
    type State = Never;
}

#[test]
fn hooks_6_a_state_that_panics_in_default_is_a_panic() {
    let log = Log::default();
    let layer = HooksLayer::new()
        .hook(Scripted::passing(&log))
        .hook(Stateless)
        .hook(Scripted::passing(&log));
    let service = layer.layer(app(StatusCode::OK, None, &[]));
    let request = Request::<probe::Body>::default();
    let result = catch_unwind(AssertUnwindSafe(|| block_on(service.oneshot(request))));
    assert!(result.is_err());
    assert_eq!(log.finishes(), [OutcomeKind::Panicked]);
}
