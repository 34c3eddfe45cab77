//! A rejection as clients and loggers see it.

use std::{fmt, io};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower_kit::{Format, Preferences, Rejection, is_plain_error, status_of};

#[derive(Debug, PartialEq)]
struct Hidden;

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not for the client")
    }
}

impl std::error::Error for Hidden {}

fn request(method: Method, lines: &[(&'static str, &'static str)]) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = method;
    for (name, value) in lines {
        request
            .headers_mut()
            .append(*name, HeaderValue::from_static(value));
    }
    request
}

fn accepting(accept: &'static str) -> Request<()> {
    request(Method::GET, &[("accept", accept)])
}

fn grpc(content_type: &'static str) -> Request<()> {
    request(Method::POST, &[("content-type", content_type)])
}

fn not_found() -> Rejection {
    Rejection::new(StatusCode::NOT_FOUND, Hidden)
}

async fn text(response: Response<Full<Bytes>>) -> String {
    let body = response.into_body().collect().await.unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn kit_7_a_rejection_may_get_another_status() {
    let gone = || not_found().with_detail("no").with_status(StatusCode::GONE);
    let response = gone().response_for(&accepting("application/json"));
    assert_eq!(response.status(), StatusCode::GONE);
    let rejection = Rejection::of(&response).unwrap();
    assert_eq!(rejection.reason(), Some(&Hidden));
    let expected = "\"title\":\"Gone\",\"status\":410,\"detail\":\"no\"}\n";
    assert!(text(response).await.ends_with(expected));
    let response = gone().response_for(&grpc("application/grpc"));
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn kit_7_a_rejection_has_the_format_that_the_client_prefers() {
    let plain = not_found;
    let full = || not_found().with_detail("<no \"page\">").with_id("7f");
    let table = [
        (
            "*/*",
            "text/plain; charset=utf-8",
            "404 Not Found\n",
            "<no \"page\">\nincident 7f\n",
        ),
        (
            "text/html",
            "text/html; charset=utf-8",
            "<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>404 Not Found</h1>\n",
            "<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>404 Not Found</h1>\n<p>&lt;no \"page\"&gt;\n<p>incident <code>7f</code>\n",
        ),
        (
            "application/problem+json",
            "application/problem+json",
            "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404}\n",
            "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"detail\":\"<no \\\"page\\\">\",\"incident\":\"7f\"}\n",
        ),
        (
            "application/json",
            "application/json",
            "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404}\n",
            "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"detail\":\"<no \\\"page\\\">\",\"incident\":\"7f\"}\n",
        ),
    ];
    for (accept, content_type, short, long) in table {
        for (rejection, expected) in [(plain(), short), (full(), long)] {
            let response = rejection.response_for(&accepting(accept));
            assert_eq!(response.status(), StatusCode::NOT_FOUND);
            assert_eq!(response.headers()[header::CONTENT_TYPE], content_type);
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
            assert_eq!(response.headers()[header::VARY], "accept");
            assert_eq!(response.headers()["x-content-type-options"], "nosniff");
            assert_eq!(text(response).await, expected, "{accept}");
        }
    }
    // A status without a name.
    let odd = Rejection::new(StatusCode::from_u16(499).unwrap(), Hidden);
    let response = odd.response_for(&accepting("*/*"));
    assert_eq!(text(response).await, "499 Error\n");
}

#[tokio::test]
async fn kit_7_a_head_gets_the_length_and_no_body() {
    let response = not_found().response_for(&request(Method::HEAD, &[]));
    assert_eq!(response.headers()[header::CONTENT_LENGTH], "14");
    assert!(response.body().is_end_stream());
    let get = not_found().response_for(&request(Method::GET, &[]));
    assert_eq!(get.body().size_hint().exact(), Some(14));
    assert!(!get.headers().contains_key(header::CONTENT_LENGTH));
}

#[tokio::test]
async fn kit_7_headers_are_added_and_may_have_several_lines() {
    let response = Rejection::new(StatusCode::UNAUTHORIZED, Hidden)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic"))
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Digest"))
        .response_for(&accepting("*/*"));
    let lines: Vec<_> = response
        .headers()
        .get_all("www-authenticate")
        .iter()
        .collect();
    assert_eq!(lines, ["Basic", "Digest"]);
}

#[tokio::test]
async fn kit_8_grpc_has_its_status_in_the_head() {
    let response = not_found()
        .with_header(header::RETRY_AFTER, 3.into())
        .response_for(&grpc("application/grpc+proto"));
    assert_eq!(response.status(), StatusCode::OK);
    let headers = response.headers();
    assert_eq!(headers["content-type"], "application/grpc+proto");
    assert_eq!(headers["grpc-status"], "12");
    assert_eq!(headers["grpc-message"], "Not Found");
    assert_eq!(headers["retry-after"], "3");
    assert!(response.body().is_end_stream());
}

#[tokio::test]
async fn kit_8_grpc_web_has_its_status_in_the_body() {
    let response = not_found()
        .with_detail("100%")
        .response_for(&grpc("application/grpc-web"));
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/grpc-web");
    assert!(!response.headers().contains_key("grpc-status"));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body[0], 0x80);
    assert_eq!(&body[5..], b"grpc-status:12\r\ngrpc-message:100%25\r\n");
    let response = not_found().response_for(&grpc("application/grpc-web-text"));
    assert_eq!(
        text(response).await,
        "gAAAAChncnBjLXN0YXR1czoxMg0KZ3JwYy1tZXNzYWdlOk5vdCBGb3VuZA0K"
    );
}

#[tokio::test]
async fn kit_8_a_message_of_grpc_names_the_incident() {
    for (rejection, message) in [
        (not_found().with_id("7f"), "incident 7f"),
        (
            not_found().with_id("7f").with_detail("no"),
            "no (incident 7f)",
        ),
        (not_found().with_detail("no"), "no"),
    ] {
        let response = rejection.response_for(&grpc("application/grpc"));
        assert_eq!(response.headers()["grpc-message"], message);
    }
}

#[test]
fn kit_12_the_rejection_is_in_the_extensions() {
    let rejection = not_found().with_detail("no page").with_id("7f");
    let response = rejection.response_for(&accepting("text/html"));
    let (head, ()) = response.map(drop).into_parts();
    let found = Rejection::of_head(&head).unwrap();
    assert_eq!(found.status(), StatusCode::NOT_FOUND);
    assert_eq!((found.detail(), found.id()), (Some("no page"), Some("7f")));
    assert_eq!(found.preferences().format(), Format::Html);
    assert_eq!(found.reason::<Hidden>(), Some(&Hidden));
    assert!(found.reason::<io::Error>().is_none());
    assert_eq!(found.error().to_string(), "not for the client");
    let source = std::error::Error::source(found).unwrap();
    assert_eq!(source.to_string(), "not for the client");
    assert_eq!(found.to_string(), "rejected with 404 Not Found");
}

#[test]
fn kit_12_readers_see_the_status_of_a_grpc_rejection() {
    let response = not_found().response_for(&grpc("application/grpc"));
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(status_of(&response), StatusCode::NOT_FOUND);
    assert_eq!(status_of(&Response::new(())), StatusCode::OK);
}

#[test]
fn kit_12_a_response_that_was_changed_since_is_no_rejection() {
    let mut response = not_found().response_for(&accepting("*/*"));
    assert!(Rejection::of(&response).is_some());
    *response.status_mut() = StatusCode::OK;
    assert!(Rejection::of(&response).is_none());
    assert_eq!(status_of(&response), StatusCode::OK);

    let rejected = || not_found().response_for(&grpc("application/grpc"));
    let mut response = rejected();
    let html = HeaderValue::from_static("text/html");
    response.headers_mut().insert("content-type", html);
    assert_eq!(status_of(&response), StatusCode::OK);
    response.headers_mut().remove("content-type");
    assert_eq!(status_of(&response), StatusCode::OK);
    let mut response = rejected();
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    assert_eq!(status_of(&response), StatusCode::BAD_GATEWAY);
    // A service has succeeded, and left the extensions of an earlier response.
    let mut response = rejected();
    response.headers_mut().insert("grpc-status", 0.into());
    assert_eq!(status_of(&response), StatusCode::OK);
    // tonic-web makes gRPC-Web of it, which is gRPC still.
    let mut response = rejected();
    let web = HeaderValue::from_static("application/grpc-web+proto");
    response.headers_mut().insert("content-type", web);
    assert_eq!(status_of(&response), StatusCode::NOT_FOUND);
}

#[test]
fn kit_15_a_plain_error_was_not_made_for_a_protocol() {
    let table = [
        (400, None, true),
        (599, Some("text/plain"), true),
        (404, Some("Text/Plain ; charset=utf-8"), true),
        (404, Some("text/plainish"), false),
        (404, Some("text/html"), false),
        (404, Some("application/grpc"), false),
        (399, None, false),
        (200, Some("text/plain"), false),
        (600, None, false),
    ];
    for (status, content_type, expected) in table {
        let mut response = Response::builder().status(status);
        if let Some(content_type) = content_type {
            response = response.header("content-type", content_type);
        }
        let response = response.body(()).unwrap();
        assert_eq!(
            is_plain_error(&response),
            expected,
            "{status} {content_type:?}"
        );
    }
    // A rejection in text was made without the preferences of a client of gRPC.
    assert!(is_plain_error(&not_found().response_for(&accepting("*/*"))));
    assert!(!is_plain_error(
        &not_found().response_for(&grpc("application/grpc"))
    ));
}

#[test]
fn kit_15_a_rejection_in_text_is_made_again_for_grpc() {
    let rejection = not_found().with_detail("no page").with_id("7f");
    let response = rejection.with_header(header::RETRY_AFTER, 3.into());
    let (head, _) = response.response_for(Preferences::default()).into_parts();
    let rejection = Rejection::of_plain_error(&head, io::Error::other("unknown"));
    assert_eq!(rejection.reason::<Hidden>(), Some(&Hidden));
    let response = rejection.response_instead_of(head, &grpc("application/grpc"));
    let headers = response.headers();
    assert_eq!(headers["grpc-status"], "12");
    assert_eq!(headers["grpc-message"], "no page (incident 7f)");
    assert_eq!(headers["retry-after"], "3");
    assert_eq!(status_of(&response), StatusCode::NOT_FOUND);

    let (head, ()) = Response::new(()).into_parts();
    let rejection = Rejection::of_plain_error(&head, Hidden);
    assert_eq!(rejection.status(), StatusCode::OK);
    assert_eq!(rejection.reason::<Hidden>(), Some(&Hidden));
}

#[test]
fn kit_8_a_long_message_is_cut() {
    for (detail, expected) in [
        ("x".repeat(1024), 1024),
        ("x".repeat(4000), 1024),
        (format!("{}é", "x".repeat(1023)), 1023),
    ] {
        let rejection = not_found().with_detail(detail);
        let response = rejection.response_for(&grpc("application/grpc"));
        assert_eq!(response.headers()["grpc-message"].len(), expected);
    }
}

#[test]
fn kit_15_a_rejection_instead_of_a_response_keeps_its_head() {
    let other = Response::builder()
        .status(503)
        .header("content-type", "text/plain")
        .header("etag", "\"1\"")
        .header("cache-control", "max-age=1")
        .header("set-cookie", "a=1")
        .header("set-cookie", "b=2")
        .extension(7_u32)
        .extension(not_found());
    let (head, ()) = other.body(()).unwrap().into_parts();
    let rejection = Rejection::new(head.status, Hidden);
    let response = rejection.response_instead_of(head, &grpc("application/grpc"));
    assert_eq!(response.status(), StatusCode::OK);
    let headers = response.headers();
    assert_eq!(headers["content-type"], "application/grpc");
    assert_eq!(headers["grpc-status"], "14");
    assert_eq!(headers["cache-control"], "max-age=1");
    assert_eq!(headers["vary"], "accept");
    assert!(!headers.contains_key("etag"));
    let cookies: Vec<_> = headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(response.extensions().get(), Some(&7_u32));
    assert_eq!(status_of(&response), StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn kit_7_a_rejection_fits_into_a_result() {
    // Above 128 bytes clippy warns about every function that returns one.
    assert!(size_of::<Rejection>() <= 96);
}
