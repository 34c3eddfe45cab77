use std::{convert::Infallible, time::Duration};

use http::{Request, Response, StatusCode};
use tower::service_fn;
use tower_deploy::{App, Body, Registry};
use tower_environ::{Environ, EnvironExt, Key, ScriptName};
use tower_origin::{Origin, PeerAddr};

use super::{ask, get, header, loader, send, wrong};

/// Returns a registry with apps that show the request, sleep and fail.
fn registry() -> Registry {
    Registry::standard()
        .app("sees", |_, (): ()| {
            Ok::<_, Infallible>(App::new(service_fn(async |request: Request<Body>| {
                let key: Key<String> = Key::parse("site.title").unwrap();
                let title = request.environ(&key).cloned().unwrap_or_default();
                let extensions = request.extensions();
                let script_name = ScriptName::of(request.uri(), extensions);
                let origin = extensions.get::<Origin>();
                let seen = format!(
                    "{title} {} {} {:?}",
                    script_name.as_str(),
                    request.uri().path(),
                    origin.map(|origin| (
                        origin.scheme().to_string(),
                        origin.client(),
                        origin.prefix().to_owned()
                    )),
                );
                Ok::<_, Infallible>(Response::new(Body::from(seen)))
            })))
        })
        .app("sleeps", |_, (): ()| {
            Ok::<_, Infallible>(App::new(service_fn(async |_: Request<Body>| {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Ok::<_, Infallible>(Response::new(Body::default()))
            })))
        })
        .app("fails", |_, (): ()| {
            Ok::<_, Infallible>(App::new(service_fn(async |_: Request<Body>| {
                let broken = || -> Result<Response<Body>, Infallible> { panic!("not today") };
                broken()
            })))
        })
}

/// Wraps an app in a filter with these settings.
pub(super) fn filtered(filter: &str, app: &str) -> App {
    let file = format!("[app:main]\nuse = {app}\nfilter-with = it\n[filter:it]\nuse = {filter}\n");
    let loader = loader(registry(), &[("main.ini", &file)]);
    loader.load_app("config:/site/main.ini").unwrap()
}

fn text(filter: &str, text: &str) -> App {
    filtered(filter, &format!("egg:tower#text\ntext = {text}"))
}

#[tokio::test]
async fn deploy_34_quotes_keep_spaces_in_values() {
    let app = filtered(
        "egg:tower#environ\nsite.title = \" Tea \"\nsite.other = x",
        "egg:sees",
    );
    assert_eq!(get(&app, "/x").await.body(), " Tea   /x None");
    assert_eq!(
        wrong(
            "[app:main]\nuse = egg:tower#panic\nfilter-with = it\n[filter:it]\nuse = egg:tower#environ\ntitle = x\n"
        ),
        "/site/main.ini:6:1: [filter:it] title: a key must have a dot in its name, such as \"app.hello\" (found \"title\", at byte 5)"
    );
}

#[tokio::test]
async fn deploy_31_a_value_made_of_a_secret_is_a_secret() {
    let registry = Registry::standard().app("shows", |_, (): ()| {
        Ok::<_, Infallible>(App::new(service_fn(async |request: Request<Body>| {
            let environ = request.extensions().get::<Environ>().unwrap();
            let shown = format!("{environ:?}");
            Ok::<_, Infallible>(Response::new(Body::from(shown)))
        })))
    });
    let file = "\
[DEFAULT]
password = hunter2
host = db
[app:main]
use = egg:shows
filter-with = values
[filter:values]
use = egg:tower#environ
site.first = %(password)s@%(host)s
site.last = %(host)s:%(password)s
site.api_token = hunter2
site.host = %(host)s
";
    let loader = loader(registry, &[("main.ini", file)]);
    let app = loader.load_app("config:/site/main.ini").unwrap();
    let secret = "<secret>";
    let values = format!(
        r#"{{"site.first": {secret}, "site.last": {secret}, "site.api_token": {secret}, "site.host": "db"}}"#
    );
    assert_eq!(*get(&app, "/").await.body(), *values);
}

#[test]
fn deploy_14_a_setting_that_cannot_work_is_an_error() {
    for (filter, error) in [
        ("hooks\nhooks =", "it names no hook"),
        ("origin\nhosts =", "expected a host"),
        (
            "exception\nappend_traceback = yes",
            "6:20: [filter:it] append_traceback: it has an effect only with `debug`",
        ),
        (
            "timeout\ntimeout = 1s\nstatus = 100",
            "7:10: [filter:it] status: 100 is not that of an error",
        ),
        (
            "cors\norigins = https://a.example/",
            "6:11: [filter:it] origins: `https://a.example/` is not an origin",
        ),
        (
            "cors\norigins = *\nmethods = get",
            "7:11: [filter:it] methods: `get` is not a method",
        ),
        ("set-header\nContent-Length = 3", "it frames the message"),
        ("set-header\nX-A = a\n b", "no header can have this value"),
    ] {
        let file = format!(
            "[app:main]\nuse = egg:tower#panic\nfilter-with = it\n[filter:it]\nuse = egg:tower#{filter}\n"
        );
        assert!(wrong(&file).contains(error), "{}", wrong(&file));
    }
}

#[tokio::test]
async fn a_mount_serves_an_app_below_a_path() {
    let app = filtered("egg:tower#mount\npath = /wiki", "egg:sees");
    assert_eq!(get(&app, "/wiki/x").await.body(), " /wiki /x None");
    assert_eq!(get(&app, "/x").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn deploy_34_quotes_keep_spaces_in_a_prefix() {
    let app = text("egg:tower#prefix\nprefix = \"> \"", "a\n  b");
    assert_eq!(get(&app, "/").await.body(), "> a\n> b");
    let app = text("egg:tower#prefix\nprefix = >\ntypes = text/html", "a");
    assert_eq!(get(&app, "/").await.body(), "a");
    let app = text(
        "egg:tower#replace\nreplace = tea\nwith = coffee\ntypes = text/plain",
        "Tea or tea",
    );
    assert_eq!(get(&app, "/").await.body(), "Tea or coffee");
    let app = text(
        "egg:tower#replace\nreplace = tea\nwith = coffee\ntypes = text/plain\nignoring_case = yes\nonce = yes",
        "Tea or tea",
    );
    assert_eq!(get(&app, "/").await.body(), "coffee or tea");
}

#[tokio::test]
async fn deploy_35_a_failure_is_one_incident() {
    let app = filtered("egg:tower#exception", "egg:fails");
    let response = get(&app, "/").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(header(&response, "x-incident-id").is_some());
    assert!(!String::from_utf8_lossy(response.body()).contains("not today"));
    // It is shown only to this machine.
    let app = filtered("egg:Paste#error_catcher\ndebug = true", "egg:fails");
    let mut request = Request::get("/")
        .header("host", "localhost")
        .body(Body::default())
        .unwrap();
    request
        .extensions_mut()
        .insert(PeerAddr(([127, 0, 0, 1], 9).into()));
    let page = send(&app, request).await;
    let shows = String::from_utf8_lossy(page.body()).contains("not today");
    assert_eq!(shows, cfg!(debug_assertions));
    assert!(!String::from_utf8_lossy(get(&app, "/").await.body()).contains("not today"));
}

#[tokio::test]
async fn deploy_36_hooks_are_named_and_run() {
    let app = text(
        "egg:tower#hooks\nhooks = egg:tower#server-timing timing\n[hook:timing]\nuse = egg:tower#server-timing",
        "x",
    );
    let response = get(&app, "/").await;
    assert_eq!(
        response.headers().get_all("server-timing").iter().count(),
        2
    );
    let wrong = wrong(
        "[app:main]\nuse = egg:tower#panic\nfilter-with = it\n[filter:it]\nuse = egg:tower#hooks\nhooks = egg:tower#server-timing egg:tower#server-tming\n",
    );
    assert_eq!(
        wrong,
        "/site/main.ini:6:33: [filter:it] hooks: there is no hook egg:tower#server-tming (did you mean `server-timing`?)"
    );
}

#[tokio::test(start_paused = true)]
async fn deploy_37_an_app_has_its_time() {
    let app = filtered("egg:tower#timeout\ntimeout = 5s", "egg:sleeps");
    assert_eq!(
        get(&app, "/").await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    let app = filtered(
        "egg:tower#timeout\ntimeout = 5s\nstatus = 504",
        "egg:sleeps",
    );
    assert_eq!(get(&app, "/").await.status(), StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn deploy_37_a_body_has_its_limit() {
    let sent = |bytes: usize| {
        let body = Body::from("x".repeat(bytes));
        Request::put("/")
            .header("content-length", bytes)
            .body(body)
            .unwrap()
    };
    for (limit, bytes) in [("1 KiB", 1024), ("1k", 1024), ("1 kB", 1000), ("7", 7)] {
        let filter = format!("egg:tower#body-limit\nlimit = {limit}");
        let app = filtered(&filter, "egg:tower#checksum");
        assert_eq!(send(&app, sent(bytes)).await.status(), StatusCode::OK);
        assert_eq!(
            send(&app, sent(bytes + 1)).await.status(),
            StatusCode::PAYLOAD_TOO_LARGE
        );
    }
}

#[tokio::test]
async fn deploy_37_a_request_has_an_id() {
    let app = text("egg:tower#request-id", "x");
    let own = ask(&app, Request::get("/").header("x-request-id", "mine")).await;
    assert_eq!(header(&own, "x-request-id"), Some("mine"));
    let new = get(&app, "/").await;
    assert_eq!(header(&new, "x-request-id").map(str::len), Some(36));
}

#[tokio::test]
async fn deploy_38_listed_origins_may_read() {
    let app = text(
        "egg:tower#cors\norigins = https://a.example\nmethods = GET PUT\nheaders = x-a\nmax_age = 1m\ncredentials = yes",
        "x",
    );
    let asked = ask(
        &app,
        Request::get("/").header("origin", "https://a.example"),
    )
    .await;
    assert_eq!(
        header(&asked, "access-control-allow-origin"),
        Some("https://a.example")
    );
    let another = ask(
        &app,
        Request::get("/").header("origin", "https://b.example"),
    )
    .await;
    assert_eq!(header(&another, "access-control-allow-origin"), None);
    let wrong = wrong(
        "[app:main]\nuse = egg:tower#panic\nfilter-with = it\n[filter:it]\nuse = egg:tower#cors\norigins = *\ncredentials = yes\n",
    );
    assert!(
        wrong.contains("7:15: [filter:it] credentials: with credentials nothing can be `*`"),
        "{wrong}"
    );
}

#[tokio::test]
async fn deploy_39_headers_are_set_or_kept() {
    let app = text(
        "egg:tower#set-header\nX-Frame-Options = DENY\nContent-Type = text/x",
        "x",
    );
    let response = get(&app, "/").await;
    assert_eq!(header(&response, "x-frame-options"), Some("DENY"));
    assert_eq!(header(&response, "content-type"), Some("text/x"));
    let app = text(
        "egg:tower#set-header\nmode = keep\nContent-Type = text/x",
        "x",
    );
    assert_eq!(
        header(&get(&app, "/").await, "content-type"),
        Some("text/plain; charset=utf-8")
    );
    let wrong = wrong(
        "[app:main]\nuse = egg:tower#panic\nfilter-with = it\n[filter:it]\nuse = egg:tower#set-header\nX Y = z\n",
    );
    assert!(
        wrong.contains("[filter:it] X Y: it is not a header's name"),
        "{wrong}"
    );
}

#[tokio::test]
async fn deploy_40_a_text_is_compressed_on_demand() {
    let app = text("egg:Paste#gzip", &"x".repeat(1000));
    let response = ask(&app, Request::get("/").header("accept-encoding", "gzip")).await;
    assert_eq!(header(&response, "content-encoding"), Some("gzip"));
    assert_eq!(header(&get(&app, "/").await, "content-encoding"), None);
}

#[tokio::test]
async fn deploy_37_filters_that_only_observe_change_nothing() {
    for filter in [
        "egg:tower#trace",
        "egg:Paste#translogger",
        "egg:tower#lint",
        "egg:Paste#lint",
    ] {
        assert_eq!(get(&text(filter, "x"), "/").await.body(), "x", "{filter}");
    }
}

#[test]
fn deploy_10_every_filter_rejects_unknown_settings() {
    for filter in [
        "tower#mount",
        "tower#origin",
        "PasteDeploy#prefix",
        "tower#prefix",
        "tower#replace",
        "tower#lint",
        "tower#exception",
        "tower#trace",
        "tower#compression",
        "tower#timeout",
        "tower#body-limit",
        "tower#request-id",
        "tower#cors",
        "tower#hooks",
        "tower#dispatch",
        "tower#cascade",
    ] {
        let file = format!(
            "[app:main]\nuse = egg:tower#panic\nfilter-with = it\n[filter:it]\nuse = egg:{filter}\nnonsense = x\n"
        );
        let wrong = wrong(&file);
        let known = "/site/main.ini:6:1: [filter:it] nonsense: the key is not known";
        assert!(wrong.starts_with(known), "{filter}: {wrong}");
    }
}

/// The test names each header, so that none can be lost in the code.
#[test]
fn deploy_39_no_header_that_frames_a_message_can_be_set() {
    for name in [
        "Connection",
        "Content-Length",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
    ] {
        let file = format!(
            "[app:main]\nuse = egg:tower#panic\nfilter-with = it\n[filter:it]\nuse = egg:tower#set-header\n{name} = x\n"
        );
        let wrong = wrong(&file);
        assert!(wrong.contains("it frames the message"), "{name}: {wrong}");
    }
}
