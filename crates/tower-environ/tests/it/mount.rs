use std::convert::Infallible;

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_environ::{MountExt, MountLayer, NotMounted, PathInfo, ScriptName};
use tower_kit::{Rejection, status_of};

/// Responds with SCRIPT_NAME, PATH_INFO and the URI.
async fn place(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, ()) = request.into_parts();
    let text = format!(
        "{}|{} {}",
        parts.script_name(),
        parts.path_info(),
        parts.uri
    );
    Ok(Response::new(text.into()))
}

async fn ask<S, B>(app: S, uri: &str) -> (StatusCode, String)
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes, Error = Infallible>,
{
    let method = match uri {
        "*" => Method::OPTIONS,
        "example.org:80" => Method::CONNECT,
        _ => Method::GET,
    };
    let request = Request::builder().method(method).uri(uri).body(()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.into()).unwrap())
}

#[tokio::test]
async fn environ_8_a_mounted_service_sees_the_rest_of_the_path() {
    let app = MountLayer::new("/a").unwrap().layer(service_fn(place));
    let table = [
        ("/a", "/a| /"),
        ("/a?b=c", "/a| /?b=c"),
        ("/a/", "/a|/ /"),
        ("/a/b?c=d", "/a|/b /b?c=d"),
        ("/a//b", "/a|//b //b"),
        ("/a/b%2Fc/%2e%2e/", "/a|/b%2Fc/%2e%2e/ /b%2Fc/%2e%2e/"),
        ("/%61/b", "/%61|/b /b"),
        ("http://example.org/a/b", "/a|/b http://example.org/b"),
    ];
    for (uri, expected) in table {
        assert_eq!(
            ask(app.clone(), uri).await,
            (StatusCode::OK, expected.into()),
            "{uri}"
        );
    }
    for uri in ["/", "//a", "/ab", "/b", "/a%2Fb", "*", "example.org:80"] {
        let text = "nothing is mounted at this path\n".to_owned();
        assert_eq!(
            ask(app.clone(), uri).await,
            (StatusCode::NOT_FOUND, text),
            "{uri}"
        );
    }
}

#[tokio::test]
async fn environ_8_a_mount_at_the_root_strips_nothing() {
    let app = MountLayer::new("/").unwrap().layer(service_fn(place));
    for (uri, expected) in [
        ("/", "|/ /"),
        ("//a?b", "|//a //a?b"),
        ("*", "|* *"),
        ("example.org:80", "| example.org:80"),
    ] {
        assert_eq!(ask(app.clone(), uri).await.1, expected, "{uri}");
    }
}

#[tokio::test]
async fn environ_11_a_mount_in_a_mount_is_like_one_mount() {
    let nested = ServiceBuilder::new()
        .layer(MountLayer::new("/a").unwrap())
        .layer(MountLayer::new("/b/c").unwrap())
        .layer(MountLayer::new("/").unwrap());
    let whole = MountLayer::new("/a/b/c").unwrap();
    for uri in [
        "/a/b/c/d?e",
        "/a/b/c",
        "/a/b/c/",
        "/a/b",
        "/a//b/c",
        "/%61/%62/c/d%2Fe",
    ] {
        let expected = ask(whole.layer(service_fn(place)), uri).await;
        assert_eq!(
            ask(nested.clone().service_fn(place), uri).await,
            expected,
            "{uri}"
        );
    }
}

#[tokio::test]
async fn environ_8_a_rejection_has_its_reason_and_no_body_for_head() {
    let app = MountLayer::new("/a").unwrap().layer(service_fn(place));
    for (method, stated, length) in [(Method::GET, None, 32), (Method::HEAD, Some("32"), 0)] {
        let request = Request::builder()
            .method(method)
            .uri("/b")
            .body(())
            .unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let reason = Rejection::of(&response).and_then(Rejection::reason);
        let reason: &NotMounted = reason.unwrap();
        assert_eq!(reason.to_string(), "nothing is mounted at this path");
        assert_eq!(
            response.headers()[CONTENT_TYPE],
            "text/plain; charset=utf-8"
        );
        let found = response.headers().get(CONTENT_LENGTH);
        assert_eq!(found.map(HeaderValue::as_bytes), stated.map(str::as_bytes));
        assert_eq!(response.body().size_hint().exact(), Some(length));
    }
}

#[tokio::test]
async fn environ_8_a_rejection_speaks_the_clients_protocol() {
    let app = MountLayer::new("/a").unwrap().layer(service_fn(place));
    let request = Request::post("/b").header(CONTENT_TYPE, "application/grpc");
    let response = app.oneshot(request.body(()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["grpc-status"], "12");
    assert_eq!(status_of(&response), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn environ_16_outer_layers_keep_the_request_as_it_was() {
    let mount = MountLayer::new("/a").unwrap();
    let app = service_fn(move |request: Request<()>| {
        let mount = mount.clone();
        async move {
            let mine = request.clone();
            mount.layer(service_fn(place)).oneshot(request).await?;
            place(mine).await
        }
    });
    assert_eq!(ask(app, "/a/b").await.1, "|/a/b /a/b");
}

/// A layer that changes the path to another one.
fn rewrite(request: &mut Request<()>, path: &'static str) {
    *request.uri_mut() = path.parse().unwrap();
}

#[test]
fn environ_17_a_rewritten_path_counts_from_the_next_mount() {
    let mut request = Request::get("/a/x/").body(()).unwrap();
    assert!(ScriptName::grow(&mut request, 2));
    rewrite(&mut request, "/x");
    assert_eq!((request.script_name(), request.path_info()), ("/a", "/x/"));
    rewrite(&mut request, "/new/y");
    assert_eq!((request.script_name(), request.path_info()), ("/a", "/x/"));
    rewrite(&mut request, "/");
    assert_eq!((request.script_name(), request.path_info()), ("/a/x", "/"));
    rewrite(&mut request, "/new/y");
    assert!(ScriptName::grow(&mut request, 4));
    assert_eq!(
        (request.script_name(), request.path_info()),
        ("/a/new", "/y")
    );
    // It is longer than the rest, and also an end of the raw path: SCRIPT_NAME never shrinks.
    let mut request = Request::get("/x/x").body(()).unwrap();
    assert!(ScriptName::grow(&mut request, 2));
    rewrite(&mut request, "/x/x");
    assert_eq!((request.script_name(), request.path_info()), ("/x", "/x"));
}

#[test]
fn environ_9_a_mount_ends_at_the_end_of_a_segment() {
    for (uri, by, expected) in [
        ("/a/b", 0, true),
        ("/a/b", 2, true),
        ("/a/b", 4, true),
        ("/a/b", 1, false),
        ("/a/b", 3, false),
        ("/a/b", 5, false),
        ("/", 0, true),
        ("/", 1, true),
        ("*", 0, true),
        ("*", 1, true),
    ] {
        let mut request = Request::get(uri).body(()).unwrap();
        assert_eq!(ScriptName::grow(&mut request, by), expected, "{uri} {by}");
        assert_eq!(request.script_name(), &uri[..if expected { by } else { 0 }]);
        assert_eq!(request.path_info(), &uri[if expected { by } else { 0 }..]);
    }
    // Nothing is left of `/a`, and the URI has `/`.
    let mut request = Request::get("/a").body(()).unwrap();
    assert!(ScriptName::grow(&mut request, 2));
    assert!(!ScriptName::grow(&mut request, 1));
    assert!(ScriptName::grow(&mut request, 0));
    assert_eq!((request.script_name(), request.path_info()), ("/a", ""));
}

#[test]
fn environ_9_both_names_can_outlive_the_request() {
    let mut request = Request::get("/a/b").body(()).unwrap();
    assert!(ScriptName::grow(&mut request, 2));
    let script_name = ScriptName::of(request.uri(), request.extensions());
    let path_info = PathInfo::of(request.uri(), request.extensions());
    let mut other = Request::get("/a/c?d").body(()).unwrap();
    assert!(ScriptName::grow(&mut other, 2));
    assert_eq!(script_name, ScriptName::of(other.uri(), other.extensions()));
    assert_ne!(path_info, PathInfo::of(other.uri(), other.extensions()));
    let other = Request::get("/b?d").body(()).unwrap();
    assert_ne!(script_name, ScriptName::of(other.uri(), other.extensions()));
    assert_eq!(path_info, PathInfo::of(other.uri(), other.extensions()));
    drop(request);
    assert_eq!(
        format!("{script_name} {script_name:?}"),
        "/a ScriptName(\"/a\")"
    );
    assert_eq!(format!("{path_info} {path_info:?}"), "/b PathInfo(\"/b\")");
}
