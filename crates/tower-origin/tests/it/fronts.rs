//! What proxies have been seen to send, with a client at 203.0.113.7 that may have sent headers of
//! its own before: 6.6.6.6 and evil.example.

use crate::probe::{PROXY, behind_proxies, behind_thorough_proxies, request, summary};

#[test]
fn origin_3_the_headers_of_real_proxies_are_read() {
    let x = behind_proxies().only_x_forwarded();
    let thorough = behind_thorough_proxies().only_x_forwarded();
    let unix = x.clone().trusted_without_address();
    let forwarded = behind_proxies().only_forwarded();
    for (proxy, layer, headers, expected) in [
        (
            "HAProxy, option forwardfor",
            &x,
            vec!["x-forwarded-for: 6.6.6.6", "x-forwarded-for: 203.0.113.7"],
            "http site.example 80 203.0.113.7 - ",
        ),
        (
            "HAProxy 2.8, option forwarded",
            &forwarded,
            vec!["forwarded: proto=https;for=203.0.113.7"],
            "https site.example 443 203.0.113.7 - ",
        ),
        (
            "Apache",
            &thorough,
            vec![
                "x-forwarded-for: 6.6.6.6, 203.0.113.7",
                "x-forwarded-host: evil.example, site.example:8443",
                "x-forwarded-server: evil.example, front.example",
            ],
            "http site.example 8443 203.0.113.7 - ",
        ),
        (
            "Caddy",
            &x,
            vec![
                "x-forwarded-for: 203.0.113.7",
                "x-forwarded-proto: http",
                "x-forwarded-host: site.example",
                "forwarded: for=6.6.6.6",
            ],
            "http site.example 80 203.0.113.7 - ",
        ),
        (
            "lighttpd with proxy.forwarded",
            &forwarded,
            vec![
                "forwarded: for=6.6.6.6, for=203.0.113.7;by=\"10.0.0.1:18122\";proto=http;host=\"site.example:8443\";remote_user=\"a b\"",
            ],
            "http site.example 8443 203.0.113.7 - ",
        ),
        (
            "lighttpd with proxy.forwarded, on a Unix socket",
            &forwarded,
            vec!["forwarded: for=203.0.113.7;by=\"/run/front.sock\";proto=https"],
            "https site.example 443 203.0.113.7 - ",
        ),
        (
            "Varnish",
            &x,
            vec!["x-forwarded-for: 6.6.6.6, 203.0.113.7"],
            "http site.example 80 203.0.113.7 - ",
        ),
        (
            "Squid with forwarded_for off",
            &x,
            vec!["x-forwarded-for: 6.6.6.6, unknown"],
            "http site.example 80 - - ",
        ),
        (
            "Squid by itself",
            &x,
            vec!["x-forwarded-for: ::"],
            "http site.example 80 :: - ",
        ),
        (
            "nginx on a Unix socket",
            &unix,
            vec!["x-forwarded-for: 203.0.113.7, unix:"],
            "http site.example 80 203.0.113.7 - ",
        ),
        (
            "AWS ALB with client ports",
            &thorough,
            vec![
                "x-forwarded-for: 203.0.113.7:1234",
                "x-forwarded-port: 8443",
                "x-forwarded-proto: https",
            ],
            "https site.example 8443 203.0.113.7 1234 ",
        ),
        (
            "AWS ALB with client ports, IPv6",
            &x,
            vec!["x-forwarded-for: [2001:db8::7]:1234"],
            "http site.example 80 2001:db8::7 1234 ",
        ),
        (
            "Cloudflare",
            &x,
            vec![
                "x-forwarded-for: 203.0.113.7",
                "cf-connecting-ip: 6.6.6.6",
                "x-forwarded-proto: https",
            ],
            "https site.example 443 203.0.113.7 - ",
        ),
        (
            "Traefik",
            &thorough,
            vec![
                "x-forwarded-for: 203.0.113.7",
                "x-forwarded-host: site.example",
                "x-forwarded-port: 443",
                "x-forwarded-prefix: ",
                "x-forwarded-proto: wss",
                "x-real-ip: 6.6.6.6",
            ],
            "https site.example 443 203.0.113.7 - ",
        ),
        (
            "node's http-proxy with xfwd, behind one that speaks TLS",
            &thorough,
            vec![
                "x-forwarded-for: 203.0.113.7,::ffff:10.0.0.3",
                "x-forwarded-proto: https,http",
                "x-forwarded-port: 443,80",
            ],
            "http site.example 80 203.0.113.7 - ",
        ),
    ] {
        let mut headers = headers.clone();
        headers.push("host: site.example");
        let seen = summary(layer, request(PROXY, "/", &headers));
        assert_eq!(seen, expected, "{proxy}: {headers:?}");
    }
}
