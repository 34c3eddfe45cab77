//! Absolute URLs.

use http::Method;
use tower_environ::ScriptName;
use tower_origin::{Origin, OriginLayer};

use crate::probe::{PROXY, STRANGER, behind_thorough_proxies, request, seen};

#[test]
fn origin_10_a_url_is_that_of_the_clients_request() {
    let layer = behind_thorough_proxies()
        .hosts(["example.org", "[2001:db8::1]"])
        .unwrap();
    let table = [
        ("/", vec!["host: example.org"], "http://example.org/"),
        (
            "/a%2Fb//c?d=%20",
            vec!["host: EXAMPLE.org"],
            "http://example.org/a%2Fb//c?d=%20",
        ),
        ("/a?", vec!["host: example.org:80"], "http://example.org/a?"),
        (
            "/a",
            vec!["host: example.org:443"],
            "http://example.org:443/a",
        ),
        (
            "/a",
            vec!["host: example.org:8080"],
            "http://example.org:8080/a",
        ),
        (
            "/a",
            vec!["host: [2001:db8::1]:8080"],
            "http://[2001:db8::1]:8080/a",
        ),
        (
            "/a",
            vec!["host: example.org", "x-forwarded-proto: https"],
            "https://example.org/a",
        ),
        (
            "/a",
            vec!["host: example.org:443", "x-forwarded-proto: https"],
            "https://example.org/a",
        ),
        (
            "/a",
            vec!["host: example.org:80", "x-forwarded-proto: https"],
            "https://example.org:80/a",
        ),
        (
            "/a",
            vec![
                "host: b",
                "x-forwarded-host: example.org",
                "x-forwarded-prefix: /app/",
            ],
            "http://example.org/app/a",
        ),
        ("http://example.org:81/a", vec![], "http://example.org:81/a"),
    ];
    let odd = (
        "/a\"b\\c{d}\u{e9}?e=\u{e9}",
        vec!["host: example.org"],
        "http://example.org/a%22b%5Cc%7Bd%7D%C3%A9?e=%C3%A9",
    );
    for (uri, headers, expected) in table.into_iter().chain([odd]) {
        let parts = seen(&layer, request(PROXY, uri, &headers)).unwrap();
        let origin: &Origin = parts.extensions.get().unwrap();
        assert_eq!(
            origin.url(&parts).as_deref(),
            Some(expected),
            "{uri} {headers:?}"
        );
    }
}

#[test]
fn origin_10_a_url_has_prefix_and_script_name() {
    let layer = OriginLayer::new().hosts(["example.org"]).unwrap();
    let layer = layer.https().prefix("/app").unwrap();
    let mut request = request(STRANGER, "/wiki/Start?x", &["host: example.org"]);
    assert!(ScriptName::grow(&mut request, 5));
    let parts = seen(&layer, request).unwrap();
    let origin: &Origin = parts.extensions.get().unwrap();
    let application = origin.application_url(&parts).unwrap();
    assert_eq!(
        format!("{application}/login"),
        "https://example.org/app/wiki/login"
    );
    assert_eq!(
        origin.url(&parts).as_deref(),
        Some("https://example.org/app/wiki/Start?x")
    );
}

#[test]
fn origin_10_a_request_for_the_whole_server_has_no_path() {
    let layer = OriginLayer::new().hosts(["example.org"]).unwrap();
    for (method, uri) in [(Method::OPTIONS, "*"), (Method::CONNECT, "example.org:80")] {
        let mut request = request(STRANGER, "/", &["host: example.org"]);
        *request.method_mut() = method;
        *request.uri_mut() = uri.parse().unwrap();
        let parts = seen(&layer, request).unwrap();
        let origin: &Origin = parts.extensions.get().unwrap();
        assert_eq!(
            origin.url(&parts).as_deref(),
            Some("http://example.org"),
            "{uri}"
        );
    }
}

#[test]
fn origin_10_the_default_host_is_in_urls() {
    let layer = OriginLayer::new().default_host("example.org").unwrap();
    let url = |headers: &[&str]| {
        let parts = seen(&layer, request(STRANGER, "/a", headers)).unwrap();
        let origin: &Origin = parts.extensions.get().unwrap();
        origin.url(&parts)
    };
    assert_eq!(url(&[]).as_deref(), Some("http://example.org/a"));
    // The client names a host, and there is no list.
    assert_eq!(url(&["host: example.org"]), None);
}

#[test]
fn origin_10_without_a_list_of_hosts_there_is_no_url() {
    for (peer, header) in [
        (STRANGER, "host: example.org"),
        (PROXY, "x-forwarded-host: example.org"),
    ] {
        let parts = seen(&behind_thorough_proxies(), request(peer, "/", &[header])).unwrap();
        let origin: &Origin = parts.extensions.get().unwrap();
        assert_eq!(origin.host(), Some("example.org"));
        assert_eq!(
            (origin.url(&parts), origin.application_url(&parts)),
            (None, None)
        );
    }
}
