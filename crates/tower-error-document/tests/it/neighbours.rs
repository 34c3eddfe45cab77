//! Compression and CORS on either side of the layer.

use std::convert::Infallible;

use axum::body::Body;
use http::{HeaderMap, Request, Response, StatusCode};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_error_document::{Document, ErrorDocumentLayer};
use tower_http::{compression::CompressionLayer, cors::CorsLayer};

fn documents() -> ErrorDocumentLayer {
    ErrorDocumentLayer::new().all_errors(Document::negotiated().with_text(500))
}

/// Responds with the status in the path, and a text that is worth being compressed.
async fn app(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let mut response = Response::new(Body::from("a long text, ".repeat(20)));
    *response.status_mut() = request.uri().path()[1..].parse().unwrap();
    let headers = response.headers_mut();
    headers.insert("content-type", "text/plain".parse().unwrap());
    Ok(response)
}

/// Returns the head of the response to a browser.
async fn head<L, S, B>(layers: L, path: &str) -> (StatusCode, HeaderMap)
where
    L: Layer<tower::util::BoxCloneService<Request<Body>, Response<Body>, Infallible>, Service = S>,
    S: tower::Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    let service = layers.layer(tower::util::BoxCloneService::new(service_fn(app)));
    let request = Request::get(path)
        .header("accept", "application/json")
        .header("accept-encoding", "gzip")
        .header("origin", "https://example.org")
        .body(Body::empty())
        .unwrap();
    let Ok(response) = service.oneshot(request).await;
    let (head, _) = response.into_parts();
    (head.status, head.headers)
}

#[tokio::test]
async fn error_document_9_compression_outside_sees_the_document() {
    let layers = ServiceBuilder::new()
        .layer(CompressionLayer::new())
        .layer(documents());
    let (status, headers) = head(layers, "/404").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["content-encoding"], "gzip");
}

#[tokio::test]
async fn error_document_9_compression_inside_is_undone() {
    let layers = || {
        ServiceBuilder::new()
            .layer(documents())
            .layer(CompressionLayer::new())
    };
    let (status, headers) = head(layers(), "/404").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(headers["content-type"], "application/json");
    assert!(!headers.contains_key("content-encoding"));
    let (_, headers) = head(layers(), "/200").await;
    assert_eq!(headers["content-encoding"], "gzip");
}

#[tokio::test]
async fn error_document_10_cors_is_right_on_either_side() {
    let cors = CorsLayer::permissive;
    let outside = ServiceBuilder::new().layer(cors()).layer(documents());
    let inside = ServiceBuilder::new().layer(documents()).layer(cors());
    for (_, headers) in [head(outside, "/404").await, head(inside, "/404").await] {
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["access-control-allow-origin"], "*");
        let vary: Vec<_> = headers.get_all("vary").iter().collect();
        assert!(vary.contains(&&"accept".parse().unwrap()), "{vary:?}");
    }
}

#[tokio::test]
async fn error_document_13_what_is_no_error_passes() {
    for path in ["/200", "/204", "/206", "/301", "/304"] {
        let (status, headers) = head(documents(), path).await;
        assert_eq!(status.as_str(), &path[1..]);
        assert_eq!(headers["content-type"], "text/plain");
    }
}
