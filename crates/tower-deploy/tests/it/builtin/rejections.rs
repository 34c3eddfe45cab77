//! Error responses of the built-in apps, in the format that the client prefers.

use std::io;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use tower_deploy::Body;
use tower_kit::{Rejection, status_of};

use super::{
    ask,
    files::{Folder, STATIC},
    header, send, site,
};

const MAP: &str = "[composite:main]\nuse = egg:tower#urlmap\n/a = a\n\
                   [app:a]\nuse = egg:tower#text\ntext = a\n";
const REDIRECT: &str = "[composite:main]\nuse = egg:tower#router\nurlpatterns = ^/(.*) go\n\
                        [app:go]\nuse = egg:tower#redirect\nlocation = /to/{0}\n";

/// The method, the path and the status.
type Rejected = (&'static str, &'static str, u16);

const FILES: [Rejected; 7] = [
    ("GET", "/.env", 404),
    ("POST", "/.env", 404),
    ("GET", "/b.txt", 404),
    ("POST", "/b.txt", 404),
    ("GET", "/a.txt", 412),
    ("POST", "/a.txt", 405),
    ("GET", "/a.txt", 416),
];

/// Sends each request with a header, and checks the status and the headers of the rejection.
async fn rejected(name: &str, value: &str) -> Vec<(u16, &'static str, Response<Bytes>)> {
    let files = [("main.ini", STATIC), ("www/a.txt", "a"), ("www/.env", "x")];
    let folder = Folder::new("rejections", &files);
    let mut responses = Vec::new();
    for (app, table) in [
        (folder.load("main.ini"), &FILES[..]),
        (site(MAP), &[("GET", "/b", 404), ("POST", "/b", 404)]),
        (site(REDIRECT), &[("GET", "/..", 404), ("POST", "/..", 404)]),
    ] {
        for (method, path, status) in table {
            let request = Request::builder().method(*method).uri(*path);
            let request = match status {
                412 => request.header("if-match", "\"x\""),
                416 => request.header("range", "bytes=9-"),
                _ => request,
            };
            let response = ask(&app, request.header(name, value)).await;
            assert_eq!(status_of(&response), *status, "{method} {path}");
            let rejection = Rejection::of(&response).unwrap();
            let is_missing = *path == "/b.txt";
            assert_eq!(rejection.reason::<io::Error>().is_some(), is_missing);
            let allow = (*status == 405).then_some("GET, HEAD");
            assert_eq!(header(&response, "allow"), allow);
            let range = (*status == 416).then_some("bytes */1");
            assert_eq!(header(&response, "content-range"), range);
            responses.push((*status, *method, response));
        }
    }
    responses
}

#[tokio::test]
async fn deploy_19_a_rejection_has_the_format_of_the_client() {
    for (status, _, response) in rejected("accept", "*/*").await {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.body(), &*format!("{status}\n"));
        assert_eq!(header(&response, "cache-control"), Some("no-store"));
    }
    for (status, _, response) in rejected("accept", "application/json").await {
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["status"], status);
    }
    for (status, method, response) in rejected("content-type", "application/grpc").await {
        let on_the_wire = if method == "POST" { 200 } else { status };
        assert_eq!(response.status(), on_the_wire);
        let code = (method == "POST").then_some("12");
        assert_eq!(header(&response, "grpc-status"), code);
    }
}

/// The status on the wire is 200 for a client of gRPC.
#[tokio::test]
async fn deploy_19_a_cascade_falls_through_a_rejection() {
    let files = [
        (
            "main.ini",
            "[composite:main]\nuse = egg:tower#cascade\napp1 = files\napp2 = map\napp3 = last\n\
             [app:files]\nuse = egg:tower#static\ndocument_root = %(here)s/www\n\
             [composite:map]\nuse = egg:tower#urlmap\n/a = last\n\
             [app:last]\nuse = egg:tower#text\ntext = last\n",
        ),
        ("www/a.txt", "a"),
    ];
    let folder = Folder::new("rejections-cascade", &files);
    let app = folder.load("main.ini");
    for content_type in ["text/plain", "application/grpc"] {
        let request = Request::post("/b").header("content-type", content_type);
        assert_eq!(ask(&app, request).await.body(), "last", "{content_type}");
    }
}

#[tokio::test]
async fn deploy_26_an_upload_that_breaks_off_is_a_400() {
    let app = site("[app:main]\nuse = egg:tower#checksum\n");
    for (content_type, on_the_wire) in [("text/plain", 400), ("application/grpc", 200)] {
        let broken = [Err::<Frame<Bytes>, _>(io::Error::other("gone"))];
        let body = StreamBody::new(futures_util::stream::iter(broken));
        let request = Request::post("/").header("content-type", content_type);
        let response = send(&app, request.body(Body::new(body)).unwrap()).await;
        assert_eq!(response.status(), on_the_wire);
        assert_eq!(status_of(&response), 400);
        let rejection = Rejection::of(&response).unwrap();
        assert_eq!(rejection.detail(), Some("the body broke off"));
    }
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn deploy_20_the_log_has_the_status_and_the_reason() {
    let map = MAP.replace("[composite:main]", "[composite:map]");
    let log = "[pipeline:main]\npipeline = log map\n[filter:log]\nuse = egg:tower#trace\n";
    let app = site(&format!("{log}{map}"));
    for (content_type, on_the_wire) in [("text/plain", 404), ("application/grpc", 200)] {
        let (log, _guard) = crate::log::Log::begin(tracing::Level::INFO);
        let request = Request::post("/b").header("content-type", content_type);
        assert_eq!(ask(&app, request).await.status(), on_the_wire);
        let log = log.text();
        let words = "tower_http::trace::on_response: finished processing request latency=";
        let reason = " ms status=404 reason=\"no app is mapped to this host and path\"\n";
        assert!(log.contains(words) && log.ends_with(reason), "{log}");
    }
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn deploy_20_the_log_has_the_id_of_an_incident_once() {
    let app = site(
        "[pipeline:main]\npipeline = log catch panic\n[filter:log]\nuse = egg:tower#trace\n\
         [filter:catch]\nuse = egg:tower#exception\n[app:panic]\nuse = egg:tower#panic\n",
    );
    let (log, _guard) = crate::log::Log::begin(tracing::Level::INFO);
    let response = ask(&app, Request::get("/")).await;
    let id = response.headers()["x-incident-id"].to_str().unwrap();
    let log = log.text();
    let end = format!("status=500 incident={id}\n");
    assert!(log.ends_with(&end), "{log}");
    assert_eq!(log.matches("this app always panics").count(), 1, "{log}");
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn deploy_20_a_client_cannot_break_the_line_of_a_reason() {
    let app = site(
        "[pipeline:main]\npipeline = log origin text\n[filter:log]\nuse = egg:tower#trace\n\
         [filter:origin]\nuse = egg:tower#origin\nhosts = example.org\n\
         [app:text]\nuse = egg:tower#text\ntext = page\n",
    );
    for (host, reason) in [
        (
            "elsewhere.org",
            "this host is not served here (elsewhere.org)",
        ),
        ("a\"b", ""),
        ("[::1]x", ""),
    ] {
        let (log, _guard) = crate::log::Log::begin(tracing::Level::INFO);
        let request = Request::get("/").header("host", host);
        assert_eq!(ask(&app, request).await.status(), 400);
        let log = log.text();
        let (_, end) = log.split_once("status=400 reason=").unwrap();
        assert!(end.starts_with('"') && end.ends_with("\"\n"), "{log}");
        assert!(end.contains(reason), "{log}");
        assert_eq!(log.lines().count(), 1, "{log}");
    }
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn deploy_20_the_log_has_no_secrets_of_a_path_or_a_reason() {
    let app = site(
        "[pipeline:main]\npipeline = log origin text\n[filter:log]\nuse = egg:tower#trace\n\
         [filter:origin]\nuse = egg:tower#origin\ntrusted_without_address = yes\n\
         x_forwarded = prefix\n[app:text]\nuse = egg:tower#text\ntext = page\n",
    );
    for (path, header) in [
        ("/p;jsessionid=hunter7", None),
        ("/", Some("password=hunter7")),
    ] {
        let (log, _guard) = crate::log::Log::begin(tracing::Level::INFO);
        let mut request = Request::get(path).header("host", "example.org");
        if let Some(header) = header {
            request = request.header("x-forwarded-for", header);
        }
        ask(&app, request).await;
        let log = log.text();
        assert!(log.contains("finished processing request"), "{log}");
        assert!(!log.contains("hunter7"), "{log}");
    }
}
