//! Functions as hooks.

use std::{
    collections::HashSet,
    future::ready,
    ops::ControlFlow,
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

use crate::scripted::{Event, Log, Scripted};

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
fn functions_and_closures_are_hooks() {
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

    // What a hook answers goes out as it is, but for what the hooks before it do.
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
fn a_closure_uses_what_it_captures() {
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
fn a_closure_may_return_a_future() {
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
async fn axum_takes_twenty_five_hooks_and_shows_the_route() {
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
fn two_hundred_hooks_run_in_their_order() {
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

async fn pass(_: &mut request::Parts) -> ControlFlow<Response<Full<Bytes>>> {
    ControlFlow::Continue(())
}
