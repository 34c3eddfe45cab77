//! The filter `compression`: the two forms of a response as caches and clients see them.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tower::{ServiceExt, service_fn};
use tower_deploy::{App, Body, Registry};

use super::{
    ask,
    files::{Folder, STATIC},
    header, loader,
};

/// Returns a text that is worth compressing.
fn text() -> String {
    "0123456789".repeat(100)
}

const FILTER: &str = "filter-with = it\n[filter:it]\nuse = egg:tower#compression\n";

/// Returns a compressed site of files.
fn files(name: &str) -> (Folder, App) {
    let ini = format!("{STATIC}{FILTER}");
    let folder = Folder::new(
        name,
        &[
            ("main.ini", &ini),
            ("www/a.txt", &text()),
            ("www/a.png", &text()),
        ],
    );
    let app = folder.load("main.ini");
    (folder, app)
}

/// Returns an app that responds with the status and the headers that the path names (`_` is a
/// space), compressed.
fn said() -> App {
    let registry = Registry::standard().app("says", |_, (): ()| {
        Ok::<_, Infallible>(App::new(service_fn(async |request: Request<Body>| {
            let mut parts = request.uri().path()[1..].split('/');
            let status: u16 = parts.next().unwrap().parse().unwrap();
            let mut response = Response::builder()
                .status(status)
                .header("content-type", "text/plain")
                .header("etag", "\"x\"");
            for part in parts {
                let (name, value) = part.split_once('=').unwrap();
                response = response.header(name, value.replace('_', " "));
            }
            let body = match *request.method() == Method::HEAD || status == 304 {
                true => Body::default(),
                false => Body::from(text()),
            };
            Ok::<_, Infallible>(response.body(body).unwrap())
        })))
    });
    let ini = format!("[app:main]\nuse = egg:says\n{FILTER}");
    let loader = loader(registry, &[("main.ini", &ini)]);
    loader.load_app("config:/site/main.ini").unwrap()
}

async fn send(app: &App, method: Method, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(app, request).await
}

const GZIP: (&str, &str) = ("accept-encoding", "gzip");

#[tokio::test]
async fn deploy_43_the_tag_of_the_compressed_form_gives_304() {
    let (_folder, app) = files("compressed-tag");
    let plain = send(&app, Method::GET, "/a.txt", &[]).await;
    let packed = send(&app, Method::GET, "/a.txt", &[GZIP]).await;
    let (strong, weak) = (header(&plain, "etag"), header(&packed, "etag"));
    let (strong, weak) = (strong.unwrap(), weak.unwrap());
    assert_eq!(header(&packed, "content-encoding"), Some("gzip"));
    let opaque = strong.trim_matches('"');
    assert_eq!(weak, format!("W/\"{opaque}~gzip\""), "the bytes are others");
    assert_eq!(header(&packed, "accept-ranges"), None);
    assert!(header(&packed, "last-modified").is_some());
    // A confirmation names the tag of the copy that it confirms, or a cache would make it strong.
    for (copy, tag) in [(weak, weak), (strong, strong)] {
        for method in [Method::GET, Method::HEAD] {
            let headers = [GZIP, ("if-none-match", copy)];
            let again = send(&app, method, "/a.txt", &headers).await;
            assert_eq!(again.status(), 304, "{copy}");
            assert_eq!(header(&again, "etag"), Some(tag));
            assert_eq!(header(&again, "vary"), Some("accept-encoding"));
        }
    }
    // A part of a compressed copy is not made of the plain bytes.
    let part = |tag| [GZIP, ("range", "bytes=4-6"), ("if-range", tag)];
    let whole = send(&app, Method::GET, "/a.txt", &part(weak)).await;
    assert_eq!(whole.status(), 200);
    assert_eq!(header(&whole, "content-encoding"), Some("gzip"));
    let of_plain = send(&app, Method::GET, "/a.txt", &part(strong)).await;
    assert_eq!(of_plain.status(), 206);
    assert_eq!(of_plain.body(), "456");
    assert_eq!(header(&of_plain, "etag"), Some(strong));
    assert_eq!(header(&of_plain, "vary"), Some("accept-encoding"));
}

#[tokio::test]
async fn deploy_42_head_has_the_headers_of_get() {
    let (_folder, app) = files("compressed-head");
    let said = said();
    for headers in [&[][..], &[GZIP], &[("accept-encoding", "identity;q=0")]] {
        for (app, path) in [
            (&app, "/a.txt"),
            (&app, "/a.png"),
            (&said, "/200"),
            (&said, "/404/content-length=1000"),
        ] {
            let get = send(app, Method::GET, path, headers).await;
            let head = send(app, Method::HEAD, path, headers).await;
            for name in ["content-encoding", "etag", "vary", "content-type"] {
                assert_eq!(header(&head, name), header(&get, name), "{path} {name}");
            }
            let encoded = header(&get, "content-encoding").is_some();
            let length = header(&head, "content-length");
            assert!(!encoded || length.is_none(), "{path}: {length:?}");
            assert_eq!(head.body(), "", "{path}");
        }
    }
}

#[tokio::test]
async fn deploy_41_a_response_that_must_not_change_does_not() {
    let app = said();
    for (path, why) in [
        ("/200/cache-control=max-age=3,_No-Transform", "it says so"),
        ("/200/content-encoding=br", "it is encoded"),
        ("/206/content-range=bytes_0-999", "it is a part"),
        ("/204", "there is nothing"),
    ] {
        let plain = send(&app, Method::GET, path, &[]).await;
        let asked = send(&app, Method::GET, path, &[GZIP]).await;
        assert_eq!(asked.body(), plain.body(), "{path}: {why}");
        assert_eq!(asked.headers(), plain.headers(), "{path}: {why}");
    }
}

#[tokio::test]
async fn deploy_40_no_accept_encoding_gives_406() {
    let app = said();
    for accept in [
        "identity;q=0",
        "*;q=0",
        "identity;q=0, br",
        "gzip;q=0, *;q=0",
    ] {
        for status in [200, 307, 404, 405] {
            let headers = [("accept-encoding", accept)];
            let path = format!("/{status}");
            let response = send(&app, Method::GET, &path, &headers).await;
            assert_eq!(response.status(), status, "{accept}");
            assert_eq!(response.body(), &text(), "{accept}");
            assert_eq!(header(&response, "content-encoding"), None);
            assert_eq!(header(&response, "vary"), Some("accept-encoding"));
        }
    }
}

#[tokio::test]
async fn deploy_44_digests_of_the_plain_bytes_do_not_stay() {
    let app = said();
    let path = "/200/content-digest=x/repr-digest=x/vary=cookie/last-modified=x";
    let response = send(&app, Method::GET, path, &[GZIP]).await;
    assert_eq!(header(&response, "content-digest"), None);
    assert_eq!(header(&response, "repr-digest"), None);
    assert_eq!(header(&response, "last-modified"), Some("x"));
    let vary: Vec<_> = response.headers().get_all("vary").iter().collect();
    assert_eq!(vary, ["cookie", "accept-encoding"]);
}

/// Several lines of a header that is a list are one list, and two of another one are none.
#[tokio::test]
async fn deploy_43_each_line_of_a_header_counts() {
    let app = said();
    let is_packed = async |method: Method, path: &str, headers: &[(&str, &str)]| {
        let response = send(&app, method, path, headers).await;
        header(&response, "content-encoding") == Some("gzip")
    };
    let no_transform = "/200/cache-control=max-age=3/cache-control=no-transform";
    assert!(is_packed(Method::GET, "/200", &[GZIP]).await);
    assert!(!is_packed(Method::GET, no_transform, &[GZIP]).await);
    let accepts = [("accept-encoding", "br"), GZIP];
    assert!(is_packed(Method::GET, "/200", &accepts).await);
    let refuses = [GZIP, ("accept-encoding", "gzip;q=0.5, identity")];
    assert!(is_packed(Method::GET, "/200", &refuses).await);
    let vary = "/200/vary=cookie/vary=Accept-Encoding";
    let response = send(&app, Method::GET, vary, &[GZIP]).await;
    assert_eq!(response.headers().get_all("vary").iter().count(), 2);
    // Of two tags and two dates none is the response's.
    let tags = "/200/etag=\"y\"/last-modified=x/last-modified=y";
    for method in [Method::GET, Method::HEAD, Method::POST] {
        let response = send(&app, method.clone(), tags, &[GZIP]).await;
        assert_eq!(header(&response, "content-encoding"), Some("gzip"));
        for name in ["etag", "last-modified"] {
            assert_eq!(header(&response, name), None, "{method} {name}");
        }
    }
    let response = send(&app, Method::POST, "/200/last-modified=x", &[GZIP]).await;
    assert_eq!(header(&response, "etag"), Some("\"x\""));
    assert_eq!(header(&response, "last-modified"), Some("x"));
}

/// The test names the smallest response and the types that are not compressed.
#[tokio::test]
async fn deploy_41_some_types_and_small_texts_are_not_compressed() {
    for (kind, length, is_packed) in [
        ("text/plain", 31, false),
        ("text/plain", 32, true),
        ("image/png", 100, false),
        ("image/svg+xml", 100, true),
        ("text/event-stream", 100, false),
        ("application/grpc", 100, false),
        ("application/grpc+proto", 100, false),
        ("application/json", 100, true),
    ] {
        let text = "x".repeat(length);
        let ini = format!(
            "[app:main]\nuse = egg:tower#text\ntext = {text}\ncontent_type = {kind}\n{FILTER}"
        );
        let loader = loader(Registry::standard(), &[("main.ini", &ini)]);
        let app = loader.load_app("config:/site/main.ini").unwrap();
        for method in [Method::GET, Method::HEAD] {
            let response = send(&app, method.clone(), "/", &[GZIP]).await;
            let found = header(&response, "content-encoding") == Some("gzip");
            assert_eq!(found, is_packed, "{method} {kind} {length}");
            assert_eq!(header(&response, "vary").is_some(), is_packed, "{kind}");
        }
    }
    // A response without content is not compressed.
    let app = said();
    for status in [204, 205] {
        let path = format!("/{status}");
        let response = send(&app, Method::GET, &path, &[GZIP]).await;
        assert_eq!(header(&response, "content-encoding"), None, "{status}");
        assert_eq!(header(&response, "vary"), None, "{status}");
    }
}

/// Trailers come after the packed bytes, without the digests of the plain ones.
#[tokio::test]
async fn deploy_44_trailers_are_the_end_of_the_compressed_form() {
    let registry = Registry::standard().app("ends", |_, (): ()| {
        Ok::<_, Infallible>(App::new(service_fn(async |_: Request<Body>| {
            let trailers = [
                ("x-sum", "1"),
                ("content-digest", "x"),
                ("repr-digest", "x"),
            ];
            let trailers = trailers.map(|(name, value)| {
                let name = http::HeaderName::from_static(name);
                (name, http::HeaderValue::from_static(value))
            });
            let frames = [
                Frame::data(Bytes::from(text())),
                Frame::trailers(http::HeaderMap::from_iter(trailers)),
            ];
            let frames = futures_util::stream::iter(frames.map(Ok::<_, Infallible>));
            let response = Response::builder().header("content-type", "text/plain");
            let body = Body::new(StreamBody::new(frames));
            Ok::<_, Infallible>(response.body(body).unwrap())
        })))
    });
    let ini = format!("[app:main]\nuse = egg:ends\n{FILTER}");
    let loader = loader(registry, &[("main.ini", &ini)]);
    let app = loader.load_app("config:/site/main.ini").unwrap();
    for (accepts, left) in [
        ("gzip", &["x-sum"][..]),
        ("br", &["content-digest", "repr-digest", "x-sum"]),
    ] {
        let request = Request::get("/").header("accept-encoding", accepts);
        let request = request.body(Body::default()).unwrap();
        let Ok(response) = app.clone().oneshot(request).await;
        let body = response.into_body().collect().await.unwrap();
        let trailers = body.trailers().unwrap().clone();
        let mut names: Vec<_> = trailers.keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, left, "{accepts}");
        assert_eq!(body.to_bytes().starts_with(b"\x1f\x8b"), accepts == "gzip");
    }
}
