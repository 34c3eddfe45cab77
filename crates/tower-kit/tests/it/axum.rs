//! A rejection as axum's response.

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode, request::Parts};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_kit::Rejection;

async fn text(app: &Router, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).header("accept", "application/json");
    let request = request.body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    assert!(Rejection::of(&response).is_some());
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn kit_14_a_handler_returns_a_rejection() {
    let gone = || Rejection::new(StatusCode::GONE, std::io::Error::other("")).with_detail("gone");
    let app: Router = Router::new()
        .route("/text", get(async move || gone()))
        .route(
            "/json",
            get(async move |head: Parts| gone().with_preferences(&head)),
        );
    let plain = (StatusCode::GONE, "gone\n".to_owned());
    assert_eq!(text(&app, "/text").await, plain);
    let (status, json) = text(&app, "/json").await;
    assert_eq!(status, StatusCode::GONE);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["detail"], "gone");
}
