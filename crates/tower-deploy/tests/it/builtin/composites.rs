use http::{Request, StatusCode};
use tower_deploy::Body;

use super::{ask, get, header, send, site, wrong};

const MAPPED: &str = "
[composite:main]
use = egg:Paste#urlmap
/ = home
/wiki = wiki
/wiki/admin = admin
domain example.org / = org
domain example.org port 8080 / = port
domain example.org /wiki = orgwiki

[app:home]
use = egg:tower#text
text = home
[app:wiki]
use = egg:tower#text
text = wiki
[app:admin]
use = egg:tower#text
text = admin
[app:org]
use = egg:tower#text
text = org
[app:port]
use = egg:tower#text
text = port
[app:orgwiki]
use = egg:tower#text
text = orgwiki
";

#[tokio::test]
async fn deploy_27_the_host_counts_before_the_longest_path() {
    let app = site(MAPPED);
    for (host, path, text) in [
        ("localhost", "/", "home"),
        ("localhost", "/wikis", "home"),
        ("localhost", "/wiki", "wiki"),
        ("localhost", "/wiki/", "wiki"),
        ("localhost", "/wiki/admin", "admin"),
        ("localhost", "/wiki/administrator", "wiki"),
        ("localhost", "/%77iki/x", "wiki"),
        ("example.org", "/", "org"),
        ("EXAMPLE.org:80", "/x", "org"),
        ("example.org", "/wiki/admin", "orgwiki"),
        ("example.org:8080", "/x", "port"),
        ("sub.example.org", "/x", "home"),
        ("not a host", "/x", "home"),
    ] {
        let response = ask(&app, Request::get(path).header("host", host)).await;
        assert_eq!(response.body(), text, "{host} {path}");
    }
    // Of two hosts none counts, because two readers might not agree.
    for hosts in [["example.org", "localhost"], ["localhost", "example.org"]] {
        let [first, second] = hosts;
        let request = Request::get("/")
            .header("host", first)
            .header("host", second);
        assert_eq!(ask(&app, request).await.body(), "home", "{hosts:?}");
    }
    // HTTP/2 has no Host header.
    assert_eq!(get(&app, "http://example.org:8080/x").await.body(), "port");
}

#[tokio::test]
async fn deploy_27_the_host_is_that_of_an_outer_origin() {
    let app = site(&format!("{MAPPED}\n[pipeline:main]\npipeline = origin map\n[filter:origin]\nuse = egg:tower#origin\ntrusted_without_address = yes\nx_forwarded = host\n").replace("[composite:main]", "[composite:map]"));
    let request = Request::get("/x")
        .header("host", "inner")
        .header("x-forwarded-host", "example.org")
        .header("x-forwarded-proto", "http")
        .header("x-forwarded-for", "192.0.2.1");
    assert_eq!(ask(&app, request).await.body(), "org");
}

#[tokio::test]
async fn deploy_27_not_found_app_gets_the_other_requests() {
    let file = |settings: &str| {
        format!(
            "[composite:main]\nuse = egg:tower#urlmap\n/a = a\n{settings}\n[app:a]\nuse = egg:tower#text\ntext = a\n[app:none]\nuse = egg:tower#text\ntext = none\nstatus = 404\n"
        )
    };
    let plain = site(&file(""));
    assert_eq!(get(&plain, "/b").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(get(&plain, "/b").await.body(), "404 Not Found\n");
    let own = site(&file("not_found_app = none"));
    assert_eq!(get(&own, "/b").await.body(), "none");
    assert_eq!(get(&own, "/a").await.body(), "a");
    let global = site(&format!("[DEFAULT]\nnot_found_app = none\n{}", file("")));
    assert_eq!(get(&global, "/b").await.body(), "none");
}

#[test]
fn deploy_27_a_key_without_a_path_is_an_error() {
    let map = |key: &str| {
        wrong(&format!(
            "[composite:main]\nuse = egg:tower#urlmap\n{key} = a\n[app:a]\nuse = egg:tower#panic\n"
        ))
    };
    let help = "(write /path, or domain example.org port 8080 /path, without the domain or the port if these do not matter)";
    assert_eq!(
        map("wiki"),
        format!(
            "/site/main.ini:3:1: [composite:main] wiki: `wiki` does not begin with a slash {help}"
        )
    );
    assert!(map("/a//b").contains("/site/main.ini:3:1: [composite:main] /a//b: "));
}

const CASCADED: &str = "
[composite:main]
use = egg:Paste#cascade
app10 = last
app2 = second
app1 = first

[app:first]
use = egg:tower#text
text = first
status = 404
[app:second]
use = egg:tower#text
text = second
status = 404
[app:last]
use = egg:tower#checksum
";

#[tokio::test]
async fn deploy_28_apps_are_in_order_and_get_the_whole_body() {
    let app = site(CASCADED);
    let response = send(&app, Request::put("/").body(Body::from("abc")).unwrap()).await;
    assert!(
        response.body().starts_with(b"{\"length\":3"),
        "{response:?}"
    );
    let forbidden = CASCADED.replace("status = 404", "status = 403");
    let stops = site(&forbidden);
    assert_eq!(get(&stops, "/").await.body(), "first");
    let falls_through =
        site(&forbidden.replace("app1 =", "catch = 403\nallow_auth_statuses = yes\napp1 ="));
    assert!(
        get(&falls_through, "/")
            .await
            .body()
            .starts_with(b"{\"length\":0")
    );
}

#[tokio::test]
async fn deploy_28_a_filter_ends_with_the_app_that_it_wraps() {
    let app = site(
        "[pipeline:main]\npipeline = files api\n[filter:files]\nuse = egg:tower#cascade\napp1 = nothing\n[app:nothing]\nuse = egg:tower#text\ntext = no\nstatus = 404\n[app:api]\nuse = egg:tower#text\ntext = api\n",
    );
    assert_eq!(get(&app, "/").await.body(), "api");
}

#[test]
fn deploy_28_a_status_that_cannot_be_caught_is_an_error() {
    let cascade = |settings: &str| {
        wrong(&format!(
            "[composite:main]\nuse = egg:tower#cascade\n{settings}\n"
        ))
    };
    assert_eq!(
        cascade("catch = 200"),
        "/site/main.ini:3:9: [composite:main] catch: 200 is not a status on which a cascade falls through (write statuses from 300 to 599, separated by spaces)"
    );
    assert_eq!(
        cascade("catch = 404,500"),
        "/site/main.ini:3:9: [composite:main] catch: `404,500` is not a number from 0 to 65535"
    );
    assert!(cascade("catch = 401").contains("set allow_auth_statuses = true"));
    assert_eq!(
        cascade("static = a"),
        "/site/main.ini:3:1: [composite:main] static: the key is not known (apps are app1, app2, …; the other settings are catch, allow_auth_statuses, replay_limit, x_cascade_header)"
    );
}

#[tokio::test]
async fn deploy_28_a_body_is_replayed_up_to_the_limit() {
    // The first app reads the body. The cascade around it keeps only two bytes.
    let app = site(
        "[composite:main]\nuse = egg:tower#cascade\nreplay_limit = 2 B\napp1 = one\napp2 = two\n[app:one]\nuse = egg:tower#checksum\nfilter-with = none\n[filter:none]\nuse = egg:tower#cascade\napp1 = two\n[app:two]\nuse = egg:tower#text\ntext = two\nstatus = 404\n",
    );
    let response = send(&app, Request::put("/").body(Body::from("abc")).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "content-type"), Some("application/json"));
}
