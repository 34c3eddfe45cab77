//! Conditions and ranges: the requests to the inner service, their number, and the response.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, request};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn, util::ServiceFn};
use tower_body_rewrite::{Prefix, PrefixLayer, Rewrite, RewriteLayer, Rewriter};

type Body = Full<Bytes>;
type ResponseResult = Ready<Result<Response<Body>, Infallible>>;
/// The heads of the requests to the inner service.
type Seen = Arc<Mutex<Vec<request::Parts>>>;

/// The suffixes of its entity tags: with "> ", and with another prefix.
const CURRENT: &str = "~sf57aebc0d1635a34";
const FORMER: &str = "~s0123456789abcdef";

/// Returns a file service with `/text`, `/weak` and `/video`, each `one\ntwo\n` with the entity tag
/// "x". Its 304 has no type, as most do, and no entity tag if the path ends with "untagged".
fn files() -> (
    ServiceFn<impl Fn(Request<Body>) -> ResponseResult + Clone>,
    Seen,
) {
    let seen = Seen::default();
    let log = seen.clone();
    let service = service_fn(move |request: Request<Body>| {
        let (head, _) = request.into_parts();
        let response = file(&head.method, head.uri.path(), &head.headers);
        log.lock().unwrap().push(head);
        ready(Ok(response))
    });
    (service, seen)
}

fn file(method: &Method, path: &str, headers: &HeaderMap) -> Response<Body> {
    let etag = if path.starts_with("/weak") {
        "W/\"x\""
    } else {
        "\"x\""
    };
    let asked_for = |name| headers.get(name).map(|value| value.to_str().unwrap());
    if let Some(known) = asked_for("if-none-match") {
        let known = known.split(", ").any(|known| known == etag || known == "*");
        let get = *method == Method::GET || *method == Method::HEAD;
        let response = match (known, get, path.ends_with("untagged")) {
            (true, false, _) => Some(Response::builder().status(412)),
            (true, true, true) => Some(Response::builder().status(304)),
            (true, true, false) => Some(Response::builder().status(304).header("etag", etag)),
            (false, ..) => None,
        };
        if let Some(response) = response {
            return response.body(Body::default()).unwrap();
        }
    }
    let content_type = if path.starts_with("/video") {
        "video/mp4"
    } else {
        "text/plain"
    };
    // An error page has a type of its own.
    let error_type = match path.ends_with("mistyped") {
        true => "text/html",
        false => "text/plain",
    };
    let response = Response::builder()
        .header("accept-ranges", "bytes")
        .header("etag", etag);
    // A 416 has no type, except if the path ends with "typed".
    let satisfied = matches!(asked_for("range"), None | Some("bytes=4-6"));
    let response = match satisfied {
        true => response.header("content-type", content_type),
        false if path.ends_with("typed") => response.header("content-type", error_type),
        false => response,
    };
    let (response, body) = match asked_for("range") {
        None => (response, "one\ntwo\n"),
        Some("bytes=4-6") => (
            response.status(206).header("content-range", "bytes 4-6/8"),
            "two",
        ),
        Some(_) if path.contains("bare") => (response.status(416), "there is no such part"),
        Some(_) => (
            response.status(416).header("content-range", "bytes */8"),
            "",
        ),
    };
    let body = if *method == Method::HEAD { "" } else { body };
    response.body(body.into()).unwrap()
}

fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::default()).unwrap()
}

/// Returns status, entity tag and body of the response, and the requests to the service.
async fn ask<R: Rewriter + 'static>(
    layer: &RewriteLayer<R>,
    request: Request<Body>,
) -> (u16, String, String, Vec<request::Parts>) {
    let (files, seen) = files();
    let response = layer.layer(files).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let etag = head.headers.get("etag");
    let etag = etag.map_or("", |etag| etag.to_str().unwrap()).to_owned();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.into()).unwrap();
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    (head.status.as_u16(), etag, body, seen)
}

fn prefix() -> RewriteLayer<Prefix> {
    RewriteLayer::new(|_| Some(Prefix::new("> ")))
}

const REWRITTEN: &str = "> one\n> two\n";

#[tokio::test]
async fn body_rewrite_8_a_copy_is_confirmed_until_it_changes() {
    let current = format!("W/\"x{CURRENT}\"");
    let of_weak = current.replace("~s", "~w");
    let former = format!("W/\"x{FORMER}\"");
    let other_file = format!("W/\"y{CURRENT}\"");
    // The path, the client's copies, and the response: status, entity tag, number of requests.
    let table = [
        ("/text", current.clone(), 304, &current, 1, "its own copy"),
        (
            "/weak",
            of_weak.clone(),
            304,
            &of_weak,
            1,
            "one whose inner entity tag is weak",
        ),
        (
            "/text",
            former.clone(),
            200,
            &current,
            2,
            "a copy with another prefix",
        ),
        (
            "/text",
            other_file.clone(),
            200,
            &current,
            1,
            "a copy of the former file",
        ),
        (
            "/text",
            format!("{former}, {current}"),
            304,
            &current,
            1,
            "both",
        ),
        (
            "/text",
            format!("\"y,z\" ,{current}"),
            304,
            &current,
            1,
            "a comma within another",
        ),
        (
            "/text/untagged",
            current.clone(),
            304,
            &String::new(),
            1,
            "a 304 without an entity tag",
        ),
        (
            "/text/untagged",
            format!("{former}, {current}"),
            200,
            &current,
            2,
            "the 304 may be about either copy",
        ),
        (
            "/text/untagged",
            format!("\"y\", {current}"),
            200,
            &current,
            2,
            "the same with a foreign copy",
        ),
    ];
    for (path, known, status, etag, asked, why) in table {
        for method in [Method::GET, Method::HEAD] {
            let request = request(method.clone(), path, &[("if-none-match", &known)]);
            let (got, got_etag, body, seen) = ask(&prefix(), request).await;
            assert_eq!(
                (got, &got_etag, seen.len()),
                (status, etag, asked),
                "{method} {path}: {why}"
            );
            let expected = if status == 200 && method == Method::GET {
                REWRITTEN
            } else {
                ""
            };
            assert_eq!(body, expected, "{method} {path}: {why}");
        }
    }
}

#[tokio::test]
async fn body_rewrite_8_the_service_sees_its_own_entity_tags() {
    let known = format!("W/\"a{CURRENT}\" , \"b\",W/\"x{FORMER}\"");
    let request = request(
        Method::GET,
        "/text",
        &[
            ("if-none-match", &known),
            ("x-kept", "1"),
            ("range", "bytes=4-6"),
        ],
    );
    let (.., seen) = ask(&prefix(), request).await;
    assert_eq!(seen[0].headers["if-none-match"], "\"a\", \"b\", \"x\"");
    assert_eq!(seen[0].headers["range"], "bytes=4-6");
    assert_eq!(seen[1].headers["if-none-match"], known.as_str());
    assert!(!seen[1].headers.contains_key("range"));
    for seen in &seen {
        assert_eq!((&seen.method, seen.uri.path()), (&Method::GET, "/text"));
        assert_eq!(seen.headers["x-kept"], "1");
    }
}

#[tokio::test]
async fn body_rewrite_9_other_types_keep_304_and_ranges() {
    let (status, etag, _, seen) = ask(
        &prefix(),
        request(Method::GET, "/video", &[("if-none-match", "\"x\"")]),
    )
    .await;
    assert_eq!((status, etag.as_str(), seen.len()), (304, "\"x\"", 1));
    let (status, etag, body, seen) = ask(
        &prefix(),
        request(Method::GET, "/video", &[("range", "bytes=4-6")]),
    )
    .await;
    assert_eq!(
        (status, etag.as_str(), body.as_str(), seen.len()),
        (206, "\"x\"", "two", 1)
    );
    let (status, .., seen) = ask(
        &prefix(),
        request(Method::GET, "/video", &[("range", "bytes=9-")]),
    )
    .await;
    // The second response has the type.
    assert_eq!((status, seen.len()), (416, 2));
    // The type of a 416 is that of the error page.
    for path in ["/video/typed", "/text/mistyped"] {
        let typed = request(Method::GET, path, &[("range", "bytes=9-")]);
        let (status, .., seen) = ask(&prefix(), typed).await;
        let expected = if path.starts_with("/text") { 200 } else { 416 };
        assert_eq!((status, seen.len()), (expected, 2), "{path}");
    }
    let (status, .., seen) = ask(
        &prefix(),
        request(Method::GET, "/text", &[("if-none-match", "*")]),
    )
    .await;
    assert_eq!((status, seen.len()), (304, 1));
}

#[tokio::test]
async fn body_rewrite_7_a_304_about_a_foreign_copy_passes() {
    let known = format!("\"x\", W/\"y{CURRENT}\"");
    let (status, etag, _, seen) = ask(
        &prefix(),
        request(Method::GET, "/video", &[("if-none-match", &known)]),
    )
    .await;
    assert_eq!((status, etag.as_str(), seen.len()), (304, "\"x\"", 1));
}

#[tokio::test]
async fn body_rewrite_9_a_part_is_requested_as_a_whole() {
    for (path, range) in [
        ("/text", "bytes=4-6"),
        ("/text", "bytes=9-"),
        ("/text/typed", "bytes=9-"),
        ("/text/bare/typed", "bytes=9-"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let request = request(
                method.clone(),
                path,
                &[("range", range), ("if-range", "\"x\"")],
            );
            let (status, _, body, seen) = ask(&prefix(), request).await;
            let expected = if method == Method::GET { REWRITTEN } else { "" };
            assert_eq!(
                (status, body.as_str(), seen.len()),
                (200, expected, 2),
                "{method} {range}"
            );
            assert!(!seen[1].headers.contains_key("if-range"));
        }
    }
}

#[tokio::test]
async fn body_rewrite_15_a_request_with_content_is_sent_once() {
    for content in [("content-length", "1"), ("transfer-encoding", "chunked")] {
        let request = request(Method::GET, "/text", &[content, ("range", "bytes=4-6")]);
        let (status, _, body, seen) = ask(&prefix(), request).await;
        assert_eq!((status, body.as_str(), seen.len()), (200, REWRITTEN, 1));
    }
    let request = request(
        Method::GET,
        "/text",
        &[("content-length", "0"), ("range", "bytes=4-6")],
    );
    let (status, .., seen) = ask(&prefix(), request).await;
    assert_eq!((status, seen.len()), (200, 2));

    // A condition of a change.
    let known = format!("W/\"x{CURRENT}\"");
    let put = self::request(
        Method::PUT,
        "/text",
        &[("if-none-match", &known), ("range", "bytes=4-6")],
    );
    let (status, .., seen) = ask(&prefix(), put).await;
    assert_eq!((status, seen.len()), (412, 1));
    assert_eq!(seen[0].headers["if-none-match"], "\"x\"");
    let put = self::request(Method::PUT, "/text", &[("range", "bytes=4-6")]);
    let (status, .., seen) = ask(&prefix(), put).await;
    assert_eq!((status, seen.len()), (206, 1));
}

#[tokio::test]
async fn body_rewrite_8_a_change_of_the_types_changes_the_tag() {
    let layer = prefix().types(["text/plain", "text/html"]).unwrap();
    let known = format!("W/\"x{CURRENT}\"");
    let (status, .., seen) = ask(
        &layer,
        request(Method::GET, "/text", &[("if-none-match", &known)]),
    )
    .await;
    assert_eq!((status, seen.len()), (200, 2));
}

#[tokio::test]
async fn body_rewrite_8_a_copy_no_longer_rewritten_is_outdated() {
    let known = format!("W/\"x{CURRENT}\"");
    let layers = [
        RewriteLayer::new(|_| None::<Prefix>),
        prefix().only(|request| request.uri.path() != "/text"),
    ];
    for layer in layers {
        let request = request(Method::GET, "/text", &[("if-none-match", &known)]);
        let (status, etag, body, _) = ask(&layer, request).await;
        assert_eq!(
            (status, etag.as_str(), body.as_str()),
            (200, "\"x\"", "one\ntwo\n")
        );
    }
    // The type of a 304 counts, and so does `no-transform`.
    for (name, value) in [
        ("content-type", "text/html"),
        ("cache-control", "no-transform"),
    ] {
        let asked = Arc::new(Mutex::new(0));
        let count = asked.clone();
        let app = prefix().layer(service_fn(move |_: Request<Body>| {
            *count.lock().unwrap() += 1;
            let response = Response::builder()
                .status(304)
                .header("etag", "\"x\"")
                .header(name, value);
            ready(Ok::<_, Infallible>(response.body(Body::default()).unwrap()))
        }));
        let response = app
            .oneshot(request(Method::GET, "/", &[("if-none-match", &known)]))
            .await
            .unwrap();
        assert_eq!(
            (
                response.headers()["etag"].to_str().unwrap(),
                *asked.lock().unwrap()
            ),
            ("\"x\"", 2)
        );
    }
}

#[tokio::test]
async fn body_rewrite_7_an_older_copy_keeps_its_entity_tag() {
    let app = prefix().layer(service_fn(async |_: Request<Body>| {
        let response = Response::builder()
            .status(304)
            .header("content-type", "text/plain")
            .header("etag", "\"x\"");
        Ok::<_, Infallible>(response.body(Body::default()).unwrap())
    }));
    let known = |known| request(Method::GET, "/", &[("if-none-match", known)]);
    let response = app.clone().oneshot(known("\"x\"")).await.unwrap();
    assert_eq!(response.status().as_u16(), 304);
    assert_eq!(response.headers()["etag"], "\"x\"");
    let response = app.oneshot(request(Method::GET, "/", &[])).await.unwrap();
    assert_eq!(
        response.headers()["etag"],
        format!("W/\"x{CURRENT}\"").as_str()
    );
}

#[tokio::test]
async fn body_rewrite_8_a_304_counts_as_the_200_it_stands_for() {
    let layer =
        RewriteLayer::new(|response| response.status.is_success().then(|| Prefix::new("> ")));
    let known = format!("W/\"x{CURRENT}\"");
    let request = request(Method::GET, "/text", &[("if-none-match", &known)]);
    let (status, etag, _, seen) = ask(&layer, request).await;
    assert_eq!((status, etag, seen.len()), (304, known, 1));
}

#[tokio::test]
async fn body_rewrite_15_a_response_to_put_keeps_its_validators() {
    let app = prefix().layer(service_fn(async |_: Request<Body>| {
        let response = Response::builder()
            .header("content-type", "text/plain")
            .header("etag", "\"v2\"")
            .header("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT")
            .header("content-length", "6")
            .body(Body::from("saved\n"));
        Ok::<_, Infallible>(response.unwrap())
    }));
    let response = app.oneshot(request(Method::PUT, "/", &[])).await.unwrap();
    assert_eq!(response.headers()["etag"], "\"v2\"");
    assert!(response.headers().contains_key("last-modified"));
    assert_eq!(response.headers()["content-length"], "8");
}

#[tokio::test]
async fn body_rewrite_11_a_416_stands_if_the_second_call_fails() {
    for fails in [1, 2] {
        let asked = Arc::new(Mutex::new(0));
        let app = prefix().layer(service_fn(move |request: Request<Body>| {
            *asked.lock().unwrap() += 1;
            let first = request.headers().contains_key("range");
            let (status, body) = if fails == 1 { (206, "two") } else { (416, "") };
            let response = Response::builder()
                .status(status)
                .header("content-range", "bytes 4-6/8");
            // After a 206 without a type there is no second call, and after a 416 there is.
            ready(match first {
                true => Ok(response.body(Body::from(body)).unwrap()),
                false => Err("no second response"),
            })
        }));
        let response = app
            .oneshot(request(Method::GET, "/", &[("range", "bytes=4-6")]))
            .await;
        assert_eq!(response.unwrap().status().as_u16(), [206, 416][fails - 1]);
    }
}

/// Responds with 416 once. After that it is not ready, and its clones are not.
#[derive(Clone, Default)]
struct Once(Arc<AtomicBool>);

impl Service<Request<Body>> for Once {
    type Response = Response<Body>;
    type Error = &'static str;
    type Future = Ready<Result<Response<Body>, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(match self.0.load(Ordering::SeqCst) {
            true => Err("not ready"),
            false => Ok(()),
        })
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        self.0.store(true, Ordering::SeqCst);
        let response = Response::builder()
            .status(416)
            .header("content-range", "bytes */8");
        ready(Ok(response.body(Body::default()).unwrap()))
    }
}

#[tokio::test]
async fn body_rewrite_11_a_416_stands_if_the_service_is_not_ready() {
    let request = request(Method::GET, "/", &[("range", "bytes=9-")]);
    let response = prefix().layer(Once::default()).oneshot(request).await;
    assert_eq!(response.unwrap().status(), 416);
}

#[tokio::test]
async fn body_rewrite_8_two_layers_confirm_their_own_copies() {
    type Two = Rewrite<Rewrite<ServiceFn<fn(Request<Body>) -> ResponseResult>, Prefix>, Prefix>;
    fn two(outer: &[&'static str]) -> Two {
        let files: fn(Request<Body>) -> ResponseResult = |request| {
            let (head, _) = request.into_parts();
            ready(Ok(file(&head.method, head.uri.path(), &head.headers)))
        };
        let outer = PrefixLayer::new("outer ")
            .types(outer.iter().copied())
            .unwrap();
        outer.layer(PrefixLayer::new("inner ").layer(service_fn(files)))
    }
    for outer in [&["text/plain"], &["video/mp4"]] {
        for path in ["/text", "/video"] {
            let first = two(outer)
                .oneshot(request(Method::GET, path, &[]))
                .await
                .unwrap();
            let etag = first.headers()["etag"].to_str().unwrap();
            assert_ne!((outer, path, etag), (&["text/plain"], "/text", "\"x\""));
            let request = request(Method::GET, path, &[("if-none-match", etag)]);
            let again = two(outer).oneshot(request).await.unwrap();
            assert_eq!(
                (
                    again.status().as_u16(),
                    again.headers()["etag"].to_str().unwrap()
                ),
                (304, etag),
                "{outer:?} {path}"
            );
        }
    }
}

#[tokio::test]
async fn body_rewrite_13_from_request_sees_both_responses() {
    let layer = RewriteLayer::from_request(|request| {
        let prefix = request.uri.query().unwrap_or_default().to_owned();
        move |_: &http::response::Parts| Some(Prefix::new(prefix.clone()))
    });
    let (_, one, body, _) = ask(&layer, request(Method::GET, "/text?1", &[])).await;
    assert_eq!(body, "1one\n1two\n");
    let (_, two, body, _) = ask(&layer, request(Method::GET, "/text?2", &[])).await;
    assert_eq!(body, "2one\n2two\n");
    for (known, status, asked) in [(&one, 304, 1), (&two, 200, 2)] {
        let request = request(Method::GET, "/text?1", &[("if-none-match", known)]);
        let (got, etag, _, seen) = ask(&layer, request).await;
        assert_eq!((got, &etag, seen.len()), (status, &one, asked));
    }
}

#[tokio::test]
async fn body_rewrite_8_a_foreign_entity_tag_is_not_changed() {
    let tags = [
        "\"x~s0123456789abcdef\"",
        "W/\"x~t0123456789abcdef\"",
        "W/\"x~s0123456789abcdeF\"",
        "W/\"x~s+123456789abcdef\"",
        "W/\"x-s0123456789abcdef\"",
        "W/\"s0123456789abcdef\"",
        "x~s0123456789abcdef",
        "W/\"x\"~s0123456789abcdef\"",
    ];
    for known in tags {
        let (.., seen) = ask(
            &prefix(),
            request(Method::GET, "/text", &[("if-none-match", known)]),
        )
        .await;
        assert_eq!(
            (
                seen.len(),
                seen[0].headers["if-none-match"].to_str().unwrap()
            ),
            (1, known)
        );
    }
}

/// Of two entity tags or dates, none counts.
#[tokio::test]
async fn body_rewrite_6_two_validators_of_one_kind_are_none() {
    for (status, method, known) in [
        (200, Method::GET, ""),
        (200, Method::PUT, ""),
        (200, Method::HEAD, ""),
    ] {
        let app = prefix().layer(service_fn(move |_: Request<Body>| {
            let response = Response::builder()
                .status(status)
                .header("content-type", "text/plain")
                .header("etag", "\"x\"")
                .header("etag", "\"y\"")
                .header("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT")
                .header("last-modified", "Thu, 01 Jan 1970 00:00:01 GMT");
            ready(Ok::<_, Infallible>(response.body(Body::from("a")).unwrap()))
        }));
        let request = request(method.clone(), "/", &[("if-none-match", known)]);
        let response = app.oneshot(request).await.unwrap();
        for name in ["etag", "last-modified"] {
            assert!(!response.headers().contains_key(name), "{method} {name}");
        }
    }
}

/// A 304 with two entity tags may confirm either copy, so the whole is requested.
#[tokio::test]
async fn body_rewrite_8_a_304_with_two_entity_tags_confirms_none() {
    let asked = Arc::new(Mutex::new(0));
    let count = asked.clone();
    let app = prefix().layer(service_fn(move |request: Request<Body>| {
        *count.lock().unwrap() += 1;
        let known = request.headers().contains_key("if-none-match");
        let first = *count.lock().unwrap() == 1;
        let response = Response::builder().header("content-type", "text/plain");
        let response = match known && first {
            true => response
                .status(304)
                .header("etag", "\"x\"")
                .header("etag", "\"z\""),
            false => response.header("etag", "\"z\""),
        };
        ready(Ok::<_, Infallible>(
            response.body(Body::from("new")).unwrap(),
        ))
    }));
    // A current copy, and an outdated one.
    let known = format!("W/\"x{CURRENT}\", W/\"y{FORMER}\"");
    let request = request(Method::GET, "/", &[("if-none-match", &known)]);
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), *asked.lock().unwrap()),
        (200, 2)
    );
}

/// With content, the service is called once.
#[tokio::test]
async fn body_rewrite_15_every_line_of_a_length_counts() {
    for (lengths, times) in [
        (&["0"][..], 2),
        (&["0", "3"], 1),
        (&["3", "0"], 1),
        (&["0", "0"], 2),
    ] {
        let mut headers = vec![("range", "bytes=4-6")];
        headers.extend(lengths.iter().map(|length| ("content-length", *length)));
        let request = request(Method::GET, "/text", &headers);
        let (status, _, body, seen) = ask(&prefix(), request).await;
        assert_eq!(
            (status, &*body, seen.len()),
            (200, REWRITTEN, times),
            "{lengths:?}"
        );
    }
}
