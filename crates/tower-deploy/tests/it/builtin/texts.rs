use http::{Request, StatusCode};
use tower_deploy::Body;

use super::{ask, get, header, send, site, wrong};

const ROUTED: &str = "
[pipeline:main]
pipeline = names urls

[filter:names]
use = egg:tower#environ
site.title = Tea <& more>

[composite:urls]
use = egg:tower#router
urlpatterns =
    /text/{name}      text
    /html/{name}      html
    /json/{name}      json
    ^/number/(\\d+)$  number
    /go/{name}        go
    /empty            empty

[app:text]
use = egg:tower#text
text = {name} of {site.title}; {unknown}, {un.known}, {}, {a b}, {

[app:html]
use = egg:tower#text
content_type = text/html; charset=utf-8
text = <p>{name} of {site.title}

[app:json]
use = egg:tower#text
content_type = application/json
text = {\"{name}\": 1}

[app:number]
use = egg:tower#text
text = {0}

[app:go]
use = egg:tower#redirect
location = https://example.org/{name}?from=here
status = 308

[app:empty]
use = egg:tower#text
text =
status = 204
";

#[tokio::test]
async fn deploy_24_names_are_filled_in_and_other_braces_stay() {
    let app = site(ROUTED);
    let text = get(&app, "/text/J%C3%B6rg").await;
    assert_eq!(
        text.body(),
        "Jörg of Tea <& more>; {unknown}, {un.known}, {}, {a b}, {"
    );
    assert_eq!(
        header(&text, "content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(get(&app, "/number/42").await.body(), "42");
}

#[tokio::test]
async fn deploy_24_values_of_a_request_are_escaped() {
    let app = site(ROUTED);
    let html = get(&app, "/html/%3Cscript%3E%22'").await;
    let html = String::from_utf8_lossy(html.body()).into_owned();
    assert!(
        html.starts_with("<p>&lt;script&gt;&quot;&#x27; of Tea &lt;&amp; more&gt;"),
        "{html}"
    );
    // For other types no escaping is known to be safe.
    assert_eq!(get(&app, "/json/x").await.body(), "{\"{name}\": 1}");
    let go = get(&app, "/go/a%0D%0Ab%2F..%3F").await;
    assert_eq!(go.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(
        header(&go, "location"),
        Some("https://example.org/a%0D%0Ab%2F..%3F?from=here")
    );
}

#[tokio::test]
async fn deploy_25_a_request_leads_to_no_host_and_not_up() {
    let go = |location: &str| {
        site(&format!(
            "[composite:main]\nuse = egg:tower#router\nurlpatterns = ^/x/([^/]*)/(.*) go\n[app:go]\nuse = egg:tower#redirect\nlocation = {location}\n"
        ))
    };
    let app = go("/{0}/{1}");
    assert_eq!(
        get(&app, "/x//evil.example").await.status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(get(&app, "/x/a/..").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(header(&get(&app, "/x/a/b").await, "location"), Some("/a/b"));
    // Two values together do not lead up either.
    let app = go("/{0}{1}/x");
    assert_eq!(get(&app, "/x/./.").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        header(&get(&app, "/x/./a").await, "location"),
        Some("/.a/x")
    );
    let app = go("../{1}?up=..");
    assert_eq!(
        header(&get(&app, "/x/a/b").await, "location"),
        Some("../b?up=..")
    );
    let app = go("//example.org/{1}");
    assert_eq!(
        header(&get(&app, "/x/a/b").await, "location"),
        Some("//example.org/b")
    );
}

#[tokio::test]
async fn deploy_24_head_has_the_length_of_get_and_204_has_none() {
    let app = site("[app:main]\nuse = egg:tower#text\ntext = four");
    let head = ask(&app, Request::head("/")).await;
    assert_eq!(header(&head, "content-length"), Some("4"));
    assert_eq!(head.body(), "");
    let empty = get(&site(ROUTED), "/empty").await;
    assert_eq!(empty.status(), StatusCode::NO_CONTENT);
    assert_eq!(header(&empty, "content-length"), None);
}

#[tokio::test]
async fn deploy_26_a_checksum_is_that_of_the_whole_body() {
    let app = site("[app:main]\nuse = egg:tower#checksum");
    let response = send(&app, Request::put("/").body(Body::from("abc")).unwrap()).await;
    assert_eq!(
        response.body(),
        "{\"length\":3,\"sha256\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}\n"
    );
}

#[test]
fn deploy_14_settings_that_allow_no_response_are_errors() {
    let text = |settings: &str| {
        wrong(&format!(
            "[app:main]\nuse = egg:tower#text\ntext = x\n{settings}\n"
        ))
    };
    assert_eq!(
        text("status = 99"),
        "/site/main.ini:4:10: [app:main] status: 99 is not from 200 to 999"
    );
    assert_eq!(
        text("txet = y"),
        "/site/main.ini:4:1: [app:main] txet: the key is not known (did you mean `text`?)"
    );
    let redirect = |settings: &str| {
        wrong(&format!(
            "[app:main]\nuse = egg:tower#redirect\n{settings}\n"
        ))
    };
    assert!(
        redirect("location = /x\nstatus = 200")
            .contains("4:10: [app:main] status: 200 is not one of 301, 302, 303, 307, 308")
    );
    assert!(redirect("location = /a b").contains("3:12: [app:main] location: it is not a URL"));
    for location in [
        "https://example.org{0}",
        "https://{0}/x",
        "{0}://example.org/",
        "//{0}.example.org?x",
        "//example.org:{0}#x",
    ] {
        let wrong = redirect(&format!("location = {location}"));
        assert!(
            wrong.contains("3:12: [app:main] location: a value is in the host"),
            "{location}: {wrong}"
        );
    }
}

/// A cache may store a 404 and a 308 otherwise, and only the 308 should be stored.
#[tokio::test]
async fn deploy_25_no_cache_stores_a_redirect_to_nowhere() {
    let app = site(
        "[composite:main]\nuse = egg:tower#router\nurlpatterns = ^/(.*) go\n[app:go]\nuse = egg:tower#redirect\nlocation = /to/{0}\nstatus = 308\n",
    );
    let nowhere = get(&app, "/..").await;
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
    assert_eq!(header(&nowhere, "cache-control"), Some("no-store"));
    let there = get(&app, "/x").await;
    assert_eq!(there.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(header(&there, "cache-control"), None);
}

/// The test has each status of a redirect, and each character that is not encoded.
#[tokio::test]
async fn deploy_25_a_redirect_has_one_of_five_statuses() {
    for status in [301, 302, 303, 307, 308] {
        let app = site(&format!(
            "[composite:main]\nuse = egg:tower#router\nurlpatterns = ^/(.*) go\n[app:go]\nuse = egg:tower#redirect\nlocation = /to/{{0}}\nstatus = {status}\n"
        ));
        let response = get(&app, "/az-AZ.09_~%20%2B%25:@!$&'()*,;=/").await;
        assert_eq!(response.status(), status);
        assert_eq!(
            header(&response, "location"),
            Some("/to/az-AZ.09_~%20%2B%25%3A%40%21%24%26%27%28%29%2A%2C%3B%3D%2F")
        );
    }
    for status in [300, 304, 305, 306, 309, 404] {
        let wrong = wrong(&format!(
            "[app:main]\nuse = egg:tower#redirect\nlocation = /\nstatus = {status}\n"
        ));
        assert!(wrong.contains("is not one of"), "{wrong}");
    }
}
