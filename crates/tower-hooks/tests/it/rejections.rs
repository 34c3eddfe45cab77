//! Hooks that respond with an error, and clients of gRPC.

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, request, response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_hooks::{Hook, HookResponse, HooksLayer, OutcomeKind};
use tower_kit::{Rejection, status_of};
use tower_lint::probe::{self, Error, block_on};

use crate::scripted::{Log, Scripted};

/// Responds with this.
struct Responds(Response<Full<Bytes>>);

impl Hook for Responds {
    type State = ();

    async fn before(
        &self,
        (): &mut (),
        _: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        ControlFlow::Break(self.0.clone())
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Extension;

fn error(status: u16, content_type: Option<&str>, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::builder()
        .status(status)
        .header("www-authenticate", "Bearer")
        .header("cache-control", "max-age=1")
        .header("content-language", "en")
        .extension(Extension);
    if let Some(content_type) = content_type {
        response = response.header("content-type", content_type);
    }
    response.body(Full::new(body.into())).unwrap()
}

/// Returns the response to a request with this method and content type.
fn ask(layer: &HooksLayer, method: Method, content_type: &'static str) -> Response<Bytes> {
    let app = probe::App::new(|_| unreachable!("a hook has responded"));
    let mut request = Request::<probe::Body>::default();
    *request.method_mut() = method;
    let content_type = HeaderValue::from_static(content_type);
    request.headers_mut().insert("content-type", content_type);
    let response = block_on(layer.layer(app).oneshot(request))
        .unwrap()
        .unwrap();
    let (head, body) = response.into_parts();
    let hint = body.size_hint().exact();
    let body = block_on(body.collect()).unwrap().unwrap().to_bytes();
    assert_eq!(hint, Some(body.len() as u64));
    Response::from_parts(head, body)
}

fn ask_grpc(response: Response<Full<Bytes>>) -> Response<Bytes> {
    let layer = HooksLayer::new().hook(Responds(response));
    ask(&layer, Method::POST, "application/grpc+proto")
}

#[test]
fn hooks_11_a_plain_error_is_a_rejection_in_grpc() {
    for content_type in [None, Some("text/plain"), Some("Text/Plain ; charset=utf-8")] {
        let response = ask_grpc(error(401, content_type, " Who are you?\n"));
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(status_of(&response), StatusCode::UNAUTHORIZED);
        let rejection = Rejection::of(&response).unwrap();
        assert!(rejection.reason::<HookResponse>().is_some());
        assert_eq!(rejection.detail(), Some("Who are you?"));
        let reason = "a hook has responded instead of the inner service";
        assert_eq!(rejection.error().to_string(), reason);

        let headers = response.headers();
        assert_eq!(headers["content-type"], "application/grpc+proto");
        assert_eq!(headers["grpc-status"], "16");
        assert_eq!(headers["grpc-message"], "Who are you?");
        // Headers that do not describe the text stay, and the hook's own count.
        assert_eq!(headers["www-authenticate"], "Bearer");
        assert_eq!(headers["cache-control"], "max-age=1");
        assert_eq!(headers["vary"], "accept");
        assert!(!headers.contains_key("content-language"));
        assert_eq!(response.extensions().get(), Some(&Extension));
        assert_eq!(response.body(), "");
    }
}

#[test]
fn hooks_11_in_grpc_web_the_error_is_in_the_body() {
    let layer = HooksLayer::new().hook(Responds(error(403, None, "no")));
    let response = ask(&layer, Method::POST, "application/grpc-web");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        &response.body()[5..],
        b"grpc-status:7\r\ngrpc-message:no\r\n"
    );
}

#[test]
fn hooks_11_other_responses_and_clients_are_left_alone() {
    let plain = || error(401, Some("text/plain"), "no");
    // The method and the content type of the request.
    let grpc = || (Method::POST, "application/grpc");
    let table = [
        (grpc(), error(200, None, "no")),
        (grpc(), error(302, Some("text/plain"), "no")),
        (grpc(), error(399, None, "no")),
        (grpc(), error(600, None, "no")),
        (grpc(), error(401, Some("text/html"), "no")),
        (grpc(), error(401, Some("text/plainish"), "no")),
        (grpc(), error(401, Some("application/grpc"), "no")),
        (grpc(), error(401, Some("application/json"), "{}")),
        ((Method::POST, "application/json"), plain()),
        ((Method::GET, "application/grpc"), plain()),
    ];
    for (index, ((method, content_type), expected)) in table.into_iter().enumerate() {
        let layer = HooksLayer::new().hook(Responds(expected.clone()));
        let response = ask(&layer, method, content_type);
        assert_eq!(response.status(), expected.status(), "{index}");
        assert_eq!(response.headers(), expected.headers(), "{index}");
        let body = block_on(expected.into_body().collect()).unwrap().unwrap();
        assert_eq!(*response.body(), body.to_bytes(), "{index}");
        let rejection = Rejection::of(&response);
        let reason = rejection.and_then(|rejection| rejection.reason::<HookResponse>());
        assert!(reason.is_none(), "{index}");
    }
}

#[test]
fn hooks_11_a_rejection_in_text_is_made_again_for_grpc() {
    let rejection = Rejection::new(StatusCode::FORBIDDEN, Error("no")).with_detail("members only");
    let response = ask_grpc(rejection.response_for(&Request::new(())));
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["grpc-status"], "7");
    assert_eq!(response.headers()["grpc-message"], "members only");
    let rejection = Rejection::of(&response).unwrap();
    assert!(rejection.reason::<Error>().is_some());
}

#[test]
fn hooks_11_the_first_and_the_last_error_are_rejections() {
    for status in [400, 499, 500, 599] {
        let response = ask_grpc(error(status, None, ""));
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(status_of(&response).as_u16(), status);
    }
}

#[test]
fn hooks_11_the_detail_is_text_of_at_most_1024_bytes() {
    let long = "é".repeat(600);
    // One byte more, so that a character crosses the limit.
    let odd = format!("x{long}");
    let table: [(&[u8], Option<&str>); 8] = [
        (b"", None),
        (b" \n\t", None),
        (b"caf\xe9", None),
        (b"\x1f\x8b", None),
        (b"two\nlines\n", Some("two\nlines")),
        (&[b'x'; 1024], Some(&"x".repeat(1024))),
        (long.as_bytes(), Some(&long[..1024])),
        (odd.as_bytes(), Some(&odd[..1023])),
    ];
    for (body, expected) in table {
        let response = ask_grpc(error(403, None, body.to_vec()));
        let detail = Rejection::of(&response).unwrap().detail();
        assert_eq!(detail, expected);
    }
    let response = ask_grpc(error(403, None, ""));
    assert_eq!(response.headers()["grpc-message"], "Forbidden");
}

#[test]
fn hooks_11_a_hook_may_respond_with_its_own_rejection() {
    async fn rejects(head: &mut request::Parts) -> ControlFlow<Response<Full<Bytes>>> {
        let rejection = Rejection::new(StatusCode::FORBIDDEN, Error("banned"));
        ControlFlow::Break(rejection.with_detail("go away").response_for(&*head))
    }
    let layer = HooksLayer::new().before(rejects);
    let response = ask(&layer, Method::POST, "application/grpc");
    assert_eq!(response.headers()["grpc-status"], "7");
    let rejection = Rejection::of(&response).unwrap();
    assert_eq!(rejection.reason(), Some(&Error("banned")));
    let response = ask(&layer, Method::HEAD, "text/plain");
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.headers()["content-length"], "8");
    assert_eq!(response.body(), "");
}

#[test]
fn hooks_11_a_rejection_keeps_its_reason_in_grpc() {
    let rejection = Rejection::new(StatusCode::FORBIDDEN, Error("banned"));
    let text = rejection
        .with_detail("go away")
        .response_for(&Request::new(()));
    let response = ask_grpc(text);
    assert_eq!(response.headers()["grpc-status"], "7");
    assert_eq!(response.headers()["grpc-message"], "go away");
    assert_eq!(response.body(), "");
    let rejection = Rejection::of(&response).unwrap();
    assert_eq!(rejection.reason(), Some(&Error("banned")));
}

/// Notes the status on the wire and that of the rejection.
#[derive(Clone, Default)]
struct Statuses(Arc<Mutex<Vec<[u16; 2]>>>);

impl Hook for Statuses {
    type State = ();

    async fn after(&self, (): &mut (), response: &mut response::Parts) {
        let rejection = Rejection::of_head(response).map_or(response.status, Rejection::status);
        let statuses = [response.status, rejection].map(|status| status.as_u16());
        self.0.lock().unwrap().push(statuses);
    }
}

#[test]
fn hooks_11_an_after_finds_the_status_of_a_rejection() {
    let (log, statuses) = (Log::default(), Statuses::default());
    let layer = HooksLayer::new()
        .hook(Scripted::passing(&log))
        .hook(statuses.clone())
        .hook(Responds(error(403, None, "no")));
    ask(&layer, Method::POST, "application/grpc");
    ask(&layer, Method::POST, "text/plain");
    assert_eq!(*statuses.0.lock().unwrap(), [[200, 403], [403, 403]]);
    assert_eq!(log.finishes(), [OutcomeKind::Aborted; 2]);
}

#[test]
fn hooks_10_an_empty_response_to_head_states_no_length() {
    // The hook may have dropped the content itself.
    let layer = HooksLayer::new().hook(Responds(error(404, None, "")));
    let response = ask(&layer, Method::HEAD, "text/plain");
    assert!(!response.headers().contains_key("content-length"));
}
