//! The origin of well-formed requests.

use tower_origin::{BadOrigin, OriginErrorKind, OriginLayer, XForwarded};

use crate::probe::{
    PROXY, STRANGER, behind_proxies, behind_thorough_proxies, http2, origin, request, summary,
};

const HOST: &str = "host: example.org";

#[test]
fn origin_1_without_a_proxy_the_request_is_the_source() {
    let layer = OriginLayer::new();
    let table = [
        ("/", vec![HOST], "http example.org 80 203.0.113.7 5000 "),
        (
            "/",
            vec!["host: Example.ORG.:8080"],
            "http example.org 8080 203.0.113.7 5000 ",
        ),
        (
            "/",
            vec!["host: [2001:DB8::1]:8080"],
            "http [2001:db8::1] 8080 203.0.113.7 5000 ",
        ),
        ("/", vec![], "http - 80 203.0.113.7 5000 "),
        ("/", vec!["host: "], "http - 80 203.0.113.7 5000 "),
        // RFC 9112, section 3.2.2. The target's scheme is a claim.
        (
            "https://a.example:81/x",
            vec![HOST],
            "http a.example 81 203.0.113.7 5000 ",
        ),
    ];
    for (uri, headers, expected) in table {
        assert_eq!(
            summary(&layer, request(STRANGER, uri, &headers)),
            expected,
            "{uri} {headers:?}"
        );
    }
    let authority = http2(request(STRANGER, "https://example.org/", &[HOST]));
    assert_eq!(
        summary(&layer, authority),
        "http example.org 80 203.0.113.7 5000 "
    );
    assert_eq!(
        summary(&layer, request("", "/", &[HOST])),
        "http example.org 80 - - "
    );
    let mapped = request("[::ffff:203.0.113.7]:5000", "/", &[HOST]);
    assert_eq!(
        summary(&layer, mapped),
        "http example.org 80 203.0.113.7 5000 "
    );
}

#[test]
fn origin_11_the_layer_sets_https_and_the_prefix() {
    let layer = OriginLayer::new().https().prefix("/app/").unwrap();
    assert_eq!(
        summary(&layer, request("", "/", &[HOST])),
        "https example.org 443 - - /app"
    );
}

/// RFC 9113, section 8.3.1, and RFC 3986, section 6.2.3.
#[test]
fn origin_8_authority_and_host_are_compared_by_scheme() {
    // `:scheme`, `:authority`, `Host`, and which port the request names.
    let same = [
        ("https://example.org:443/", "example.org", 443),
        ("https://example.org/", "example.org:443", 80),
        ("https://EXAMPLE.org.:443/", "example.org:", 443),
        ("http://example.org:80/", "example.org", 80),
        ("http://example.org/", "example.org:80", 80),
        ("https://[2001:db8::1]:443/", "[2001:DB8:0::1]", 443),
        ("https://example.org:8443/", "example.org:8443", 8443),
    ];
    for (uri, host, port) in same {
        let request = http2(request(STRANGER, uri, &[&format!("host: {host}")]));
        let origin = origin(&OriginLayer::new(), request).unwrap();
        assert_eq!(origin.port(), port, "{uri} {host}");
    }
    let differ = [
        ("https://example.org:80/", "example.org"),
        ("https://example.org/", "example.org:80"),
        ("http://example.org:443/", "example.org"),
        ("http://example.org/", "example.org:443"),
        ("https://example.org:8443/", "example.org"),
        ("https://example.org:443/", "example.net"),
        ("https://example.org:443/", "example.org:8443"),
    ];
    for (uri, host) in differ {
        let request = http2(request(STRANGER, uri, &[&format!("host: {host}")]));
        let got = origin(&OriginLayer::new(), request);
        assert_eq!(got, Err(BadOrigin::HostsDiffer), "{uri} {host}");
    }
}

/// A proxy that ends TLS may send `http` in `:scheme` and `https` in X-Forwarded-Proto.
#[test]
fn origin_8_the_scheme_that_a_proxy_reports_compares_ports_too() {
    let from = |peer, proto: &str| {
        let headers = ["host: example.org", &format!("x-forwarded-proto: {proto}")];
        let request = http2(request(peer, "http://example.org:443/", &headers));
        summary(&behind_proxies(), request)
    };
    let differ = "the request names two different hosts";
    assert_eq!(from(PROXY, "https"), "https example.org 443 - - ");
    assert_eq!(from(PROXY, "http"), differ);
    assert_eq!(from(STRANGER, "https"), differ);
}

#[test]
fn origin_9_a_listed_port_may_be_left_out_if_it_is_the_schemes() {
    let table = [
        ("example.org:443", "https", "example.org", true),
        ("example.org:443", "https", "example.org:443", true),
        ("example.org:443", "https", "example.org:80", false),
        ("example.org:443", "http", "example.org", false),
        ("example.org:443", "http", "example.org:443", true),
        ("example.org:80", "http", "example.org", true),
        ("example.org:80", "https", "example.org", false),
        ("example.org:8443", "https", "example.org", false),
        ("*.example.org:443", "https", "a.example.org", true),
        ("*.example.org:443", "https", "example.org", false),
        ("[2001:db8::1]:443", "https", "[2001:db8::1]", true),
    ];
    for (listed, scheme, host, served) in table {
        let layer = behind_proxies().hosts([listed]).unwrap();
        let headers = [
            format!("host: {host}"),
            format!("x-forwarded-proto: {scheme}"),
        ];
        let got = origin(
            &layer,
            request(PROXY, "/", &headers.each_ref().map(|h| &**h)),
        );
        assert_eq!(got.is_ok(), served, "{listed} {scheme} {host}: {got:?}");
    }
    // Without a proxy the scheme is the one that the layer has.
    let layer = OriginLayer::new().hosts(["example.org:443"]).unwrap();
    let host = request(STRANGER, "/", &["host: example.org"]);
    assert!(origin(&layer.clone().https(), host.clone()).is_ok());
    assert!(origin(&layer, host).is_err());
}

/// The port of X-Forwarded-Port is part of the host that is looked up.
#[test]
fn origin_9_the_list_is_asked_about_the_forwarded_port() {
    let layer = behind_thorough_proxies()
        .hosts(["example.org:8443"])
        .unwrap();
    let got = |host: &str, port: u16| {
        let port = format!("x-forwarded-port: {port}");
        summary(&layer, request(PROXY, "/", &[host, &port]))
    };
    assert_eq!(got("host: example.org", 8443), "http example.org 8443 - - ");
    assert_eq!(
        got("host: example.org:81", 8443),
        "http example.org 8443 - - "
    );
    assert_eq!(
        got("host: example.org:8443", 81),
        "this host is not served here (example.org)"
    );
}

#[test]
fn origin_5_the_last_line_is_that_of_the_nearest_proxy() {
    let table: [(&[&str], &str); 8] = [
        (
            &["x-forwarded-for: 192.0.2.1", "x-forwarded-for: 192.0.2.2"],
            "http example.org 80 192.0.2.2 - ",
        ),
        (
            &["x-forwarded-proto: http", "x-forwarded-proto: https"],
            "https example.org 443 - - ",
        ),
        (
            &["x-forwarded-host: a.example", "x-forwarded-host: b.example"],
            "http b.example 80 - - ",
        ),
        (
            &["x-forwarded-port: 81", "x-forwarded-port: 82"],
            "http example.org 82 - - ",
        ),
        (
            &["x-forwarded-prefix: /a", "x-forwarded-prefix: /b"],
            "http example.org 80 10.0.0.1 4000 /b",
        ),
        (
            &["forwarded: for=192.0.2.1", "forwarded: for=192.0.2.2"],
            "http example.org 80 192.0.2.2 - ",
        ),
        // An empty line has no entry.
        (
            &["x-forwarded-host: a.example", "x-forwarded-host: "],
            "http a.example 80 - - ",
        ),
        (
            &["forwarded: ", "forwarded: for=192.0.2.2;proto=https"],
            "https example.org 443 192.0.2.2 - ",
        ),
    ];
    for (lines, expected) in table {
        let headers = [&[HOST], lines].concat();
        let got = summary(&behind_thorough_proxies(), request(PROXY, "/", &headers));
        assert_eq!(got, expected, "{lines:?}");
    }
    // The second line is read too.
    for lines in [["", "for=\""], ["for=192.0.2.1", "for=\""]] {
        let lines = lines.map(|line| format!("forwarded: {line}"));
        let lines = lines.each_ref().map(|line| &**line);
        let got = origin(&behind_proxies(), request(PROXY, "/", &lines));
        assert!(matches!(got, Err(BadOrigin::Malformed(..))), "{got:?}");
    }
}

#[test]
fn origin_2_the_headers_of_a_trusted_proxy_count() {
    let table = [
        (
            vec!["forwarded: for=192.0.2.1;host=a.example;proto=https"],
            "https a.example 443 192.0.2.1 - ",
        ),
        (
            vec!["forwarded: for=\"192.0.2.1:99\";host=\"a.example:8443\";proto=HTTPS"],
            "https a.example 8443 192.0.2.1 99 ",
        ),
        (
            vec!["forwarded: for=\"[2001:db8::1]:99\""],
            "http example.org 80 2001:db8::1 99 ",
        ),
        // As AWS and Cloud Run send it.
        (
            vec!["forwarded: for=2001:db8::9;proto=https"],
            "https example.org 443 2001:db8::9 - ",
        ),
        (
            vec!["forwarded: for=\"2001:db8::9\";host=a.example"],
            "http a.example 80 2001:db8::9 - ",
        ),
        (
            vec!["forwarded: for=_hidden;proto=https"],
            "https example.org 443 - - ",
        ),
        (vec!["forwarded: for=unknown"], "http example.org 80 - - "),
        (vec!["forwarded: proto=https"], "https example.org 443 - - "),
        (vec!["forwarded: "], "http example.org 80 10.0.0.1 4000 "),
        (
            vec!["x-forwarded-for: 192.0.2.1"],
            "http example.org 80 192.0.2.1 - ",
        ),
        (
            vec!["x-forwarded-for: 192.0.2.1:99"],
            "http example.org 80 192.0.2.1 99 ",
        ),
        (
            vec!["x-forwarded-for: 2001:db8::1"],
            "http example.org 80 2001:db8::1 - ",
        ),
        (
            vec!["x-forwarded-for: [2001:db8::1]:99"],
            "http example.org 80 2001:db8::1 99 ",
        ),
        (
            vec!["x-forwarded-for: ::ffff:192.0.2.1"],
            "http example.org 80 192.0.2.1 - ",
        ),
        (vec!["x-forwarded-for: unknown"], "http example.org 80 - - "),
        (
            vec!["x-forwarded-proto: https"],
            "https example.org 443 - - ",
        ),
        (vec!["x-forwarded-proto: wss"], "https example.org 443 - - "),
        (vec!["x-forwarded-proto: ws"], "http example.org 80 - - "),
        (
            vec!["x-forwarded-proto: "],
            "http example.org 80 10.0.0.1 4000 ",
        ),
        (
            vec!["x-forwarded-host: a.example:8443"],
            "http a.example 8443 - - ",
        ),
        (
            vec!["x-forwarded-host: a.example:81", "x-forwarded-port: 8443"],
            "http a.example 8443 - - ",
        ),
        (vec!["x-forwarded-port: 8443"], "http example.org 8443 - - "),
        (
            vec!["x-forwarded-prefix: /app/"],
            "http example.org 80 10.0.0.1 4000 /app",
        ),
        (vec![], "http example.org 80 10.0.0.1 4000 "),
    ];
    for (mut headers, expected) in table {
        headers.push(HOST);
        assert_eq!(
            summary(&behind_thorough_proxies(), request(PROXY, "/", &headers)),
            expected,
            "{headers:?}"
        );
    }
}

#[test]
fn origin_3_the_client_is_the_last_hop_that_is_not_trusted() {
    let table = [
        (
            vec!["x-forwarded-for: 192.0.2.1, 10.0.0.3, 10.0.0.2"],
            "192.0.2.1",
        ),
        (
            vec![
                "x-forwarded-for: 192.0.2.1",
                "x-forwarded-for: 10.0.0.3,10.0.0.2",
            ],
            "192.0.2.1",
        ),
        (
            vec!["x-forwarded-for: 192.0.2.9, 192.0.2.1, fd00::3"],
            "192.0.2.1",
        ),
        (
            vec!["x-forwarded-for: ::ffff:10.0.0.3, ::ffff:10.0.0.2"],
            "10.0.0.3",
        ),
        (vec!["x-forwarded-for: 10.0.0.3 , , 10.0.0.2,"], "10.0.0.3"),
        (vec!["x-forwarded-for: 192.0.2.9, unknown, 10.0.0.2"], "-"),
        (
            vec!["forwarded: for=192.0.2.1, for=10.0.0.3, for=\"[fd00::2]\""],
            "192.0.2.1",
        ),
        (
            vec![
                "forwarded: for=192.0.2.9, for=192.0.2.1",
                "forwarded: for=10.0.0.2",
            ],
            "192.0.2.1",
        ),
        (vec!["forwarded: for=192.0.2.9, for=_x, for=10.0.0.2"], "-"),
        (
            vec!["forwarded: for=192.0.2.9, proto=https, for=10.0.0.2"],
            "-",
        ),
        (vec!["forwarded: for=10.0.0.3, for=10.0.0.2"], "10.0.0.3"),
    ];
    for (headers, client) in table {
        let got = summary(&behind_proxies(), request(PROXY, "/", &headers));
        assert_eq!(got.split(' ').nth(3), Some(client), "{headers:?}");
    }
}

#[test]
fn origin_5_the_first_trusted_proxy_reports_the_host() {
    let layer = behind_thorough_proxies();
    let first = "forwarded: for=192.0.2.9;host=evil.example;proto=http, \
                 for=192.0.2.1;host=a.example;proto=https, for=10.0.0.2;host=inner;proto=http";
    assert_eq!(
        summary(&layer, request(PROXY, "/", &[first])),
        "https a.example 443 192.0.2.1 - "
    );
    // If it reports nothing, the next one's report counts.
    let silent = "forwarded: for=192.0.2.9;proto=http, for=192.0.2.1, for=10.0.0.2;host=\"inner:81\";proto=https";
    assert_eq!(
        summary(&layer, request(PROXY, "/", &[silent])),
        "https inner 81 192.0.2.1 - "
    );
    // In X-Forwarded-Proto, -Host, -Port and -Prefix the last value is the nearest proxy's.
    let lists = [
        "x-forwarded-for: 192.0.2.1",
        "x-forwarded-proto: http, https",
        "x-forwarded-host: evil.example, a.example",
        "x-forwarded-port: 1,2",
        "x-forwarded-prefix: /evil, /app",
    ];
    assert_eq!(
        summary(&layer, request(PROXY, "/", &lists)),
        "https a.example 2 192.0.2.1 - /app"
    );
}

#[test]
fn origin_6_host_port_and_prefix_count_only_if_named() {
    let headers = [
        HOST,
        "x-forwarded-for: 192.0.2.1",
        "x-forwarded-host: a.example:81",
        "x-forwarded-port: 1337",
        "x-forwarded-prefix: /logout",
    ];
    let summary = |extra: &[XForwarded]| {
        let layer = behind_proxies().x_forwarded(extra.iter().copied());
        summary(&layer, request(PROXY, "/", &headers))
    };
    assert_eq!(summary(&[]), "http example.org 80 192.0.2.1 - ");
    assert_eq!(
        summary(&[XForwarded::Host]),
        "http a.example 81 192.0.2.1 - "
    );
    assert_eq!(
        summary(&[XForwarded::Port]),
        "http example.org 1337 192.0.2.1 - "
    );
    assert_eq!(
        summary(&[XForwarded::Prefix]),
        "http example.org 80 192.0.2.1 - /logout"
    );
}

#[test]
fn origin_6_a_prefix_of_the_layer_replaces_the_header() {
    let headers = [
        HOST,
        "x-forwarded-for: 192.0.2.1",
        "x-forwarded-prefix: //evil",
    ];
    let layer = behind_proxies().x_forwarded([XForwarded::Prefix]);
    let layer = layer.prefix("/app").unwrap();
    let summary = summary(&layer, request(PROXY, "/", &headers));
    assert_eq!(summary, "http example.org 80 192.0.2.1 - /app");
}

#[test]
fn origin_6_the_prefix_counts_beside_forwarded() {
    let headers = [HOST, "forwarded: for=192.0.2.1", "x-forwarded-prefix: /app"];
    for layer in [
        behind_thorough_proxies(),
        behind_thorough_proxies().only_forwarded(),
    ] {
        let summary = summary(&layer, request(PROXY, "/", &headers));
        assert_eq!(summary, "http example.org 80 192.0.2.1 - /app");
    }
    let stranger = summary(&behind_thorough_proxies(), request(STRANGER, "/", &headers));
    assert_eq!(stranger, "http example.org 80 203.0.113.7 5000 ");
}

#[test]
fn origin_7_one_kind_of_headers_can_be_chosen() {
    let both = [
        "forwarded: for=192.0.2.1;proto=https",
        "x-forwarded-for: 192.0.2.2",
        HOST,
    ];
    let summary = |layer: &OriginLayer| summary(layer, request(PROXY, "/", &both));
    assert_eq!(
        summary(&behind_proxies().only_forwarded()),
        "https example.org 443 192.0.2.1 - "
    );
    assert_eq!(
        summary(&behind_proxies().only_x_forwarded()),
        "http example.org 80 192.0.2.2 - "
    );
}

#[test]
fn origin_2_a_peer_without_an_address_can_be_trusted() {
    let headers = [HOST, "x-forwarded-for: 192.0.2.1"];
    let stranger = summary(&behind_proxies(), request("", "/", &headers));
    assert_eq!(stranger, "http example.org 80 - - ");
    let unix = behind_proxies().trusted_without_address();
    assert_eq!(
        summary(&unix, request("", "/", &headers)),
        "http example.org 80 192.0.2.1 - "
    );
    let chain = [HOST, "x-forwarded-for: 192.0.2.1, unix:"];
    assert_eq!(
        summary(&unix, request("", "/", &chain)),
        "http example.org 80 192.0.2.1 - "
    );
    assert_eq!(
        summary(&behind_proxies(), request(PROXY, "/", &chain)),
        "http example.org 80 - - "
    );
    // A peer with an address counts by its address.
    assert_eq!(
        summary(&unix, request(STRANGER, "/", &headers)),
        "http example.org 80 203.0.113.7 5000 "
    );
}

#[test]
fn origin_2_trusted_and_hosts_add_values() {
    let layer = OriginLayer::new()
        .trusted(["10.0.0.0/24"])
        .unwrap()
        .trusted(["::ffff:10.0.1.1", "::ffff:10.9.9.9/112"])
        .unwrap()
        .hosts(["a.example"])
        .unwrap()
        .hosts(vec!["*.b.example".to_owned()])
        .unwrap();
    let headers = [
        "host: x.b.example",
        "x-forwarded-for: 192.0.2.1, 10.9.0.1, 10.0.1.1, 10.0.0.9",
    ];
    assert_eq!(
        summary(&layer, request(PROXY, "/", &headers)),
        "http x.b.example 80 192.0.2.1 - "
    );
    assert_eq!(
        summary(&layer, request(PROXY, "/", &["host: A.example"])),
        "http a.example 80 10.0.0.1 4000 "
    );
}

/// Health checks over HTTP/1.0 have no `Host`.
#[test]
fn origin_9_a_request_without_a_host_has_the_default_host() {
    let listed = || behind_thorough_proxies().hosts(["example.org"]).unwrap();
    let bare = || request(STRANGER, "/", &[]);
    assert_eq!(summary(&listed(), bare()), "the request names no host");
    let table = [
        ("example.org", "http example.org 80 203.0.113.7 5000 "),
        // It need not be on the list.
        (
            "Health.example:81",
            "http health.example 81 203.0.113.7 5000 ",
        ),
        ("[2001:DB8::1]", "http [2001:db8::1] 80 203.0.113.7 5000 "),
    ];
    for (host, expected) in table {
        for layer in [listed(), OriginLayer::new()] {
            let layer = layer.default_host(host).unwrap();
            assert_eq!(summary(&layer, bare()), expected, "{host}");
            assert_eq!(
                summary(&layer, request(STRANGER, "/", &["host: "])),
                expected
            );
            assert_eq!(summary(&layer, http2(bare())), expected);
        }
    }
    // The last call counts.
    let layer = listed().default_host("a.example").unwrap();
    let layer = layer.default_host("b.example").unwrap();
    assert_eq!(
        summary(&layer, bare()),
        "http b.example 80 203.0.113.7 5000 "
    );
    // A host that is named counts before it, and has to be on the list.
    for (peer, header, expected) in [
        (STRANGER, HOST, "http example.org 80 203.0.113.7 5000 "),
        (
            STRANGER,
            "host: b.example",
            "this host is not served here (b.example)",
        ),
        (
            PROXY,
            "x-forwarded-host: example.org",
            "http example.org 80 - - ",
        ),
        (
            PROXY,
            "forwarded: for=192.0.2.1;host=b.example",
            "this host is not served here (b.example)",
        ),
        (PROXY, "x-forwarded-port: 81", "http b.example 81 - - "),
    ] {
        let got = summary(&layer, request(peer, "/", &[header]));
        assert_eq!(got, expected, "{header}");
    }
}

/// Each row of the README's table, with only the options that the row needs.
#[test]
fn the_defaults_are_those_of_the_readme() {
    let forwarded = [
        "x-forwarded-for: 192.0.2.1",
        "x-forwarded-proto: https",
        HOST,
    ];
    let lying = [
        "host: example.org",
        "x-forwarded-host: a.example",
        "x-forwarded-port: 81",
        "x-forwarded-prefix: /app",
    ];
    let both = ["forwarded: for=192.0.2.1", "x-forwarded-for: 192.0.2.1"];
    for new in [OriginLayer::new, OriginLayer::default] {
        let table = [
            // `trusted`, `https` and `prefix`
            (
                new(),
                PROXY,
                &forwarded[..],
                "http example.org 80 10.0.0.1 4000 ",
            ),
            // `trusted_without_address`
            (new(), "", &forwarded[..], "http example.org 80 - - "),
            // `only_forwarded`, `only_x_forwarded`
            (
                new().trusted(["10.0.0.0/8"]).unwrap(),
                PROXY,
                &both[..],
                "the request has both Forwarded and X-Forwarded headers",
            ),
            // `x_forwarded`
            (
                new().trusted(["10.0.0.0/8"]).unwrap(),
                PROXY,
                &lying[..],
                "http example.org 80 10.0.0.1 4000 ",
            ),
            // `hosts`
            (
                new(),
                STRANGER,
                &["host: any.example:81"][..],
                "http any.example 81 203.0.113.7 5000 ",
            ),
            // `default_host`
            (new(), STRANGER, &[][..], "http - 80 203.0.113.7 5000 "),
            (
                new().hosts(["example.org"]).unwrap(),
                STRANGER,
                &[][..],
                "the request names no host",
            ),
        ];
        for (layer, peer, headers, expected) in table {
            let got = summary(&layer, request(peer, "/", headers));
            assert_eq!(got, expected, "{headers:?}");
        }
    }
}

#[test]
fn origin_16_an_error_has_what_was_found_and_expected() {
    let table = [
        (
            OriginLayer::new()
                .trusted(["10.0.0.0/8", "10.0.0.0/33"])
                .unwrap_err(),
            "expected an address or a network, such as `10.0.0.0/8` (found \"10.0.0.0/33\")",
        ),
        (
            OriginLayer::new().trusted(["proxy.example"]).unwrap_err(),
            "expected an address or a network, such as `10.0.0.0/8` (found \"proxy.example\")",
        ),
        (
            OriginLayer::new()
                .hosts(["http://example.org"])
                .unwrap_err(),
            "expected a host, such as `example.org`, `*.example.org:8443` or `[2001:db8::1]` (found \"http://example.org\")",
        ),
        (
            OriginLayer::new().hosts([""; 0]).unwrap_err(),
            "expected a host, such as `example.org`, `*.example.org:8443` or `[2001:db8::1]` (found \"\")",
        ),
        (
            OriginLayer::new()
                .default_host("*.example.org")
                .unwrap_err(),
            "expected a host, such as `example.org`, `example.org:8443` or `[2001:db8::1]` (found \"*.example.org\")",
        ),
        (
            OriginLayer::new().default_host("").unwrap_err(),
            "expected a host, such as `example.org`, `example.org:8443` or `[2001:db8::1]` (found \"\")",
        ),
        (
            OriginLayer::new().prefix("app").unwrap_err(),
            "expected a path such as `/app`, without empty or dot segments, query or fragment (found \"app\")",
        ),
    ];
    for (error, text) in table {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn an_origin_costs_the_extension_and_a_long_host() {
    use tower::Service;
    let layer = behind_proxies();
    let mut app = tower::Layer::layer(
        &layer,
        tower::service_fn(|request: http::Request<()>| {
            std::future::ready(
                Ok::<_, ()>(http::Response::new(
                    http_body_util::Full::<bytes::Bytes>::default(),
                ))
                .inspect(|_| drop(request)),
            )
        }),
    );
    let mut count = |headers: &[&str]| {
        let mut request = Some(request(PROXY, "/", headers));
        allocation_counter::measure(|| drop(app.call(request.take().unwrap()))).count_total
    };
    // The extension, which has the name.
    assert_eq!(count(&[HOST]), 1);
    let long = format!("host: {}.example", "a".repeat(60));
    assert_eq!(count(&[&long]), 2);
    assert_eq!(
        count(&[
            HOST,
            "x-forwarded-for: 192.0.2.1, 10.0.0.2",
            "x-forwarded-proto: https"
        ]),
        1
    );
}

#[test]
fn origin_16_the_kind_of_an_error_names_the_option() {
    let layer = OriginLayer::new;
    for (error, kind) in [
        (
            layer().trusted(["x"]).unwrap_err(),
            OriginErrorKind::Network,
        ),
        (layer().hosts([""; 0]).unwrap_err(), OriginErrorKind::Host),
        (
            layer().default_host("").unwrap_err(),
            OriginErrorKind::DefaultHost,
        ),
        (layer().prefix("app").unwrap_err(), OriginErrorKind::Prefix),
    ] {
        assert_eq!(error.kind(), kind);
    }
}
