//! As a part of an axum router.

use axum::{Router, body::Body, http::Request, routing::get};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::site;

#[tokio::test]
async fn files_are_a_nest_and_a_fallback() {
    let site = site("axum");
    let app: Router = Router::new()
        .route("/api", get(async || "an API"))
        .nest_service("/assets", site.files())
        .fallback_service(site.files());
    for (path, status, body, location) in [
        ("/api", 200, "an API", None),
        ("/sub/deep.txt", 200, "deep", None),
        ("/assets/sub/deep.txt", 200, "deep", None),
        ("/sub", 307, "", Some("/sub/")),
        ("/assets/sub", 307, "", Some("/assets/sub/")),
        ("/nowhere", 404, "404 Not Found\n", None),
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let found = response.headers().get("location");
        assert_eq!(
            found.map(|value| value.to_str().unwrap()),
            location,
            "{path}"
        );
        let found = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(found, body, "{path}");
    }
}
