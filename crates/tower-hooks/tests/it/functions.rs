//! Functions as hooks.

use std::{
    collections::HashSet,
    future::ready,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
};

use axum::{Router, body::Body, extract::MatchedPath, routing::get};
use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode, header::WWW_AUTHENTICATE, request, response,
};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_hooks::{HooksLayer, OutcomeKind};
use tower_lint::probe::{self, Step, block_on};

use crate::scripted::{Event, Log, Scripted, silent_panic};

fn app() -> probe::App {
    probe::App::new(|seen| {
        let step = if seen.parts.headers.contains_key("x-before") {
            "marked"
        } else {
            "plain"
        };
        Response::new(probe::Body::new([Step::from(step)]))
    })
}

async fn denies(request: &mut request::Parts) -> ControlFlow<Response<Full<Bytes>>> {
    if request.uri.path() != "/secret" {
        return ControlFlow::Continue(());
    }
    let mut response = Response::new(Full::from("no"));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let challenge = HeaderValue::from_static("Basic realm=\"x\", Bearer");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    ControlFlow::Break(response)
}

#[test]
fn hooks_9_functions_and_closures_are_hooks() {
    let service = HooksLayer::new()
        .after(async |response: &mut response::Parts| {
            response
                .headers
                .insert("x-after", HeaderValue::from_static("1"));
        })
        .before(denies)
        .before(async |request: &mut request::Parts| {
            request
                .headers
                .insert("x-before", HeaderValue::from_static("1"));
            ControlFlow::Continue(())
        })
        .layer(app());
    let call = |path| {
        let request = Request::get(path).body(probe::Body::default()).unwrap();
        let response = block_on(service.clone().oneshot(request)).unwrap().unwrap();
        let (head, body) = response.into_parts();
        (head, block_on(body.collect()).unwrap().unwrap().to_bytes())
    };

    let (head, body) = call("/");
    assert_eq!((head.status, &*body), (StatusCode::OK, &b"marked"[..]));
    assert_eq!(head.headers["x-after"], "1");

    // A hook's response stays as it is, except for what the hooks before it do.
    let (head, body) = call("/secret");
    assert_eq!(
        (head.status, &*body),
        (StatusCode::UNAUTHORIZED, &b"no"[..])
    );
    assert_eq!(head.headers[WWW_AUTHENTICATE], "Basic realm=\"x\", Bearer");
    assert_eq!(head.headers["x-after"], "1");
    assert_eq!(head.headers.len(), 2);
}

#[test]
fn hooks_9_an_async_closure_uses_what_it_captures() {
    let keys = Arc::new(HashSet::from(["one", "two"]));
    let (seen, log) = mpsc::channel();
    let server = HeaderValue::from_static("mine");
    let layer = HooksLayer::new()
        .after(async move |response: &mut response::Parts| {
            tokio::task::yield_now().await;
            response.headers.insert("server", server);
        })
        .before(async move |request: &mut request::Parts| {
            let key = request.headers.get("x-key").map(HeaderValue::as_bytes);
            let key = key.and_then(|key| str::from_utf8(key).ok());
            tokio::task::yield_now().await;
            if key.is_some_and(|key| keys.contains(key)) {
                seen.send(request.uri.path().to_owned()).unwrap();
                return ControlFlow::Continue(());
            }
            let mut response = Response::new("Who are you?".into());
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            ControlFlow::Break(response)
        });
    let service = layer.layer(app());
    for (key, status) in [("one", 200), ("two", 200), ("six", 401)] {
        let request = Request::get("/path").header("x-key", key);
        let request = request.body(probe::Body::default()).unwrap();
        let response = block_on(service.clone().oneshot(request)).unwrap().unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["server"], "mine");
    }
    assert_eq!(log.try_iter().collect::<Vec<_>>(), ["/path"; 2]);
}

/// Without the word `async`, for types that are no `Clone`, and where the closure needs a name.
#[test]
fn hooks_9_a_closure_may_return_a_future() {
    let key = String::from("key");
    let closes = move |request: &mut request::Parts| {
        let is_closed = request.uri.path() == key;
        ready(match is_closed {
            true => ControlFlow::Break(Response::default()),
            false => ControlFlow::Continue(()),
        })
    };
    let service = HooksLayer::new().before(closes).layer(app());
    let request = Request::<probe::Body>::default();
    let response = block_on(service.oneshot(request)).unwrap().unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn hooks_8_in_axum_a_hook_sees_the_route() {
    let hooks = HooksLayer::new()
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(pass)
        .before(async |request: &mut request::Parts| {
            let path = request.extensions.get::<MatchedPath>();
            assert_eq!(path.map(MatchedPath::as_str), Some("/hello/{name}"));
            ControlFlow::Continue(())
        });
    let app = Router::new()
        .route("/hello/{name}", get(async || "hello"))
        .route_layer(hooks);
    let request = Request::get("/hello/John").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[test]
fn hooks_1_two_hundred_hooks_run_in_their_order() {
    let log = Log::default();
    let hooks = (0..200).fold(HooksLayer::new(), |hooks, number| {
        hooks.hook(Scripted {
            number,
            ..Scripted::passing(&log)
        })
    });
    let service = hooks.layer(app());
    let request = Request::<probe::Body>::default();
    let response = block_on(service.oneshot(request)).unwrap().unwrap();
    block_on(response.into_body().collect()).unwrap().unwrap();
    let expected = (0..200)
        .map(Event::Before)
        .chain((0..200).rev().map(Event::After))
        .chain(
            (0..200)
                .rev()
                .map(|n| Event::Finish(n, OutcomeKind::Completed)),
        );
    assert!(log.take().into_iter().eq(expected));
}

/// Returns a function that does not wait, and notes its number.
fn noted(
    log: &Log,
    number: usize,
) -> impl Fn(&mut request::Parts) -> ControlFlow<Response<Full<Bytes>>> + use<> {
    let log = log.clone();
    move |_| {
        log.add(Event::Before(number));
        ControlFlow::Continue(())
    }
}

fn noted_after(log: &Log, number: usize) -> impl Fn(&mut response::Parts) + use<> {
    let log = log.clone();
    move |_| log.add(Event::After(number))
}

fn scripted(log: &Log, number: usize) -> Scripted {
    Scripted {
        number,
        ..Scripted::passing(log)
    }
}

/// Sends a request, and reads the response. Returns its body, or `None` after a panic.
fn send(layer: HooksLayer) -> Option<Bytes> {
    let service = layer.layer(app());
    let sent = catch_unwind(AssertUnwindSafe(|| {
        block_on(async {
            let response = service.oneshot(Request::<probe::Body>::default()).await;
            let body = response.unwrap().into_body();
            body.collect().await.unwrap().to_bytes()
        })
    }));
    sent.ok().map(Result::unwrap)
}

#[test]
fn hooks_9_functions_run_in_order_among_other_hooks() {
    use Event::{After, Before, Finish};
    let log = Log::default();
    let layer = HooksLayer::new()
        .after(noted_after(&log, 1))
        .before(noted(&log, 2))
        .hook(scripted(&log, 3))
        .before(noted(&log, 4))
        .after(noted_after(&log, 5))
        .hook(scripted(&log, 6))
        .before(noted(&log, 7))
        .after(noted_after(&log, 8));
    assert_eq!(send(layer).unwrap(), "plain");
    let befores = [2, 3, 4, 6, 7].map(Before);
    let afters = [8, 6, 5, 3, 1].map(After);
    let finishes = [6, 3].map(|number| Finish(number, OutcomeKind::Completed));
    assert_eq!(log.take(), [&befores[..], &afters, &finishes].concat());
}

#[test]
fn hooks_9_a_function_responds_before_and_after_a_hook() {
    use Event::{After, Before, Finish};
    let responds = |_: &mut request::Parts| ControlFlow::Break(Response::new("hook".into()));
    let log = Log::default();
    let skip = |layer: HooksLayer, skips| match skips {
        true => layer.skip_after_on_abort(),
        false => layer,
    };
    for skips in [false, true] {
        let afters = |numbers: &[usize]| match skips {
            true => Vec::new(),
            false => numbers.iter().copied().map(After).collect(),
        };
        let first = HooksLayer::new().after(noted_after(&log, 1));
        let layer = first.clone().before(responds).hook(scripted(&log, 2));
        assert_eq!(send(skip(layer, skips)).unwrap(), "hook");
        assert_eq!(log.take(), afters(&[1]));

        let layer = first.hook(scripted(&log, 2)).before(responds);
        let layer = layer.hook(scripted(&log, 3));
        assert_eq!(send(skip(layer, skips)).unwrap(), "hook");
        let finish = vec![Finish(2, OutcomeKind::Aborted)];
        assert_eq!(
            log.take(),
            [vec![Before(2)], afters(&[2, 1]), finish].concat()
        );
    }
}

#[test]
fn hooks_6_a_panic_in_a_function_continues_after_the_others() {
    use Event::{After, Before, Finish};
    let log = Log::default();
    fn before(_: &mut request::Parts) -> ControlFlow<Response<Full<Bytes>>> {
        silent_panic()
    }
    fn after(_: &mut response::Parts) {
        silent_panic();
    }
    // The first one runs in `call`.
    assert_eq!(send(HooksLayer::new().before(before)), None);
    let layer = HooksLayer::new().hook(scripted(&log, 1)).before(before);
    assert_eq!(send(layer), None);
    let finish = Finish(1, OutcomeKind::Panicked);
    assert_eq!(log.take(), [Before(1), finish]);

    let layer = HooksLayer::new()
        .after(noted_after(&log, 0))
        .hook(scripted(&log, 1))
        .after(after)
        .after(noted_after(&log, 2));
    assert_eq!(send(layer), None);
    assert_eq!(
        log.take(),
        [Before(1), After(2), After(1), After(0), finish]
    );
}

async fn pass(_: &mut request::Parts) -> ControlFlow<Response<Full<Bytes>>> {
    ControlFlow::Continue(())
}
