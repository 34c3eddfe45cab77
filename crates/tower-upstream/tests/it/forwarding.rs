//! The headers that name the client to the upstream.

use std::net::SocketAddr;

use http::Request;
use tower::Layer;
use tower_environ::MountLayer;
use tower_origin::{OriginLayer, PeerAddr, XForwarded};

use super::{App, Body, OK, ask, at, boxed, sockets::Listener, watched};

/// The headers of a client that pretends to be another one.
const LIES: &[(&str, &str)] = &[
    ("forwarded", "for=6.6.6.6;proto=https"),
    ("x-forwarded-for", "6.6.6.6"),
    ("x-forwarded-for", "7.7.7.7"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-port", "443"),
    ("x-forwarded-prefix", "/evil"),
    ("x-forwarded-user", "root"),
    ("x-real-ip", "6.6.6.6"),
    ("x_forwarded_for", "6.6.6.6"),
];

/// Returns the lines that name the client, sorted.
async fn seen(
    trusted: &[&str],
    wrap: impl FnOnce(App) -> App,
    peer: Option<&str>,
    headers: &[(&str, &str)],
) -> Vec<String> {
    let upstream = Listener::bind().await;
    let app = wrap(watched(
        at(&upstream).trusted(trusted.iter().copied()).unwrap(),
    ));
    let mut heads = upstream.answering(OK);
    let mut request = Request::get("/shop/x").header("host", "example.org:8080");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::default()).unwrap();
    if let Some(peer) = peer {
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(PeerAddr(peer));
    }
    let response = ask(&app, request).await;
    assert_eq!(response.status(), 200);
    let head = heads.recv().await.unwrap();
    let mut lines: Vec<String> = head
        .lines()
        .filter(|line| line.contains("forwarded") || line.contains("real"))
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn upstream_4_a_peer_that_is_not_trusted_is_not_believed() {
    for (trusted, peer, client) in [
        (
            &[][..],
            Some("192.0.2.1:4000"),
            Some("x-forwarded-for: 192.0.2.1"),
        ),
        (
            &[],
            Some("[2001:db8::1]:4000"),
            Some("x-forwarded-for: 2001:db8::1"),
        ),
        (
            &[],
            Some("[::ffff:192.0.2.1]:4000"),
            Some("x-forwarded-for: 192.0.2.1"),
        ),
        (
            &["10.0.0.0/8", "::1"],
            Some("192.0.2.1:4000"),
            Some("x-forwarded-for: 192.0.2.1"),
        ),
        (&["0.0.0.0/0"], None, None),
    ] {
        let seen = seen(trusted, |inner| inner, peer, LIES).await;
        let mut wanted: Vec<&str> = client.into_iter().collect();
        wanted.extend([
            "x-forwarded-host: example.org:8080",
            "x-forwarded-port: 8080",
            "x-forwarded-proto: http",
        ]);
        assert_eq!(seen, wanted);
    }
}

#[tokio::test]
async fn upstream_4_a_trusted_proxy_is_appended() {
    let says = [
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-for", "10.0.0.2"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "443"),
        // Of two lines the last is that of the nearest proxy.
        ("x-forwarded-prefix", "/far/"),
        ("x-forwarded-prefix", "/outer/"),
        ("x-forwarded-user", "joe"),
        ("x-real-ip", "203.0.113.7"),
        ("x_forwarded_for", "6.6.6.6"),
        ("connection", "x-forwarded-for, x-forwarded-proto"),
    ];
    let mount = |inner| boxed(MountLayer::new("/shop").unwrap().layer(inner));
    for peer in ["10.0.0.1:1", "[::ffff:10.0.0.1]:1"] {
        let seen = seen(&["192.0.2.1", "10.0.0.0/8"], mount, Some(peer), &says).await;
        assert_eq!(
            seen,
            [
                "x-forwarded-for: 203.0.113.7, 10.0.0.2, 10.0.0.1",
                "x-forwarded-host: shop.example",
                "x-forwarded-port: 443",
                "x-forwarded-prefix: /outer/shop",
                "x-forwarded-proto: https",
                "x-forwarded-user: joe",
                "x-real-ip: 203.0.113.7",
            ]
        );
    }
}

#[tokio::test]
async fn upstream_4_missing_headers_of_a_trusted_proxy_are_set() {
    let seen = seen(&["10.0.0.1"], |inner| inner, Some("10.0.0.1:1"), &[]).await;
    assert_eq!(
        seen,
        [
            "x-forwarded-for: 10.0.0.1",
            "x-forwarded-host: example.org:8080",
            "x-forwarded-port: 8080",
            "x-forwarded-proto: http",
        ]
    );
}

#[tokio::test]
async fn upstream_4_a_proxy_is_appended_to_its_own_kind_of_header() {
    let says = [
        ("forwarded", "for=203.0.113.7;proto=https"),
        ("forwarded", "for=10.0.0.2"),
    ];
    let trusted = &["10.0.0.0/8", "2001:db8::/32"];
    let before = "forwarded: for=203.0.113.7;proto=https, for=10.0.0.2, ";
    let v4 = seen(trusted, |inner| inner, Some("10.0.0.1:1"), &says).await;
    let v6 = seen(trusted, |inner| inner, Some("[2001:db8::1]:1"), &says).await;
    let own = "proto=http;host=\"example.org:8080\"";
    assert_eq!(v4, [format!("{before}for=10.0.0.1;{own}")]);
    assert_eq!(v6, [format!("{before}for=\"[2001:db8::1]\";{own}")]);
}

#[tokio::test]
async fn upstream_4_an_origin_names_the_client() {
    let origin = |inner| {
        let layer = OriginLayer::new().trusted(["10.0.0.0/8"]).unwrap();
        let layer = layer.x_forwarded([XForwarded::Host, XForwarded::Prefix]);
        boxed(layer.layer(MountLayer::new("/shop").unwrap().layer(inner)))
    };
    let says = [
        ("x-forwarded-for", "6.6.6.6, 203.0.113.7"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/outer"),
        ("x-real-ip", "6.6.6.6"),
    ];
    assert_eq!(
        seen(&[], origin, Some("10.0.0.1:1"), &says).await,
        [
            "x-forwarded-for: 203.0.113.7",
            "x-forwarded-host: shop.example",
            "x-forwarded-port: 443",
            "x-forwarded-prefix: /outer/shop",
            "x-forwarded-proto: https",
        ]
    );
    assert_eq!(
        seen(&[], origin, Some("192.0.2.1:1"), LIES).await,
        [
            "x-forwarded-for: 192.0.2.1",
            "x-forwarded-host: example.org:8080",
            "x-forwarded-port: 8080",
            "x-forwarded-prefix: /shop",
            "x-forwarded-proto: http",
        ]
    );
}

#[tokio::test]
async fn upstream_4_a_hidden_client_is_not_named_by_its_proxy() {
    let origin = |inner| {
        boxed(
            OriginLayer::new()
                .trusted(["10.0.0.0/8"])
                .unwrap()
                .layer(inner),
        )
    };
    let peer = Some("10.0.0.1:1");
    let others = [
        "x-forwarded-host: example.org:8080",
        "x-forwarded-port: 8080",
        "x-forwarded-proto: http",
    ];
    for hidden in [
        ("forwarded", "for=unknown"),
        ("forwarded", "for=_hidden"),
        ("forwarded", "for=\"_gazonk:_obf\""),
        ("x-forwarded-for", "unknown"),
        ("x-forwarded-for", "unknown, 10.0.0.2"),
    ] {
        assert_eq!(
            seen(&[], origin, peer, &[hidden]).await,
            others,
            "{hidden:?}"
        );
    }
}

#[tokio::test]
async fn upstream_4_a_proxy_is_not_named_for_a_hidden_client() {
    let trusted = &["10.0.0.0/8"];
    let peer = Some("10.0.0.1:1");
    for (hidden, first, last) in [
        (
            "for=_hidden",
            "for=_hidden, for=10.0.0.1;proto=http;host=\"example.org:8080\"",
            None,
        ),
        (
            "for=unknown;proto=https",
            "for=unknown;proto=https, for=10.0.0.1;proto=http;host=\"example.org:8080\"",
            None,
        ),
        (
            "for=_a",
            "for=_a, for=10.0.0.1;proto=http;host=\"example.org:8080\"",
            Some("203.0.113.7"),
        ),
    ] {
        let mut says = vec![("forwarded", hidden), ("x-forwarded-proto", "https")];
        says.extend(last.map(|last| ("x-forwarded-for", last)));
        let seen = seen(trusted, |inner| inner, peer, &says).await;
        assert_eq!(seen[0], format!("forwarded: {first}"));
        let named: Vec<&String> = seen
            .iter()
            .filter(|line| line.starts_with("x-forwarded-for"))
            .collect();
        let wanted = last.map(|last| format!("x-forwarded-for: {last}, 10.0.0.1"));
        assert_eq!(named, wanted.iter().collect::<Vec<_>>(), "{hidden}");
    }
}
