//! Which responses are replaced, and axum's own rejections before and after.

use std::time::Duration;

use axum::{
    Json, Router,
    body::Body,
    error_handling::HandleErrorLayer,
    extract::{DefaultBodyLimit, Path, Query},
    response::{Html, IntoResponse},
    routing::{get, post},
};
use http::{HeaderValue, Request, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{BoxError, ServiceBuilder};
use tower_error_document::{Document, ErrorDocumentLayer, KeepBody};
use tower_exception::ExceptionLayer;
use tower_http::timeout::TimeoutLayer;

use super::{app, ask, failing, routed, send};

fn negotiated() -> ErrorDocumentLayer {
    ErrorDocumentLayer::new().all_errors(Document::negotiated())
}

#[tokio::test]
async fn error_document_1_a_document_is_for_a_status() {
    let fixed = |text: &'static str| Document::fixed(HeaderValue::from_static("a/b"), text);
    let layer = ErrorDocumentLayer::new()
        .status(StatusCode::NOT_FOUND, fixed("404"))
        .except(StatusCode::CONFLICT)
        .client_errors(fixed("4xx"))
        .server_errors(fixed("5xx"))
        .status(StatusCode::BAD_GATEWAY, fixed("502"));
    let app = app(layer, |request| {
        let status = request.uri().path()[1..].parse().unwrap();
        failing(status).body(Body::from("text")).unwrap()
    });
    for (status, expected) in [
        (200, "text"),
        (301, "text"),
        (400, "4xx"),
        (404, "404"),
        (409, "text"),
        (499, "4xx"),
        (500, "5xx"),
        (502, "502"),
        (599, "5xx"),
        (600, "text"),
    ] {
        let request = Request::get(format!("/{status}"));
        let found = ask(&app, request).await;
        assert!(
            found.ends_with(&format!("| {expected}")),
            "{status}: {found}"
        );
        assert!(found.starts_with(&status.to_string()));
    }
}

#[tokio::test]
async fn error_document_2_a_body_that_was_made_for_readers_stays() {
    for (content_type, body, is_replaced, is_replaced_if_any) in [
        (None, "", true, true),
        (None, "bytes", true, true),
        (Some("text/plain"), "text", true, true),
        (Some("Text/Plain; charset=utf-8"), "text", true, true),
        (Some("text/html"), "<p>", false, true),
        (Some("text/html"), "", true, true),
        (Some("application/json"), "{}", false, true),
        (Some("application/problem+json"), "{}", false, false),
        (Some("application/grpc"), "", false, false),
        (Some("application/grpc-web+proto"), "", false, false),
    ] {
        for (layer, expected) in [
            (negotiated(), is_replaced),
            (negotiated().any_content(), is_replaced_if_any),
        ] {
            let app = app(layer, move |_| {
                let response = failing(404);
                let response = match content_type {
                    Some(value) => response.header("content-type", value),
                    None => response,
                };
                response.body(Body::from(body)).unwrap()
            });
            let found = ask(&app, Request::get("/")).await;
            assert_eq!(
                found.ends_with("404 Not Found"),
                expected,
                "{content_type:?} {body}: {found}"
            );
        }
    }
}

#[tokio::test]
async fn error_document_2_a_body_stays_if_it_has_to() {
    let app = app(negotiated().any_content(), |request| {
        let mut response = failing(404).body(Body::from("mine")).unwrap();
        if request.uri().path() == "/kept" {
            response.extensions_mut().insert(KeepBody);
        }
        response
    });
    assert_eq!(ask(&app, Request::get("/kept")).await, "404 | mine");
    assert_eq!(ask(&app, Request::connect("a:443")).await, "404 | mine");
    let other = ask(&app, Request::get("/")).await;
    assert!(other.ends_with("404 Not Found"), "{other}");
}

#[derive(Deserialize)]
struct Order {
    #[allow(dead_code, reason = "only its presence counts")]
    amount: u32,
}

fn orders() -> Router {
    let overloaded = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(async |_: BoxError| {
            StatusCode::SERVICE_UNAVAILABLE
        }))
        .load_shed()
        .concurrency_limit(0);
    Router::new()
        .route("/orders", post(async |_: Json<Order>| "done"))
        .route("/orders/{id}", get(async |_: Path<u32>| "one"))
        .route("/search", get(async |_: Query<Order>| "found"))
        .route(
            "/small",
            post(async |_: axum::body::Bytes| "read").layer(DefaultBodyLimit::max(5)),
        )
        .route(
            "/secret",
            get(async || (StatusCode::INTERNAL_SERVER_ERROR, "password=hunter2")),
        )
        .route(
            "/panic",
            get(async || -> &'static str { panic!("hunter2") }),
        )
        .route(
            "/html",
            get(async || (StatusCode::NOT_FOUND, Html("<p>mine"))),
        )
        .route(
            "/json",
            get(async || (StatusCode::CONFLICT, Json(json!({ "mine": 1 })))),
        )
        .route(
            "/slow",
            get(async || tokio::time::sleep(Duration::from_secs(9)).await).layer(
                TimeoutLayer::with_status_code(
                    StatusCode::REQUEST_TIMEOUT,
                    Duration::from_millis(10),
                ),
            ),
        )
        .route("/busy", get(async || "free").layer(overloaded))
        .route(
            "/login",
            get(async || {
                (
                    StatusCode::UNAUTHORIZED,
                    [(header::WWW_AUTHENTICATE, "Basic")],
                )
                    .into_response()
            }),
        )
}

/// Each of axum's rejections: the request, and the status and the detail of the document.
#[tokio::test]
async fn error_document_3_axums_rejections_are_in_the_clients_format() {
    let router = orders().layer(ExceptionLayer::production(|_| {}));
    let layer = ErrorDocumentLayer::new().all_errors(Document::negotiated().with_text(500));
    let after = routed(layer, router.clone());
    let json = |path: &str, text: &'static str| {
        Request::post(path)
            .header("content-type", "application/json")
            .body(Body::from(text))
    };
    let empty = |request: http::request::Builder| request.body(Body::empty());
    for (request, status, title, detail) in [
        (
            json("/orders", "{"),
            400,
            "Bad Request",
            Some("Failed to parse the request body as JSON"),
        ),
        (
            json("/orders", "{}"),
            422,
            "Unprocessable Entity",
            Some("missing field `amount`"),
        ),
        (
            Request::post("/orders").body(Body::from("{}")),
            415,
            "Unsupported Media Type",
            Some("Expected request with"),
        ),
        (
            Request::post("/small").body(Body::from("too much")),
            413,
            "Payload Too Large",
            Some("length limit exceeded"),
        ),
        (
            empty(Request::get("/orders/x")),
            400,
            "Bad Request",
            Some("Cannot parse"),
        ),
        (
            empty(Request::get("/search")),
            400,
            "Bad Request",
            Some("Failed to deserialize query string"),
        ),
        (empty(Request::get("/nowhere")), 404, "Not Found", None),
        (
            empty(Request::put("/orders")),
            405,
            "Method Not Allowed",
            None,
        ),
        (
            empty(Request::get("/secret")),
            500,
            "Internal Server Error",
            None,
        ),
        (empty(Request::get("/slow")), 408, "Request Timeout", None),
        (
            empty(Request::get("/busy")),
            503,
            "Service Unavailable",
            None,
        ),
        (empty(Request::get("/login")), 401, "Unauthorized", None),
    ] {
        let mut request = request.unwrap();
        let path = request.uri().to_string();
        request.headers_mut().insert(
            "accept",
            HeaderValue::from_static("application/problem+json"),
        );
        let found = send(&after, request).await;
        let (head, body) = found.split_once(" | ").unwrap();
        assert!(head.starts_with(&format!("{status} ")), "{path}: {found}");
        assert!(
            head.contains("content-type=application/problem+json"),
            "{path}: {found}"
        );
        let problem: Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            (&problem["status"], &problem["title"]),
            (&json!(status), &json!(title)),
            "{path}"
        );
        match detail {
            Some(detail) => assert!(
                problem["detail"].as_str().unwrap().contains(detail),
                "{path}: {found}"
            ),
            None => assert_eq!(problem.get("detail"), None, "{path}: {found}"),
        }
        assert!(!found.contains("hunter2"));
    }
    // What a client needs to know about the failure is still there.
    let login = ask(&after, Request::get("/login")).await;
    assert!(login.contains("www-authenticate=Basic"), "{login}");
    let put = ask(&after, Request::put("/orders")).await;
    assert!(put.contains("allow=POST"), "{put}");
    // Bodies that were made for readers stay.
    assert_eq!(
        ask(&after, Request::get("/html")).await,
        "404 content-type=text/html; charset=utf-8 | <p>mine"
    );
    assert_eq!(
        ask(&after, Request::get("/json")).await,
        "409 content-type=application/json | {\"mine\":1}"
    );
}

#[tokio::test]
async fn error_document_3_a_panic_has_its_incident_id_and_no_more() {
    let app = routed(
        negotiated(),
        orders().layer(ExceptionLayer::production(|_| {})),
    );
    let request = Request::get("/panic").header("accept", "application/problem+json");
    let found = ask(&app, request).await;
    let (_, body) = found.split_once(" | ").unwrap();
    let problem: Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["status"], 500);
    assert!(
        problem["incident"].is_string() && !found.contains("hunter2"),
        "{found}"
    );
}
