//! Methods, directories, types, and the body.

use std::{fs, time::Duration};

use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};
use tower_environ::MountLayer;

use super::{Body, ask, get, header, site};

#[tokio::test]
async fn static_9_other_methods_are_404_or_with_a_file_405() {
    let site = site("methods");
    let app = site.files();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let nowhere = ask(&app, Request::builder().method(method).uri("/nowhere")).await;
        assert_eq!(nowhere.status(), StatusCode::NOT_FOUND, "{method}");
        assert_eq!(header(&nowhere, "allow"), None);
        let there = ask(&app, Request::builder().method(method).uri("/sub/deep.txt")).await;
        assert_eq!(there.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(header(&there, "allow"), Some("GET, HEAD"));
        let directory = ask(&app, Request::builder().method(method).uri("/sub")).await;
        assert_eq!(directory.status(), StatusCode::NOT_FOUND, "{method}");
    }
}

#[tokio::test]
async fn static_10_a_redirect_has_the_mount_and_no_other_host() {
    let site = site("redirect");
    let app = site.files();
    let location = async |path: &str| {
        let response = get(&app, path).await;
        assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT, "{path}");
        header(&response, "location").map(str::to_owned)
    };
    for (path, expected) in [
        ("/sub", "/sub/"),
        ("/sub?a=b", "/sub/?a=b"),
        ("/sub?a=%2F&b=%c3%bc?", "/sub/?a=%2F&b=%c3%bc?"),
        ("//sub", "/sub/"),
    ] {
        assert_eq!(location(path).await.as_deref(), Some(expected), "{path}");
    }
    let mounted = MountLayer::new("/files").unwrap().layer(app.clone());
    let request = Request::get("/files/sub").body(Body::empty()).unwrap();
    let response = mounted.oneshot(request).await.unwrap();
    assert_eq!(response.headers()["location"], "/files/sub/");
}

#[tokio::test]
async fn static_10_the_path_of_a_mount_gets_its_slash() {
    let site = site("mount");
    let mounted = MountLayer::new("/files").unwrap().layer(site.files());
    for (path, status, location) in [
        ("/files", 307, Some("/files/")),
        ("/files?a=b", 307, Some("/files/?a=b")),
        ("/files/", 200, None),
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = mounted.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let found = response.headers().get("location");
        let found = found.map(|value| value.to_str().unwrap());
        assert_eq!(found, location, "{path}");
    }
    // A URI without a path is that of the whole host.
    assert_eq!(get(&site.files(), "http://a.example").await.status(), 200);
}

#[tokio::test]
async fn static_12_the_age_is_stated() {
    let site = site("cache");
    let app = site.files().max_age(Duration::from_millis(60_999));
    let response = get(&app, "/index.html").await;
    assert_eq!(header(&response, "cache-control"), Some("max-age=60"));
    let nowhere = get(&app, "/nowhere").await;
    assert_eq!(header(&nowhere, "cache-control"), Some("no-store"));
    let since = header(&response, "last-modified").unwrap();
    let again = ask(
        &app,
        Request::get("/index.html").header("if-modified-since", since),
    )
    .await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(header(&again, "cache-control"), Some("max-age=60"));
}

#[tokio::test]
async fn static_10_without_index_a_directory_is_a_404() {
    let site = site("index");
    let app = site.files().without_index();
    for path in ["/", "/sub/", "/sub"] {
        let response = get(&app, path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(get(&app, "/sub/deep.txt").await.body(), "deep");
}

#[tokio::test]
async fn static_7_a_file_that_changes_keeps_to_its_length() {
    let site = site("changes");
    let app = site.files();
    let file = site.0.join("www/sub/deep.txt");
    let body = async |range: Option<&str>, then: &str| {
        fs::write(&file, "x".repeat(300_000)).unwrap();
        let mut request = Request::get("/sub/deep.txt");
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let request = request.body(Body::empty()).unwrap();
        let Ok(response) = app.clone().oneshot(request).await;
        fs::write(&file, then).unwrap();
        let length = response.headers()["content-length"].to_str().unwrap();
        let length: usize = length.parse().unwrap();
        (length, response.into_body().collect().await)
    };
    let longer = "x".repeat(400_000);
    for range in [None, Some("bytes=100-"), Some("bytes=10-19")] {
        let (length, grown) = body(range, &longer).await;
        assert_eq!(grown.unwrap().to_bytes().len(), length, "{range:?}");
    }
    for range in [None, Some("bytes=100-")] {
        let (_, shrunk) = body(range, "xxx").await;
        let error = shrunk.unwrap_err().to_string();
        assert_eq!(error, "the file is shorter than it was", "{range:?}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn static_11_a_file_that_may_not_be_read_is_403() {
    let site = site("unreadable");
    // No user may read it, root included.
    let closed = "/proc/sys/vm/drop_caches";
    std::os::unix::fs::symlink(closed, site.0.join("www/closed.txt")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(site.0.join("www/socket")).unwrap();
    let app = site.files();
    let hidden = site.files().hidden([closed]);
    for (method, status) in [(Method::GET, 403), (Method::HEAD, 403), (Method::POST, 405)] {
        let request = |path: &str| Request::builder().method(&method).uri(path);
        let response = ask(&app, request("/closed.txt")).await;
        assert_eq!(response.status(), status, "{method}");
        // A hidden file and a socket are not there at all.
        for (app, path) in [(&hidden, "/closed.txt"), (&app, "/socket")] {
            let response = ask(app, request(path)).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn static_8_the_type_is_that_of_the_extension() {
    let site = site("types");
    for (name, expected) in [
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.JS", "text/javascript; charset=utf-8"),
        ("a.wasm", "application/wasm"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.md", "text/markdown; charset=utf-8"),
        ("a.svg", "image/svg+xml"),
        ("a.unknown", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ] {
        site.write(&format!("www/{name}"), b"");
        let response = get(&site.files(), &format!("/{name}")).await;
        assert_eq!(header(&response, "content-type"), Some(expected), "{name}");
    }
}

#[tokio::test]
async fn static_8_text_files_in_utf_8_name_it() {
    let site = site("charset");
    let long = format!("{}\u{fc}", "x".repeat((64 << 10) - 1));
    let write = |name: &str, bytes: &[u8]| site.write(&format!("www/{name}"), bytes);
    write("ascii.txt", b"abc");
    write("utf8.md", "\u{fc}".as_bytes());
    write("cut.html", long.as_bytes());
    write("latin1.txt", b"\xfc");
    write("half.txt", b"abc\xc3");
    write("empty.css", b"");
    write("data.json", b"{}");
    write("noext", b"abc");
    let (found, none) = (site.files(), site.files().without_charset());
    let fixed = site.files().charset("windows-1252").unwrap();
    for (path, by_look, with_none, with_fixed) in [
        (
            "/ascii.txt",
            "text/plain; charset=utf-8",
            "text/plain",
            "text/plain; charset=windows-1252",
        ),
        (
            "/utf8.md",
            "text/markdown; charset=utf-8",
            "text/markdown",
            "text/markdown; charset=windows-1252",
        ),
        (
            "/cut.html",
            "text/html; charset=utf-8",
            "text/html",
            "text/html; charset=windows-1252",
        ),
        (
            "/latin1.txt",
            "text/plain",
            "text/plain",
            "text/plain; charset=windows-1252",
        ),
        (
            "/half.txt",
            "text/plain",
            "text/plain",
            "text/plain; charset=windows-1252",
        ),
        (
            "/empty.css",
            "text/css; charset=utf-8",
            "text/css",
            "text/css; charset=windows-1252",
        ),
        (
            "/data.json",
            "application/json",
            "application/json",
            "application/json",
        ),
        (
            "/noext",
            "application/octet-stream",
            "application/octet-stream",
            "application/octet-stream",
        ),
    ] {
        for (app, expected) in [(&found, by_look), (&none, with_none), (&fixed, with_fixed)] {
            for method in [Method::GET, Method::HEAD] {
                let request = Request::builder().method(method).uri(path);
                let response = ask(app, request).await;
                assert_eq!(header(&response, "content-type"), Some(expected), "{path}");
            }
        }
    }
    // The bytes that were looked at are sent, too.
    assert_eq!(get(&found, "/cut.html").await.body(), &long);
    for name in ["a b", "", "utf-8\n"] {
        let error = site.files().charset(name).unwrap_err().to_string();
        assert_eq!(error, format!("{name:?} is not the name of a charset"));
    }
}
