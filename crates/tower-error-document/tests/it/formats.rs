//! The formats of a negotiated document, and its detail.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http::{HeaderValue, Request, StatusCode};
use tower_error_document::{Document, ErrorDocumentLayer, ErrorStatus};
use tower_kit::Rejection;

use super::{app, ask, failing, send};

fn layer() -> ErrorDocumentLayer {
    ErrorDocumentLayer::new().all_errors(Document::negotiated().with_text(20))
}

#[tokio::test]
async fn error_document_3_the_format_is_the_clients() {
    let app = app(layer(), |_| {
        failing(404)
            .header("content-type", "text/plain")
            .body(Body::from("no <b> here"))
            .unwrap()
    });
    for (accept, expected) in [
        (
            "*/*",
            "404 content-type=text/plain; charset=utf-8 | no <b> here",
        ),
        (
            "text/html,*/*;q=0.8",
            "404 content-type=text/html; charset=utf-8 | <!DOCTYPE html> <title>404 Not Found</title> \
             <h1>404 Not Found</h1> <p>no &lt;b&gt; here",
        ),
        (
            "application/json",
            "404 content-type=application/json | \
             {\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"detail\":\"no <b> here\"}",
        ),
    ] {
        assert_eq!(
            ask(&app, Request::get("/").header("accept", accept)).await,
            expected
        );
    }
    let grpc = Request::post("/")
        .header("content-type", "application/grpc")
        .body(Body::empty())
        .unwrap();
    let found = send(&app, grpc).await;
    assert_eq!(
        found,
        "200 content-type=application/grpc grpc-message=no <b> here grpc-status=12 | "
    );
}

#[tokio::test]
async fn error_document_3_a_rejection_keeps_its_detail_and_id() {
    let app = app(layer(), |_| {
        let error = std::io::Error::other("10.0.0.7 is down");
        let rejection = Rejection::new(StatusCode::BAD_GATEWAY, error)
            .with_detail("try later")
            .with_id("7f3a");
        rejection.response_for(&Request::new(())).map(Body::new)
    });
    let found = ask(&app, Request::get("/").header("accept", "application/json")).await;
    assert!(
        found.ends_with("\"detail\":\"try later\",\"incident\":\"7f3a\"}"),
        "{found}"
    );
}

#[tokio::test]
async fn error_document_3_another_response_becomes_a_rejection() {
    let app = app(layer(), |_| failing(404).body(Body::empty()).unwrap());
    let request = Request::get("/").body(Body::empty()).unwrap();
    let Ok(response) = tower::ServiceExt::oneshot(app, request).await;
    let reason = Rejection::of(&response).and_then(Rejection::reason::<ErrorStatus>);
    let reason = reason.unwrap();
    assert_eq!(reason.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        reason.to_string(),
        "the inner service has responded with 404 Not Found"
    );
}

#[tokio::test]
async fn error_document_4_a_text_is_a_detail_by_choice() {
    let json = || Request::get("/").header("accept", "application/json");
    for (status, coding, text, shown) in [
        (400, None, &b"short"[..], true),
        (400, None, b"  short\n", true),
        (400, None, b"", false),
        (400, None, b"longer than the limit allows", false),
        (400, None, b"\xff\xfe", false),
        (400, Some("gzip"), b"short", false),
        (500, None, b"short", false),
    ] {
        for (document, expected) in [
            (Document::negotiated(), false),
            (Document::negotiated().with_text(20), shown),
        ] {
            let app = app(ErrorDocumentLayer::new().all_errors(document), move |_| {
                let response = failing(status).header("content-type", "text/plain");
                let response = match coding {
                    Some(coding) => response.header("content-encoding", coding),
                    None => response,
                };
                response.body(Body::from(text)).unwrap()
            });
            let found = ask(&app, json()).await;
            assert_eq!(
                found.contains("\"detail\":\"short\""),
                expected,
                "{status} {text:?}: {found}"
            );
            assert_eq!(
                found.contains("detail"),
                expected,
                "{status} {text:?}: {found}"
            );
        }
    }
}

#[tokio::test]
async fn error_document_4_the_limit_counts_all_chunks() {
    const TABLE: [(&[&str], bool); 6] = [
        (&["12345678901234567890"], true),
        (&["123456789012345678901"], false),
        (&["", "1234567890", "1234567890"], true),
        (&["1234567890", "", "1234567890", "1"], false),
        (&["1234567", "8901234", "567890"], true),
        (&["1234567", "8901234", "5678901"], false),
    ];
    for (chunks, shown) in TABLE {
        let app = app(layer(), move |_| {
            let frames = chunks.iter().map(|chunk| Ok::<_, Infallible>(*chunk));
            let body = Body::from_stream(stream::iter(frames.collect::<Vec<_>>()));
            let response = failing(400).header("content-type", "text/plain");
            response.body(body).unwrap()
        });
        let found = ask(&app, Request::get("/")).await;
        let expected = match shown {
            true => chunks.concat(),
            false => "400 Bad Request".to_owned(),
        };
        assert!(
            found.ends_with(&format!("| {expected}")),
            "{chunks:?}: {found}"
        );
    }
}

#[tokio::test]
async fn error_document_4_a_body_without_a_type_is_no_text() {
    let app = app(layer(), |_| failing(400).body(Body::from("bytes")).unwrap());
    let found = ask(&app, Request::get("/")).await;
    assert!(found.ends_with("| 400 Bad Request"), "{found}");
}

#[tokio::test]
async fn error_document_8_a_negotiated_document_has_its_status() {
    let gone = Document::negotiated().with_status(StatusCode::GONE);
    let app = app(ErrorDocumentLayer::new().all_errors(gone), |request| {
        let error = std::io::Error::other("10.0.0.7 is down");
        match request.uri().path() {
            "/rejected" => Rejection::new(StatusCode::BAD_GATEWAY, error)
                .with_id("7f3a")
                .response_for(&Request::new(()))
                .map(Body::new),
            _ => failing(404).body(Body::empty()).unwrap(),
        }
    });
    for (path, members) in [
        ("/", "\"title\":\"Gone\",\"status\":410}"),
        (
            "/rejected",
            "\"title\":\"Gone\",\"status\":410,\"incident\":\"7f3a\"}",
        ),
    ] {
        let found = ask(
            &app,
            Request::get(path).header("accept", "application/json"),
        )
        .await;
        assert!(
            found.starts_with("410 ") && found.ends_with(members),
            "{found}"
        );
    }
    let grpc = Request::post("/").header("content-type", "application/grpc");
    let found = ask(&app, grpc).await;
    assert!(
        found.starts_with("200 content-type=application/grpc"),
        "{found}"
    );
}

#[tokio::test]
async fn error_document_5_a_fixed_document_is_for_every_client() {
    let html = HeaderValue::from_static("text/html");
    let layer = ErrorDocumentLayer::new().server_errors(Document::fixed(html, "<p>sorry"));
    let app = app(layer, |_| {
        failing(503)
            .header("retry-after", "9")
            .body(Body::from("x"))
            .unwrap()
    });
    for accept in ["*/*", "application/json"] {
        let found = ask(&app, Request::get("/").header("accept", accept)).await;
        assert_eq!(found, "503 content-type=text/html retry-after=9 | <p>sorry");
    }
}

#[tokio::test]
async fn error_document_4_a_text_that_is_not_shown_is_not_read() {
    let layer = ErrorDocumentLayer::new().all_errors(Document::negotiated());
    let app = app(layer, |_| {
        let response = failing(404).header("content-type", "text/plain");
        let endless = stream::pending::<Result<Bytes, Infallible>>();
        response.body(Body::from_stream(endless)).unwrap()
    });
    let found = ask(&app, Request::get("/")).now_or_never();
    assert_eq!(
        found.unwrap(),
        "404 content-type=text/plain; charset=utf-8 | 404 Not Found"
    );
}
