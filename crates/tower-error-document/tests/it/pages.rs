//! Documents that are the responses of a service.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode};
use http_body_util::Empty;
use tower::{ServiceExt, service_fn};
use tower_error_document::{Document, ErrorDocumentLayer, Failure};
use tower_kit::Rejection;
use tower_static::Files;

use super::{app, ask, failing, send};

type Seen = Arc<Mutex<Vec<Request<Empty<Bytes>>>>>;

/// A service that keeps its requests, and responds with this status and text.
fn pages(seen: &Seen, status: u16, text: &'static str) -> Document {
    let seen = seen.clone();
    let service = service_fn(move |request| {
        seen.lock().unwrap().push(request);
        let page = Response::builder()
            .status(status)
            .header("content-type", "text/html");
        async move { Ok::<_, Infallible>(page.body(text.to_owned()).unwrap()) }
    });
    Document::service(service, "/errors/404.html?x=1").unwrap()
}

fn not_found(document: Document) -> super::App {
    app(
        ErrorDocumentLayer::new().status(StatusCode::NOT_FOUND, document),
        |_| failing(404).body(Body::from("not here")).unwrap(),
    )
}

#[tokio::test]
async fn error_document_6_a_page_is_asked_for_with_get() {
    let seen = Seen::default();
    let layer = ErrorDocumentLayer::new()
        .keep_headers([
            HeaderName::from_static("x-theme"),
            HeaderName::from_static("range"),
        ])
        .status(StatusCode::NOT_FOUND, pages(&seen, 200, "<p>sorry"));
    let app = app(layer, |_| {
        failing(404).body(Body::from("not here")).unwrap()
    });
    for (method, expected) in [
        ("POST", "GET"),
        ("GET", "GET"),
        ("HEAD", "HEAD"),
        ("OPTIONS", "GET"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri("/lost?token=1")
            .header("host", "example.org")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("accept-language", "de")
            .header("x-theme", "dark")
            .header("content-type", "application/json")
            .header("content-length", "2")
            .header("expect", "100-continue")
            .header("range", "bytes=0-1")
            .header("if-none-match", "*")
            .header("if-modified-since", "Tue, 15 Nov 1994 08:12:31 GMT")
            .header("transfer-encoding", "chunked")
            .header("x-other", "1")
            .body(Body::from("{}"))
            .unwrap();
        let found = send(&app, request).await;
        assert!(
            found.starts_with("404 content-type=text/html | "),
            "{found}"
        );
        let asked = seen.lock().unwrap().pop().unwrap();
        assert_eq!(
            (asked.method().as_str(), asked.uri().to_string()),
            (expected, "/errors/404.html?x=1".to_owned())
        );
        let mut names: Vec<_> = asked
            .headers()
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["accept-language", "cookie", "cookie", "host", "x-theme"]
        );
        let failure: &Failure = asked.extensions().get().unwrap();
        assert_eq!(failure.status(), StatusCode::NOT_FOUND);
        assert_eq!(
            (failure.method().as_str(), failure.uri().to_string()),
            (method, "/lost?token=1".to_owned())
        );
        assert!(failure.rejection().is_none());
    }
}

#[tokio::test]
async fn error_document_6_a_page_knows_the_rejection() {
    let seen = Seen::default();
    let layer = ErrorDocumentLayer::new().all_errors(pages(&seen, 200, "sorry"));
    let app = app(layer, |_| {
        let error = io::Error::other("10.0.0.7 is down");
        let rejection = Rejection::new(StatusCode::BAD_GATEWAY, error).with_detail("try later");
        rejection.response_for(&Request::new(())).map(Body::new)
    });
    let found = ask(&app, Request::get("/")).await;
    assert!(
        found.starts_with("502 ") && found.ends_with("| sorry"),
        "{found}"
    );
    let asked = seen.lock().unwrap().pop().unwrap();
    let failure: &Failure = asked.extensions().get().unwrap();
    let detail = failure.rejection().and_then(Rejection::detail);
    assert_eq!(detail, Some("try later"));
}

#[tokio::test]
async fn error_document_6_the_host_of_http_2_stays() {
    let seen = Seen::default();
    let app = not_found(pages(&seen, 200, "sorry"));
    let request = Request::get("https://example.org/lost")
        .body(Body::empty())
        .unwrap();
    send(&app, request).await;
    let asked = seen.lock().unwrap().pop().unwrap();
    assert_eq!(asked.uri(), "https://example.org/errors/404.html?x=1");
}

#[tokio::test]
async fn error_document_6_a_client_of_grpc_gets_no_page() {
    let seen = Seen::default();
    let app = not_found(pages(&seen, 200, "sorry").with_own_status());
    for (method, content_type, is_grpc) in [
        ("POST", "application/grpc", true),
        ("POST", "application/grpc+proto", true),
        ("POST", "application/json", false),
        // gRPC has no other method.
        ("PUT", "application/grpc", false),
    ] {
        let request = Request::builder().method(method);
        let found = ask(&app, request.header("content-type", content_type)).await;
        let expected = match is_grpc {
            true => {
                format!("200 content-type={content_type} grpc-message=Not Found grpc-status=12 | ")
            }
            false => "200 content-type=text/html | sorry".to_owned(),
        };
        assert_eq!(found, expected, "{method} {content_type}");
        assert_eq!(
            seen.lock().unwrap().drain(..).count(),
            usize::from(!is_grpc)
        );
    }
}

#[tokio::test]
async fn error_document_7_a_page_that_fails_is_no_loop() {
    let calls = Arc::new(AtomicUsize::new(0));
    let failing_pages = || {
        let calls = calls.clone();
        let service = service_fn(move |_: Request<Empty<Bytes>>| {
            calls.fetch_add(1, Ordering::SeqCst);
            async { Err::<Response<String>, _>(io::Error::other("no database")) }
        });
        Document::service(service, "/x").unwrap()
    };
    let seen = Seen::default();
    for document in [
        failing_pages(),
        pages(&seen, 404, "no page either"),
        pages(&seen, 500, "broken"),
        pages(&seen, 301, "elsewhere"),
        pages(&seen, 204, ""),
        pages(&seen, 206, "half"),
        pages(
            &seen,
            200,
            Box::leak("x".repeat(1_048_577).into_boxed_str()),
        ),
    ] {
        let app = not_found(document);
        let found = ask(&app, Request::get("/lost")).await;
        assert_eq!(
            found,
            "404 content-type=text/plain; charset=utf-8 | 404 Not Found"
        );
    }
    assert_eq!(
        (calls.load(Ordering::SeqCst), seen.lock().unwrap().len()),
        (1, 6)
    );
}

#[tokio::test]
async fn error_document_7_a_page_that_fails_has_the_first_status() {
    let seen = Seen::default();
    for document in [
        pages(&seen, 404, "none").with_status(StatusCode::OK),
        pages(&seen, 103, "").with_own_status(),
        pages(&seen, 204, "").with_own_status(),
        pages(&seen, 205, "").with_own_status(),
        pages(&seen, 304, "").with_own_status(),
    ] {
        let found = ask(&not_found(document), Request::get("/lost")).await;
        assert!(
            found.starts_with("404 ") && found.ends_with("| 404 Not Found"),
            "{found}"
        );
    }
}

#[tokio::test]
async fn error_document_7_a_page_has_at_most_1_mib() {
    const MIB: usize = 1 << 20;
    const TABLE: [(&[usize], bool); 5] = [
        (&[MIB], true),
        (&[MIB + 1], false),
        (&[MIB - 9, 0, 4, 5], true),
        (&[MIB - 9, 0, 4, 6], false),
        (&[0, 1, MIB], false),
    ];
    for (chunks, passes) in TABLE {
        let service = service_fn(move |_: Request<Empty<Bytes>>| {
            let chunks: Vec<_> = chunks.iter().map(|size| "x".repeat(*size)).collect();
            let frames = chunks.into_iter().map(Ok::<_, Infallible>);
            let body = Body::from_stream(futures_util::stream::iter(frames));
            async { Ok::<_, Infallible>(Response::new(body)) }
        });
        let app = not_found(Document::service(service, "/x").unwrap());
        let found = ask(&app, Request::get("/lost")).await;
        let (_, body) = found.split_once("| ").unwrap();
        match passes {
            true => assert_eq!(body.len(), MIB, "{chunks:?}"),
            false => assert_eq!(body, "404 Not Found", "{chunks:?}"),
        }
    }
}

#[tokio::test]
async fn error_document_12_head_has_the_length_of_the_page() {
    for (length, expected) in [(Some("8"), Some("8")), (None, None)] {
        let service = service_fn(move |request: Request<Empty<Bytes>>| {
            assert_eq!(request.method(), "HEAD");
            let page = Response::builder().header("content-type", "text/html");
            let page = match length {
                Some(length) => page.header("content-length", length),
                None => page,
            };
            async { Ok::<_, Infallible>(page.body(String::new()).unwrap()) }
        });
        let app = not_found(Document::service(service, "/x").unwrap());
        let request = Request::head("/lost").body(Body::empty()).unwrap();
        let Ok(response) = app.oneshot(request).await;
        let found = response.headers().get("content-length");
        assert_eq!(found.map(|length| length.to_str().unwrap()), expected);
    }
}

#[tokio::test]
async fn error_document_8_the_status_is_that_of_the_failure() {
    let seen = Seen::default();
    for (document, expected) in [
        (pages(&seen, 200, "sorry"), "404"),
        (pages(&seen, 201, "sorry"), "404"),
        (
            pages(&seen, 200, "sorry").with_status(StatusCode::GONE),
            "410",
        ),
        (
            pages(&seen, 200, "sorry").with_status(StatusCode::OK),
            "200",
        ),
        (pages(&seen, 451, "sorry").with_own_status(), "451"),
        (pages(&seen, 200, "sorry").with_own_status(), "200"),
    ] {
        let found = ask(&not_found(document), Request::get("/lost")).await;
        assert!(
            found.starts_with(expected) && found.ends_with("| sorry"),
            "{expected}: {found}"
        );
    }
}

#[tokio::test]
async fn error_document_6_a_router_and_files_have_pages() {
    let directory = std::env::temp_dir().join(format!("error-document-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("404.html"), "<p>a file").unwrap();
    let router = Router::new().route("/sorry", get(async || "a route"));
    let layer = ErrorDocumentLayer::new()
        .status(
            StatusCode::NOT_FOUND,
            Document::service(Files::new(&directory), "/404.html").unwrap(),
        )
        .server_errors(Document::service(router, "/sorry").unwrap());
    let app = app(layer, |request| {
        let status = request.uri().path()[1..].parse().unwrap();
        failing(status).body(Body::empty()).unwrap()
    });
    let request = Request::get("/404")
        .header("range", "bytes=0-1")
        .header("if-none-match", "*");
    assert_eq!(
        ask(&app, request).await,
        "404 content-type=text/html; charset=utf-8 | <p>a file"
    );
    assert_eq!(
        ask(&app, Request::get("/500")).await,
        "500 content-type=text/plain; charset=utf-8 | a route"
    );
    assert_eq!(
        ask(&app, Request::head("/404")).await,
        "404 content-type=text/html; charset=utf-8 | "
    );
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn error_document_6_a_path_begins_with_a_slash() {
    let service = || {
        service_fn(async |_: Request<Empty<Bytes>>| {
            Ok::<_, Infallible>(Response::new(String::new()))
        })
    };
    for path in ["404.html", "", "http://example.org/x", "/a b"] {
        let error = Document::service(service(), path).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`{path}` is not a path, such as /404.html")
        );
    }
}

#[tokio::test]
async fn error_document_12_head_has_no_page_where_get_has_none() {
    for (size, expected) in [
        (1024 * 1024, "404 content-type=application/octet-stream |"),
        (
            1024 * 1024 + 1,
            "404 content-type=text/plain; charset=utf-8 |",
        ),
    ] {
        let page = Router::new().route("/page", get(async move || vec![b'x'; size]));
        let app = not_found(Document::service(page, "/page").unwrap());
        for method in ["GET", "HEAD"] {
            let found = ask(&app, Request::builder().method(method)).await;
            assert!(found.starts_with(expected), "{method}: {found:.99}");
        }
    }
}
