//! The head of a response.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn, util::ServiceFn};
use tower_body_rewrite::{PrefixLayer, RewriteLayer, Rewriter, Sink, Tag, adapt_headers};
use tower_kit::{Rejection, status_of};
use tower_lint::probe::Error;

const ABOUT_THE_BODY: [(&str, &str); 8] = [
    ("accept-ranges", "bytes"),
    ("content-digest", "sha-256=:x:"),
    ("content-length", "4"),
    ("content-md5", "x"),
    ("digest", "sha-256=x"),
    ("etag", "\"x\""),
    ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("repr-digest", "sha-256=:x:"),
];

type ResponseResult = Ready<Result<Response<Full<Bytes>>, Infallible>>;

/// Responds with this status, this type, `a\nb\n` and all headers about the body.
fn responds(
    status: u16,
    content_type: &'static str,
) -> ServiceFn<impl Fn(Request<()>) -> ResponseResult + Clone> {
    service_fn(move |_| {
        let mut response = Response::builder()
            .status(status)
            .header("content-type", content_type)
            .header("x-kept", "kept");
        for (name, value) in ABOUT_THE_BODY {
            response = response.header(name, value);
        }
        std::future::ready(Ok(response.body(Full::from("a\nb\n")).unwrap()))
    })
}

fn request(method: Method) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = method;
    request
}

/// Returns the headers about the body that are left.
fn about_the_body(headers: &HeaderMap) -> Vec<(&'static str, &str)> {
    ABOUT_THE_BODY
        .iter()
        .filter_map(|(name, _)| Some((*name, headers.get(*name)?.to_str().unwrap())))
        .collect()
}

/// The inner entity tag, made weak and with "> " mixed in.
const MIXED: &str = "W/\"x~sf57aebc0d1635a34\"";

fn has_all_headers_of_the_old_body(headers: &HeaderMap) -> bool {
    ABOUT_THE_BODY
        .iter()
        .all(|(name, value)| headers.get(*name) == Some(&HeaderValue::from_static(value)))
}

#[tokio::test]
async fn body_rewrite_6_stale_headers_are_removed_others_kept() {
    let app = PrefixLayer::new("> ").layer(responds(200, "text/plain"));
    let response = app.oneshot(request(Method::GET)).await.unwrap();
    // The only frame was ready at once, so the length is known.
    let now = [("content-length", "8"), ("etag", MIXED)];
    assert_eq!(about_the_body(response.headers()), now);
    assert_eq!(response.headers()["x-kept"], "kept");
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(response.body().size_hint().exact(), Some(8));
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "> a\n> b\n"
    );
}

#[tokio::test]
async fn body_rewrite_7_head_and_304_get_the_headers_of_the_200() {
    // A framework would make a Content-Length of HEAD's length, and a compression layer would
    // compress a 304 without a length.
    for (method, status, length) in [(Method::HEAD, 200, None), (Method::GET, 304, Some(0))] {
        let app = PrefixLayer::new("> ").layer(responds(status, "text/plain"));
        let response = app.oneshot(request(method)).await.unwrap();
        assert_eq!(about_the_body(response.headers()), [("etag", MIXED)]);
        assert_eq!(response.body().size_hint().exact(), length);
        // There is no body, even if the service returns one.
        assert!(response.body().is_end_stream());
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "");
    }
}

#[tokio::test]
async fn body_rewrite_5_other_responses_pass_unchanged() {
    let left_alone = [(200, "text/html"), (206, "text/plain"), (204, "text/plain")];
    for (status, content_type) in left_alone {
        let app = PrefixLayer::new("> ").layer(responds(status, content_type));
        let response = app.oneshot(request(Method::GET)).await.unwrap();
        assert!(
            has_all_headers_of_the_old_body(response.headers()),
            "{status} {content_type}"
        );
        assert_eq!(response.body().size_hint().exact(), Some(4));
        assert_eq!(
            response.into_body().collect().await.unwrap().to_bytes(),
            "a\nb\n"
        );
    }
}

#[tokio::test]
async fn body_rewrite_4_a_rejection_in_grpc_passes_unchanged() {
    let rejects = service_fn(async |request: Request<()>| {
        let rejection = Rejection::new(StatusCode::NOT_FOUND, Error("no"));
        Ok::<_, Infallible>(rejection.response_for(&request))
    });
    let app = PrefixLayer::new("> ").layer(rejects);
    for content_type in ["application/grpc", "application/grpc-web-text+proto"] {
        let request = || {
            let request = Request::post("/").header("content-type", content_type);
            request.body(()).unwrap()
        };
        let response = app.clone().oneshot(request()).await.unwrap();
        assert_eq!(status_of(&response), StatusCode::NOT_FOUND);
        let expected = rejects.oneshot(request()).await.unwrap();
        assert_eq!(response.headers(), expected.headers());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            body,
            expected.into_body().collect().await.unwrap().to_bytes()
        );
    }
    let response = app.oneshot(request(Method::POST)).await.unwrap();
    assert_eq!(status_of(&response), StatusCode::NOT_FOUND);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "> 404 Not Found\n");
}

#[tokio::test]
async fn body_rewrite_5_an_unchanged_body_ends_with_the_inner_one() {
    let app = PrefixLayer::new("> ").layer(responds(200, "text/html"));
    let response = app.oneshot(request(Method::GET)).await.unwrap();
    let mut body = response.into_body();
    assert!(!body.is_end_stream());
    body.frame().await.unwrap().unwrap();
    assert!(body.is_end_stream());
}

/// A service that is not ready the first time, and that returns an error if the instance that is
/// called was not ready.
#[derive(Clone, Default)]
struct Strict {
    asked: bool,
    ready: bool,
}

impl Service<Request<()>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = &'static str;
    type Future = Ready<Result<Response<Full<Bytes>>, &'static str>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        if std::mem::replace(&mut self.asked, true) {
            self.ready = true;
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(match std::mem::take(&mut self.ready) {
            true => Err("the service's error"),
            false => Err("called without being ready"),
        })
    }
}

#[tokio::test]
async fn body_rewrite_11_the_ready_instance_is_called() {
    let mut app = PrefixLayer::new("> ").layer(Strict::default());
    for _ in 0..2 {
        let app = app.ready().await.unwrap();
        let error = app.call(request(Method::GET)).await.unwrap_err();
        assert_eq!(error, "the service's error");
    }
}

#[tokio::test]
async fn body_rewrite_4_named_types_are_rewritten() {
    let layer = PrefixLayer::new("> ")
        .types(["text/x-log", "text/html"])
        .unwrap();
    for (content_type, expected) in [("text/html", "> a\n> b\n"), ("text/plain", "a\nb\n")] {
        let app = layer.layer(responds(200, content_type));
        let response = app.oneshot(request(Method::GET)).await.unwrap();
        assert_eq!(
            response.into_body().collect().await.unwrap().to_bytes(),
            expected
        );
    }
}

#[tokio::test]
async fn body_rewrite_1_two_layers_add_two_prefixes() {
    let app = PrefixLayer::new("1").layer(PrefixLayer::new("2").layer(responds(200, "text/plain")));
    let response = app.oneshot(request(Method::GET)).await.unwrap();
    let etag = response.headers()["etag"].to_str().unwrap();
    assert!(
        etag.starts_with("W/\"x~s") && etag.matches('~').count() == 2,
        "{etag}"
    );
    assert_eq!(response.headers()["content-length"], "8");
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "12a\n12b\n"
    );
}

/// Replaces the body by its length.
#[derive(Default)]
struct Count(usize);

impl Rewriter for Count {
    fn rewrite(&mut self, chunk: Bytes, _: &mut Sink) {
        self.0 += chunk.len();
    }

    fn finish(&mut self, out: &mut Sink) {
        out.put(self.0.to_string().as_bytes());
    }
}

#[tokio::test]
async fn body_rewrite_13_the_function_chooses_by_the_response() {
    let layer = RewriteLayer::new(|response| response.status.is_success().then(Count::default));
    for (status, expected) in [(200, "4"), (404, "a\nb\n")] {
        let app = layer.layer(responds(status, "text/plain"));
        let response = app.oneshot(request(Method::GET)).await.unwrap();
        assert_eq!(
            response.into_body().collect().await.unwrap().to_bytes(),
            expected
        );
    }
}

#[test]
fn the_layer_and_its_service_are_clone_send_sync_and_static() {
    fn check<T: Clone + Send + Sync + 'static>(_: &T) {}
    let layer = PrefixLayer::new("> ");
    check(&layer);
    check(&layer.layer(responds(200, "text/plain")));
}

#[test]
fn body_rewrite_6_a_duplicate_entity_tag_is_removed() {
    let mut headers = HeaderMap::new();
    for (tags, are_kept) in [(&["\"a\""][..], true), (&["\"a\"", "\"b\""], false)] {
        headers.clear();
        for tag in tags {
            headers.append("etag", HeaderValue::from_static(tag));
        }
        adapt_headers(&mut headers, None, Some(Tag::of([&b"footer"[..]])));
        assert_eq!(headers.contains_key("etag"), are_kept, "{tags:?}");
    }
}
