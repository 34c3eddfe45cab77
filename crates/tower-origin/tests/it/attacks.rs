//! Attacks on other servers, some from advisories. Each is rejected or has no effect.

use tower_origin::BadOrigin;

use crate::probe::{
    PROXY, STRANGER, behind_proxies, behind_thorough_proxies, http2, origin, request, seen, summary,
};

#[test]
fn origin_2_the_headers_of_other_peers_do_not_count() {
    let layer = behind_proxies();
    for header in [
        "forwarded: for=10.0.0.9;host=evil.example;proto=https",
        "x-forwarded-for: 10.0.0.9",
        "x-forwarded-for: 127.0.0.1, 10.0.0.1",
        "x-forwarded-host: evil.example",
        "x-forwarded-proto: https",
        "x-forwarded-port: 8443",
        "x-forwarded-prefix: //evil.example",
        // It is not rejected either, because it is not read.
        "forwarded: for=\"",
        "x-forwarded-for: \\",
    ] {
        let headers = ["host: example.org", header, "forwarded: x"];
        let expected = "http example.org 80 203.0.113.7 5000 ";
        assert_eq!(
            summary(&layer, request(STRANGER, "/", &headers)),
            expected,
            "{header}"
        );
        let mapped = request("[::ffff:203.0.113.7]:5000", "/", &headers);
        assert_eq!(summary(&layer, mapped), expected, "{header}");
    }
}

/// The client writes the start of a header, the proxy appends what it sees: 203.0.113.7.
#[test]
fn origin_3_a_client_cannot_choose_its_address() {
    for ahead in [
        "10.0.0.9",
        "127.0.0.1",
        "192.0.2.1",
        "evil",
        "\"",
        "\\",
        "unknown",
        "10.0.0.9, 10.0.0.8",
        ",,",
        "for=x",
    ] {
        let line = format!("x-forwarded-for: {ahead}, 203.0.113.7");
        let got = summary(&behind_proxies(), request(PROXY, "/", &[&line]));
        assert_eq!(got, "http - 80 203.0.113.7 - ", "{line}");
    }
    let rejected = [
        "for=\"",
        "for=\"_x",
        "for=\"_x;host=evil.example",
        "for=1;host=\"a;b\"",
        "for=1.2.3.4;host=\"a",
        "host=\"\\",
        "for=10.0.0.9;for=10.0.0.8",
        "for",
        "evil",
        "\u{f6}",
    ];
    let harmless = [
        "for=10.0.0.9",
        "for=10.0.0.9;host=evil.example;proto=https",
        "for=unknown",
        "for=_x",
        "host=\"a;b\"",
        "x=\"a, for=10.0.0.9\"",
        "proto=javascript",
        "",
        ",;,",
    ];
    let proxy = [
        "for=203.0.113.7",
        "for=\"203.0.113.7:99\";proto=http",
        "by=10.0.0.1;for=203.0.113.7;host=\"a.example\"",
    ];
    for appended in proxy {
        let got = |ahead: &str| {
            let line = format!("forwarded: {ahead}, {appended}");
            origin(&behind_proxies(), request(PROXY, "/", &[&line]))
        };
        for ahead in rejected {
            assert!(
                matches!(got(ahead), Err(BadOrigin::Malformed(..))),
                "{ahead}"
            );
        }
        for ahead in harmless {
            let origin = got(ahead).unwrap();
            assert_eq!(
                origin.client(),
                Some("203.0.113.7".parse().unwrap()),
                "{ahead}"
            );
            assert_eq!(origin.scheme().as_str(), "http", "{ahead}");
            assert_ne!(origin.host(), Some("evil.example"), "{ahead}");
        }
    }
}

#[test]
fn origin_4_a_malformed_hop_is_rejected_with_its_position() {
    let entry = "expected an address or `unknown` in each entry up to the client's";
    let node = "expected an address, `unknown` or `_name`; IPv6 in brackets";
    let malformed = |header: &str, value: &str, at: usize, expected: &str| {
        format!("a header of the proxy is malformed ({header}: {value}, at byte {at}: {expected})")
    };
    let table = [
        (
            "x-forwarded-for: 192.0.2.1, evil",
            malformed("X-Forwarded-For", "192.0.2.1, evil", 11, entry),
        ),
        (
            "x-forwarded-for: 1, 10.0.0.1",
            malformed("X-Forwarded-For", "1, 10.0.0.1", 0, entry),
        ),
        (
            "x-forwarded-for: 010.0.0.1",
            malformed("X-Forwarded-For", "010.0.0.1", 0, entry),
        ),
        (
            "x-forwarded-for: [::1",
            malformed("X-Forwarded-For", "[::1", 0, entry),
        ),
        (
            "x-forwarded-for: 192.0.2.1:port",
            malformed("X-Forwarded-For", "192.0.2.1:port", 0, entry),
        ),
        (
            "x-forwarded-for: \u{f6}",
            malformed("X-Forwarded-For", "\\xc3\\xb6", 0, entry),
        ),
        (
            "forwarded: for=\"1.2.3.4",
            malformed(
                "Forwarded",
                "for=\\\"1.2.3.4",
                4,
                "a quote that is not closed",
            ),
        ),
        (
            "forwarded: for=1.2.3",
            malformed("Forwarded", "for=1.2.3", 4, node),
        ),
        (
            "forwarded: for=2001:db8::1:81",
            malformed("Forwarded", "for=2001:db8::1:81", 4, node),
        ),
        (
            "forwarded: for=unknown;proto=javascript",
            malformed("Forwarded", "javascript", 0, "expected `http` or `https`"),
        ),
        (
            "forwarded: for=\u{f6}",
            malformed("Forwarded", "for=\\xc3\\xb6", 0, "expected ASCII"),
        ),
        (
            "forwarded: for=unknown;host=\"a;b\"",
            "the request's host is malformed (Forwarded: a;b)".to_owned(),
        ),
        (
            "x-forwarded-proto: https, javascript",
            malformed(
                "X-Forwarded-Proto",
                "https, javascript",
                7,
                "expected `http` or `https`",
            ),
        ),
        (
            "x-forwarded-port: 65536",
            malformed("X-Forwarded-Port", "65536", 0, "expected a port"),
        ),
        (
            "x-forwarded-port: +80",
            malformed("X-Forwarded-Port", "+80", 0, "expected a port"),
        ),
        (
            "x-forwarded-host: a/b",
            malformed("X-Forwarded-Host", "a/b", 0, "expected a host"),
        ),
        (
            "x-forwarded-prefix: //evil.example",
            malformed(
                "X-Forwarded-Prefix",
                "//evil.example",
                0,
                "expected a path such as `/app`, without empty or dot segments, query or fragment",
            ),
        ),
    ];
    for (header, text) in table {
        assert_eq!(
            summary(&behind_thorough_proxies(), request(PROXY, "/", &[header])),
            text,
            "{header}"
        );
    }
}

#[test]
fn origin_7_both_kinds_of_headers_from_one_proxy_are_rejected() {
    for x_forwarded in [
        "for: 192.0.2.1",
        "proto: https",
        "host: a.example",
        "port: 81",
    ] {
        let headers = [
            "forwarded: for=192.0.2.2",
            &format!("x-forwarded-{x_forwarded}"),
        ];
        let got = origin(&behind_thorough_proxies(), request(PROXY, "/", &headers));
        assert_eq!(got, Err(BadOrigin::TwoKinds), "{x_forwarded}");
    }
}

#[test]
fn origin_8_a_malformed_host_is_rejected() {
    let layer = behind_proxies();
    for host in [
        "example.org/path",
        "example.org?q",
        "example.org#f",
        "user@example.org",
        "example.org\\evil",
        "exa mple.org",
        "example.org:80:80",
        "example.org:port",
        "example.org:99999",
        "example.org, evil.example",
        "a;b",
        "\"example.org\"",
        "<script>alert(1)</script>",
        "[::1",
        "::1",
        "[fe80::1%eth0]",
        "127.1",
        "0x7f.1",
        "a..b",
        ".",
        "http://example.org",
        "\u{f6}.example",
        "exa%6dple.org",
        "\t",
    ] {
        let got = origin(&layer, request(STRANGER, "/", &[&format!("host: {host}")]));
        assert!(
            matches!(got, Err(BadOrigin::MalformedHost("Host", _))),
            "{host}: {got:?}"
        );
    }
    for second in ["example.org", "evil.example", "", "\u{f6}"] {
        for [first, second] in [["example.org", second], [second, "example.org"]] {
            let lines = [format!("host: {first}"), format!("host: {second}")];
            let several = request(STRANGER, "/", &lines.each_ref().map(|line| &**line));
            let in_http2 = http2(several.clone());
            assert_eq!(origin(&layer, several), Err(BadOrigin::SeveralHosts));
            assert_eq!(origin(&layer, in_http2), Err(BadOrigin::SeveralHosts));
        }
    }
    let userinfo = request(STRANGER, "http://user@example.org/", &[]);
    let got = origin(&layer, userinfo);
    assert_eq!(
        got,
        Err(BadOrigin::MalformedHost(
            ":authority",
            "user@example.org".into()
        ))
    );
    let differ = http2(request(
        STRANGER,
        "http://example.org/",
        &["host: evil.example"],
    ));
    assert_eq!(origin(&layer, differ), Err(BadOrigin::HostsDiffer));
}

#[test]
fn origin_9_a_host_outside_the_list_is_rejected() {
    let layer = behind_thorough_proxies()
        .hosts(["example.org", "*.example.net"])
        .unwrap();
    let unknown = |host: &str| Err(BadOrigin::UnknownHost(host.into()));
    for host in [
        "evil.example",
        "example.org.evil.example",
        "evilexample.net",
        "example.net",
        "www.example.org",
        "127.0.0.1",
    ] {
        let got = origin(&layer, request(STRANGER, "/", &[&format!("host: {host}")]));
        assert_eq!(got, unknown(host), "{host}");
    }
    // The same in the target and in the headers of proxies.
    let target = request(STRANGER, "http://evil.example/", &["host: example.org"]);
    assert_eq!(origin(&layer, target), unknown("evil.example"));
    let target = http2(request(STRANGER, "http://evil.example/", &[]));
    assert_eq!(origin(&layer, target), unknown("evil.example"));
    for header in [
        "x-forwarded-host: evil.example",
        "x-forwarded-host: example.org, evil.example",
        "forwarded: host=evil.example",
    ] {
        let passed_on = request(PROXY, "/", &["host: example.org", header]);
        assert_eq!(
            origin(&layer, passed_on),
            unknown("evil.example"),
            "{header}"
        );
    }
    assert_eq!(
        origin(&layer, request(STRANGER, "/", &[])),
        Err(BadOrigin::NoHost)
    );
    assert_eq!(
        origin(&layer, request(STRANGER, "/", &["host: "])),
        Err(BadOrigin::NoHost)
    );
    // A trusted proxy that names the host itself may use any for this server.
    let inner = request(
        PROXY,
        "/",
        &["host: backend:8080", "x-forwarded-host: A.Example.net"],
    );
    assert_eq!(origin(&layer, inner).unwrap().host(), Some("a.example.net"));
}

#[test]
fn origin_14_the_client_does_not_see_what_was_found() {
    let layer = behind_proxies().hosts(["example.org"]).unwrap();
    let table = [
        (
            request(STRANGER, "/", &["host: s3cret.example"]),
            "this host is not served here\n",
        ),
        (
            request(STRANGER, "/", &["host: s3cret/"]),
            "the request's host is malformed\n",
        ),
        (
            request(STRANGER, "/", &["host: s3cret", "host: s3cret"]),
            "the request names several hosts\n",
        ),
        (request(STRANGER, "/", &[]), "the request names no host\n"),
        (
            http2(request(STRANGER, "http://a/", &["host: b"])),
            "the request names two different hosts\n",
        ),
        (
            request(PROXY, "/", &["x-forwarded-for: s3cret"]),
            "a header of the proxy is malformed\n",
        ),
        (
            request(
                PROXY,
                "/",
                &["x-forwarded-for: s3cret", "forwarded: for=s3cret"],
            ),
            "the request has both Forwarded and X-Forwarded headers\n",
        ),
    ];
    for (request, text) in table {
        assert_eq!(seen(&layer, request.clone()).unwrap_err().1, text);
        let mut head = request;
        *head.method_mut() = http::Method::HEAD;
        assert_eq!(seen(&layer, head).unwrap_err().1, "");
    }
    let unknown = BadOrigin::UnknownHost("evil.example".into());
    assert_eq!(
        unknown.to_string(),
        "this host is not served here (evil.example)"
    );
    // For the log, a long value is cut.
    let long = format!("host: {}/", "a".repeat(5000));
    let reason = origin(&layer, request(STRANGER, "/", &[&long])).unwrap_err();
    let expected = format!(
        "the request's host is malformed (Host: {}…)",
        "a".repeat(256)
    );
    assert_eq!(reason.to_string(), expected);
}

#[test]
fn origin_14_a_long_value_is_cut_around_the_error() {
    let value = format!("{}evil", "10.0.0.9,".repeat(100));
    let header = format!("x-forwarded-for: {value}");
    let got = origin(&behind_proxies(), request(PROXY, "/", &[&header]));
    let Err(BadOrigin::Malformed("X-Forwarded-For", shown, 900, _)) = got else {
        panic!("{got:?}");
    };
    assert_eq!(*shown, format!("…{}", &value[900 - 128..]));
}

/// A long header is read once.
#[test]
fn hostile_headers_take_linear_time() {
    let params: String = (0..40_000).map(|at| format!("{at:x}=a;")).collect();
    let commas = format!("{}{}", "a".repeat(200_000), ",".repeat(200_000));
    let entries = "10.0.0.9,".repeat(50_000);
    let headers = [
        format!("forwarded: {params}, for=203.0.113.7"),
        format!("x-forwarded-prefix: {commas}"),
        format!("x-forwarded-for: {entries}203.0.113.7"),
    ];
    let start = std::time::Instant::now();
    for header in &headers {
        let _ = summary(&behind_thorough_proxies(), request(PROXY, "/", &[header]));
    }
    // It takes milliseconds. A quadratic algorithm takes seconds.
    assert!(start.elapsed() < std::time::Duration::from_secs(2));
}
