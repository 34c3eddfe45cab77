//! As a part of an axum router.

use axum::{Router, body::Body, http::Request, routing::get};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::site;

/// `index.html` was sent at once, so its relative links led beside the mount.
#[tokio::test]
async fn static_10_the_path_of_a_nest_gets_its_slash() {
    let site = site("nest");
    let inner = Router::new().nest_service("/b", site.files());
    let app: Router = Router::new()
        .nest_service("/s", site.files())
        .nest("/a", inner)
        .nest_service("/bare", site.files().without_index());
    for (method, path, status, location) in [
        ("GET", "/s", 307, Some("/s/")),
        ("HEAD", "/s", 307, Some("/s/")),
        ("GET", "/s?a=b", 307, Some("/s/?a=b")),
        ("POST", "/s", 405, None),
        ("GET", "/s/", 200, None),
        ("GET", "/a/b", 307, Some("/a/b/")),
        ("GET", "/a/b/", 200, None),
        ("GET", "/bare", 404, None),
        ("GET", "/bare/", 404, None),
    ] {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{method} {path}");
        let found = response.headers().get("location");
        let found = found.map(|value| value.to_str().unwrap());
        assert_eq!(found, location, "{method} {path}");
    }
}

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
        ("/", 200, "<p>hello", None),
        ("/assets/", 200, "<p>hello", None),
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
