//! The defaults of the built-in factories, and their documentation.

use std::convert::Infallible;

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::service_fn;
use tower_deploy::{App, Body, Registry};
use tower_origin::{Origin, PeerAddr};

use super::{
    ask,
    files::{Folder, STATIC},
    get, header, loader, send, site,
};

const DOCUMENT: &str = include_str!("../../../src/builtins.md");

/// Each optional setting: its row in the tables of the module `builtins`, its name, and the rest of
/// the text in the parentheses.
pub(super) const DEFAULTS: [(&str, &str, &str); 66] = [
    ("static", "cache_max_age", ""),
    ("static", "index", "= yes"),
    ("static", "charset", ""),
    ("static", "well_known", "= no"),
    ("static", "dotfiles", "= no"),
    ("static", "precompressed", ""),
    ("static", "content_cache", "= 16 MiB"),
    ("text", "content_type", "= `text/plain; charset=utf-8`"),
    ("text", "status", "= 200"),
    ("redirect", "status", "= 307"),
    ("urlmap", "not_found_app", ""),
    ("cascade", "catch", "= 404"),
    ("cascade", "replay_limit", "= 64 KiB"),
    ("cascade", "allow_auth_statuses", "= no"),
    ("cascade", "x_cascade_header", "= no"),
    ("origin", "trusted", ""),
    ("origin", "trusted_without_address", "= no"),
    ("origin", "x_forwarded", ": host, port, prefix"),
    ("origin", "only_forwarded", "= no"),
    ("origin", "only_x_forwarded", "= no"),
    ("origin", "hosts", ""),
    ("origin", "default_host", ""),
    ("origin", "https", "= no"),
    ("origin", "prefix", ""),
    ("egg:PasteDeploy#prefix", "scheme", "= http"),
    (
        "egg:PasteDeploy#prefix",
        "trusted",
        "= loopback and Unix sockets",
    ),
    ("prefix", "types", "= text/plain"),
    ("prefix", "chunks", "= no"),
    ("replace", "types", "= text/html"),
    ("replace", "ignoring_case", "= no"),
    ("replace", "once", "= no"),
    ("exception", "debug", "= no"),
    ("exception", "headers", "= no"),
    ("exception", "append_traceback", "= no"),
    ("error-documents", "format", ""),
    ("error-documents", "text_limit", "= 0"),
    ("error-documents", "any_content", "= no"),
    ("hooks", "skip_after_on_abort", "= no"),
    ("timeout", "status", "= 503"),
    ("request-id", "header", "= x-request-id"),
    ("cors", "methods", ""),
    ("cors", "headers", ""),
    ("cors", "expose", ""),
    ("cors", "credentials", "= no"),
    ("cors", "max_age", ""),
    ("set-header", "mode", "= override, or keep"),
    ("http", "host", "= 127.0.0.1"),
    ("http", "port", "= 8080"),
    ("http", "bind", ""),
    ("http", "header_timeout", "= 10s"),
    ("http", "keep_alive_timeout", "= 75s"),
    ("http", "body_timeout", "= 60s"),
    ("http", "write_timeout", "= 60s"),
    ("http", "drain_timeout", "= 30s"),
    ("http", "lingering_bytes", "= 32 MiB"),
    ("http", "lingering_time", "= 30s"),
    ("http", "connections", "= 10000"),
    ("http", "half_close", "= no"),
    ("http", "connect_protocol", "= no"),
    ("http", "access_log", ""),
    ("http", "log_format", "= combined"),
    ("http", "proxy_protocol", ""),
    ("https", "port", "= 8443"),
    ("https", "redirect_http", ""),
    ("https", "redirect_port", "= `port`"),
    ("https", "hsts", ""),
];

#[test]
fn deploy_21_optional_settings_are_documented() {
    let (tables, _) = DOCUMENT.split_once("\n# The app `static`\n").unwrap();
    let mut found = Vec::new();
    for row in tables.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = row.split(" | ");
        let names = cells.next().unwrap();
        let name = names.split('`').nth(1).unwrap();
        for setting in cells.next().unwrap().split("(`").skip(1) {
            let (setting, rest) = setting.split_once('`').unwrap();
            let (rest, _) = rest.split_once(')').unwrap();
            found.push((name, setting, rest.trim()));
        }
    }
    assert_eq!(found, DEFAULTS);
}

/// Wraps an app in this filter, in which only the required settings are set.
fn filtered(filter: &str, app: &str) -> App {
    let registry = Registry::standard()
        .app("origin", |_, (): ()| {
            Ok::<_, Infallible>(App::new(service_fn(async |request: Request<Body>| {
                let origin = request.extensions().get::<Origin>().unwrap();
                let client = origin.client().map(|client| client.to_string());
                let client = client.unwrap_or_default();
                let host = origin.authority().unwrap_or_default();
                let (scheme, prefix) = (origin.scheme(), origin.prefix());
                let said = format!("{scheme} {host} {prefix} {client}");
                Ok::<_, Infallible>(Response::new(Body::from(said)))
            })))
        })
        .app("reads", |_, (): ()| {
            Ok::<_, Infallible>(App::new(service_fn(async |request: Request<Body>| {
                let _ = request.into_body().collect().await;
                let mut response = Response::new(Body::default());
                *response.status_mut() = StatusCode::NOT_FOUND;
                Ok::<_, Infallible>(response)
            })))
        })
        .app("fails", |_, (): ()| {
            Ok::<_, Infallible>(App::new(service_fn(async |_: Request<Body>| {
                let broken = || -> Result<Response<Body>, Infallible> { panic!("not today") };
                broken()
            })))
        })
        .app("sleeps", |_, (): ()| {
            Ok::<_, Infallible>(App::new(service_fn(async |_: Request<Body>| {
                std::future::pending::<Result<Response<Body>, Infallible>>().await
            })))
        });
    let file = format!("[app:main]\nuse = {app}\nfilter-with = it\n[filter:it]\nuse = {filter}\n");
    let loader = loader(registry, &[("main.ini", &file)]);
    loader.load_app("config:/site/main.ini").unwrap()
}

fn text(filter: &str, text: &str) -> App {
    filtered(filter, &format!("egg:tower#text\ntext = {text}"))
}

fn html(filter: &str, text: &str) -> App {
    let app = format!("egg:tower#text\ncontent_type = text/html\ntext = {text}");
    filtered(filter, &app)
}

#[tokio::test]
async fn deploy_21_static_has_an_index_and_no_dotfiles() {
    let folder = Folder::new(
        "defaults",
        &[
            ("main.ini", STATIC),
            ("www/index.html", "<p>hello"),
            ("www/index.html.gz", "gzip"),
            ("www/latin.txt", "\u{fc}"),
            ("www/.env", "top secret"),
            ("www/.well-known/security.txt", "top secret"),
        ],
    );
    std::fs::write(folder.0.join("www/latin.txt"), b"\xfc").unwrap();
    let app = folder.load("main.ini");
    let request = Request::get("/").header("accept-encoding", "gzip");
    let index = ask(&app, request).await;
    assert_eq!(index.body(), "<p>hello");
    assert_eq!(header(&index, "vary"), None);
    assert_eq!(header(&index, "cache-control"), None);
    assert_eq!(
        header(&index, "content-type"),
        Some("text/html; charset=utf-8")
    );
    let latin = get(&app, "/latin.txt").await;
    assert_eq!(header(&latin, "content-type"), Some("text/plain"));
    for path in ["/.env", "/.well-known/security.txt"] {
        assert_eq!(get(&app, path).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn deploy_21_a_text_is_plain_and_a_redirect_temporary() {
    let text = get(&site("[app:main]\nuse = egg:tower#text\ntext = x\n"), "/").await;
    assert_eq!(text.status(), 200);
    assert_eq!(
        header(&text, "content-type"),
        Some("text/plain; charset=utf-8")
    );
    let redirect = site("[app:main]\nuse = egg:tower#redirect\nlocation = /x\n");
    assert_eq!(get(&redirect, "/").await.status(), 307);
}

#[tokio::test]
async fn deploy_21_a_cascade_catches_404_and_replays_64_kib() {
    let app = filtered("egg:tower#cascade\napp1 = egg:reads", "egg:tower#checksum");
    for (length, status) in [(64 * 1024, 200), (64 * 1024 + 1, 413)] {
        let body = Body::from("x".repeat(length));
        let response = send(&app, Request::put("/").body(body).unwrap()).await;
        assert_eq!(response.status(), status, "{length}");
        assert_eq!(header(&response, "x-cascade"), None);
    }
    for (status, falls_through) in [
        (404, true),
        (301, false),
        (403, false),
        (405, false),
        (500, false),
    ] {
        let app = site(&format!(
            "[composite:main]\nuse = egg:tower#cascade\napp1 = a\napp2 = b\n\
             [app:a]\nuse = egg:tower#text\ntext = a\nstatus = {status}\n\
             [app:b]\nuse = egg:tower#text\ntext = b\n"
        ));
        let response = get(&app, "/").await;
        let expected = if falls_through { "b" } else { "a" };
        assert_eq!(response.body(), expected, "{status}");
        assert_eq!(header(&response, "x-cascade"), None);
    }
}

/// A request from this peer that claims to be forwarded.
fn forwarded(peer: Option<&str>) -> Request<Body> {
    let mut request = Request::get("/").header("host", "own.example");
    for (name, value) in [
        ("for", "192.0.2.7"),
        ("proto", "https"),
        ("host", "said.example"),
        ("port", "81"),
        ("prefix", "/said"),
    ] {
        request = request.header(format!("x-forwarded-{name}"), value);
    }
    let mut request = request.body(Body::default()).unwrap();
    if let Some(peer) = peer {
        let peer = PeerAddr(format!("{peer}:9").parse().unwrap());
        request.extensions_mut().insert(peer);
    }
    request
}

#[tokio::test]
async fn deploy_21_the_origin_is_that_of_the_connection() {
    let app = filtered("egg:tower#origin", "egg:origin");
    for (peer, said) in [
        (Some("127.0.0.1"), "http own.example  127.0.0.1"),
        (None, "http own.example  "),
    ] {
        assert_eq!(send(&app, forwarded(peer)).await.body(), said);
    }
    // A trusted proxy names the client and the scheme, and nothing else.
    let app = filtered("egg:tower#origin\ntrusted = 127.0.0.1", "egg:origin");
    let said = send(&app, forwarded(Some("127.0.0.1"))).await;
    assert_eq!(said.body(), "https own.example  192.0.2.7");
    let app = filtered("egg:PasteDeploy#prefix\nprefix = /", "egg:origin");
    for (peer, said) in [
        (Some("127.0.0.1"), "https said.example  192.0.2.7"),
        (Some("127.8.9.1"), "https said.example  192.0.2.7"),
        (Some("[::1]"), "https said.example  192.0.2.7"),
        (None, "https said.example  192.0.2.7"),
        (Some("10.0.0.1"), "http own.example  10.0.0.1"),
    ] {
        assert_eq!(send(&app, forwarded(peer)).await.body(), said, "{peer:?}");
    }
}

#[tokio::test]
async fn deploy_21_a_prefix_is_for_lines_and_a_replacement_for_html() {
    let prefix = "egg:tower#prefix\nprefix = >";
    assert_eq!(get(&text(prefix, "a\n b"), "/").await.body(), ">a\n>b");
    assert_eq!(get(&html(prefix, "a"), "/").await.body(), "a");
    let replace = "egg:tower#replace\nreplace = tea\nwith = coffee";
    let response = get(&html(replace, "tea, Tea, tea"), "/").await;
    assert_eq!(response.body(), "coffee, Tea, coffee");
    assert_eq!(get(&text(replace, "tea"), "/").await.body(), "tea");
}

#[tokio::test]
async fn deploy_21_an_incident_shows_nothing() {
    let app = filtered("egg:tower#exception", "egg:fails");
    let request = Request::get("/").header("host", "localhost");
    let mut request = request.body(Body::default()).unwrap();
    let peer = PeerAddr("127.0.0.1:9".parse().unwrap());
    request.extensions_mut().insert(peer);
    let response = send(&app, request).await;
    assert_eq!(response.status(), 500);
    let shown = String::from_utf8_lossy(response.body());
    assert!(
        !shown.contains("not today") && !shown.contains("localhost"),
        "{shown}"
    );
}

#[tokio::test(start_paused = true)]
async fn deploy_21_a_timeout_is_a_503() {
    let app = filtered("egg:tower#timeout\ntimeout = 5s", "egg:sleeps");
    assert_eq!(get(&app, "/").await.status(), 503);
}

#[tokio::test]
async fn deploy_21_an_id_has_its_header_and_headers_are_overridden() {
    let response = get(&text("egg:tower#request-id", "x"), "/").await;
    assert!(header(&response, "x-request-id").is_some());
    let response = get(
        &text("egg:tower#set-header\ncontent-type = text/x", "x"),
        "/",
    )
    .await;
    let types: Vec<_> = response.headers().get_all("content-type").iter().collect();
    assert_eq!(types, ["text/x"]);
}

#[tokio::test]
async fn deploy_21_another_origin_may_only_read() {
    let app = text("egg:tower#cors\norigins = https://a.example", "x");
    let origin = Request::builder().header("origin", "https://a.example");
    let read = ask(&app, origin).await;
    assert_eq!(
        header(&read, "access-control-allow-origin"),
        Some("https://a.example")
    );
    let preflight = Request::builder()
        .method(Method::OPTIONS)
        .header("origin", "https://a.example")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "x-a");
    let preflight = ask(&app, preflight).await;
    for response in [read, preflight] {
        for name in ["methods", "headers", "credentials"] {
            let name = format!("access-control-allow-{name}");
            assert_eq!(header(&response, &name), None, "{name}");
        }
        for name in ["access-control-expose-headers", "access-control-max-age"] {
            assert_eq!(header(&response, name), None, "{name}");
        }
    }
}

/// The test names each factory, so that none can be lost in the code.
#[cfg(feature = "proxy")]
#[test]
fn deploy_21_the_built_in_factories_have_these_names() {
    let names = [
        ("paste#cascade", "Composite"),
        ("paste#cgi", "App"),
        ("paste#error_catcher", "Filter"),
        ("paste#errordocument", "Filter"),
        ("paste#gzip", "Filter"),
        ("paste#http", "Server"),
        ("paste#lint", "Filter"),
        ("paste#proxy", "App"),
        ("paste#static", "App"),
        ("paste#translogger", "Filter"),
        ("paste#urlmap", "Composite"),
        ("pastedeploy#prefix", "Filter"),
        ("tower#body-limit", "Filter"),
        ("tower#cascade", "Composite"),
        ("tower#cascade", "Filter"),
        ("tower#cgi", "App"),
        ("tower#cgi", "Server"),
        ("tower#checksum", "App"),
        ("tower#compression", "Filter"),
        ("tower#cors", "Filter"),
        ("tower#dispatch", "Filter"),
        ("tower#environ", "Filter"),
        ("tower#error-documents", "Filter"),
        ("tower#exception", "Filter"),
        ("tower#fastcgi", "App"),
        ("tower#fastcgi", "Server"),
        ("tower#hooks", "Filter"),
        ("tower#http", "Server"),
        ("tower#https", "Server"),
        ("tower#lint", "Filter"),
        ("tower#mount", "Filter"),
        ("tower#origin", "Filter"),
        ("tower#panic", "App"),
        ("tower#prefix", "Filter"),
        ("tower#process", "App"),
        ("tower#proxy", "App"),
        ("tower#redirect", "App"),
        ("tower#replace", "Filter"),
        ("tower#request-id", "Filter"),
        ("tower#router", "Composite"),
        ("tower#scgi", "App"),
        ("tower#scgi", "Server"),
        ("tower#server-timing", "Hook"),
        ("tower#set-header", "Filter"),
        ("tower#static", "App"),
        ("tower#text", "App"),
        ("tower#timeout", "Filter"),
        ("tower#trace", "Filter"),
        ("tower#urlmap", "Composite"),
    ];
    let names = names.map(|(name, kind)| format!("(\"{name}\", {kind})"));
    let shown = format!("{:?}", Registry::standard());
    assert_eq!(shown, format!("{{{}}}", names.join(", ")));
}
