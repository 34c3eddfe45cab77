//! The heads of replaced responses.

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_error_document::{Document, ErrorDocumentLayer};

use super::{app, failing};

const OF_THE_BODY: [&str; 12] = [
    "accept-ranges",
    "content-digest",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-location",
    "content-range",
    "digest",
    "etag",
    "last-modified",
    "repr-digest",
    "trailer",
];
const OF_THE_FAILURE: [&str; 12] = [
    "access-control-allow-origin",
    "allow",
    "content-security-policy",
    "expires",
    "proxy-authenticate",
    "ratelimit",
    "retry-after",
    "set-cookie",
    "strict-transport-security",
    "via",
    "www-authenticate",
    "x-request-id",
];

fn documents() -> [Document; 3] {
    let html = HeaderValue::from_static("text/html");
    let page = tower::service_fn(async |_: Request<http_body_util::Empty<bytes::Bytes>>| {
        let page = Response::builder()
            .header("content-type", "text/html")
            .header("content-language", "de")
            .header("vary", "cookie")
            .header("etag", "\"page\"")
            .header("last-modified", "Tue, 15 Nov 1994 08:12:31 GMT")
            .header("cache-control", "max-age=9999")
            .header("set-cookie", "page=1")
            .body("<p>sorry".to_owned());
        Ok::<_, std::convert::Infallible>(page.unwrap())
    });
    [
        Document::negotiated(),
        Document::fixed(html, "<p>sorry"),
        Document::service(page, "/page").unwrap(),
    ]
}

async fn respond(document: Document, method: &str, status: u16) -> Response<Body> {
    let app = app(
        ErrorDocumentLayer::new().all_errors(document).any_content(),
        move |_| {
            let mut response = failing(status)
                .header("content-type", "text/plain")
                .header("vary", "origin");
            for name in OF_THE_BODY.into_iter().chain(OF_THE_FAILURE) {
                response = response.header(name, "x");
            }
            response = response
                .header("cache-control", "private")
                .extension(Arc::new("an extension"));
            response.body(Body::from("text")).unwrap()
        },
    );
    let request = Request::builder()
        .method(method)
        .body(Body::empty())
        .unwrap();
    let Ok(response) = app.oneshot(request).await;
    response
}

#[tokio::test]
async fn error_document_9_fields_of_the_old_body_are_removed() {
    for document in documents() {
        let response = respond(document.clone(), "GET", 404).await;
        for name in OF_THE_BODY {
            let is_of_page =
                name == "content-language" && format!("{document:?}").contains("/page");
            assert_eq!(
                response.headers().contains_key(name),
                is_of_page,
                "{name}: {document:?}"
            );
        }
        let response = respond(document.clone(), "GET", 416).await;
        assert_eq!(response.headers()["content-range"], "x");
        // Under another status it would mean nothing.
        let gone = document.with_status(StatusCode::GONE);
        let response = respond(gone, "GET", 416).await;
        assert_eq!(response.status(), StatusCode::GONE);
        assert!(!response.headers().contains_key("content-range"));
    }
}

#[tokio::test]
async fn error_document_10_all_other_fields_stay() {
    for document in documents() {
        let response = respond(document, "GET", 401).await;
        for name in OF_THE_FAILURE {
            let values: Vec<_> = response.headers().get_all(name).iter().collect();
            assert_eq!(values, ["x"], "{name}");
        }
        assert_eq!(response.headers()["cache-control"], "private");
        assert!(response.extensions().get::<Arc<&str>>().is_some());
    }
}

#[tokio::test]
async fn error_document_11_a_page_brings_what_describes_it() {
    let [_, _, page] = documents();
    let response = respond(page, "GET", 404).await;
    let headers = response.headers();
    assert_eq!(headers["content-type"], "text/html");
    assert_eq!(headers["content-language"], "de");
    assert_eq!(headers["content-length"], "8");
    let vary: Vec<_> = headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["origin", "cookie"]);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "<p>sorry");
}

#[tokio::test]
async fn error_document_11_vary_is_joined() {
    for (document, expected) in documents().into_iter().zip([
        &["accept", "origin"][..],
        &["origin"],
        &["origin", "cookie"],
    ]) {
        let response = respond(document, "GET", 404).await;
        let found: Vec<_> = response.headers().get_all("vary").iter().collect();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn error_document_12_head_has_the_head_and_no_body() {
    for document in documents() {
        let get = respond(document.clone(), "GET", 404).await;
        let head = respond(document.clone(), "HEAD", 404).await;
        assert_eq!(head.status(), StatusCode::NOT_FOUND);
        let of = |response: &Response<Body>| response.headers().get("content-type").cloned();
        assert_eq!(of(&head), of(&get), "{document:?}");
        let length = head.headers().get("content-length").cloned();
        let body = head.into_body().collect().await.unwrap().to_bytes();
        assert!(body.is_empty());
        let whole = get.into_body().collect().await.unwrap().to_bytes().len();
        if let Some(length) = length {
            assert_eq!(length, whole.to_string(), "{document:?}");
        }
    }
}

#[tokio::test]
async fn error_document_8_a_status_without_content_has_no_document() {
    for document in documents() {
        for status in [204, 205, 304] {
            let given = StatusCode::from_u16(status).unwrap();
            let response = respond(document.clone().with_status(given), "GET", 404).await;
            assert_eq!(response.status(), given);
            let described = ["content-type", "content-length", "etag"];
            let found = described.map(|name| response.headers().contains_key(name));
            assert_eq!(found, [false; 3], "{status}: {document:?}");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(body.is_empty(), "{status}: {document:?}");
        }
        let response = respond(document.with_status(StatusCode::EARLY_HINTS), "GET", 404).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn error_document_11_several_lines_of_a_page_stay() {
    let page = tower::service_fn(async |_: Request<http_body_util::Empty<bytes::Bytes>>| {
        let page = Response::builder()
            .header("content-type", "text/html")
            .header("content-language", "de")
            .header("etag", "\"page\"")
            .header("content-language", "mi")
            .header("vary", "cookie")
            .header("content-length", "99")
            .header("vary", "accept-language")
            .body("<p>sorry".to_owned());
        Ok::<_, std::convert::Infallible>(page.unwrap())
    });
    let page = Document::service(page, "/page").unwrap();
    let response = respond(page, "GET", 404).await;
    let lines = |name| -> Vec<_> { response.headers().get_all(name).iter().collect() };
    assert_eq!(lines("content-language"), ["de", "mi"]);
    assert_eq!(lines("vary"), ["origin", "cookie", "accept-language"]);
    // That of the page is wrong.
    assert_eq!(lines("content-length"), ["8"]);
    assert_eq!(lines("etag"), [""; 0]);
}
