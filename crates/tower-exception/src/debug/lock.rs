//! The conditions on the client for the page: it is a person at this machine, without a proxy
//! between.

use std::net::IpAddr;

use http::{
    header::{HOST, ORIGIN},
    request::Parts,
};

/// Headers of proxies whose names have neither `forwarded` nor one of [`ADDRESS`].
const TELLTALE: [&str; 6] = [
    "via",
    "cdn-loop",
    "x-original-host",
    "x-real-ip",
    "x-remote-ip",
    "x-envoy-external-address",
];

/// The ends of the header names in which proxies send a client's address, without hyphens.
const ADDRESS: [&str; 5] = [
    "clientip",
    "connectingip",
    "connectionip",
    "userip",
    "clientaddress",
];

pub(super) fn opens_to(peer: IpAddr, head: &Parts, hosts: &[String]) -> bool {
    let came_through_a_proxy = head.headers.keys().any(|name| is_a_proxys(name.as_str()));
    peer.to_canonical().is_loopback()
        && !came_through_a_proxy
        && is_known(head, hosts)
        && !is_for_another_site(head, hosts)
}

fn is_a_proxys(name: &str) -> bool {
    let plain = name.replace('-', "");
    name.contains("forwarded")
        || TELLTALE.contains(&name)
        || ADDRESS.iter().any(|address| plain.ends_with(address))
}

/// Returns whether the request comes from another site's page, in a browser on this machine.
fn is_for_another_site(head: &Parts, hosts: &[String]) -> bool {
    let mut sites = head.headers.get_all("sec-fetch-site").into_iter();
    if sites.any(|site| site == "cross-site") {
        return true;
    }
    let mut origins = head.headers.get_all(ORIGIN).into_iter();
    !origins.all(|origin| {
        let origin = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"));
        origin.is_some_and(|(_, host)| is_ours(host, hosts))
    })
}

/// Returns whether every name of the host in the request is one of this machine's.
fn is_known(head: &Parts, hosts: &[String]) -> bool {
    let mut names: Vec<&str> = Vec::new();
    for host in head.headers.get_all(HOST) {
        match host.to_str() {
            Ok(host) => names.push(host),
            Err(_) => return false,
        }
    }
    names.extend(head.uri.authority().map(|authority| authority.as_str()));
    !names.is_empty() && names.iter().all(|name| is_ours(name, hosts))
}

fn is_ours(host: &str, hosts: &[String]) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if is_port(port) => address,
            _ => return false,
        },
        None => match host.split_once(':') {
            Some((name, port)) if is_port(&format!(":{port}")) => name,
            Some(_) => return false,
            None => host,
        },
    };
    let name = name.to_ascii_lowercase();
    let is_loopback = name
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    is_loopback || name == "localhost" || name.ends_with(".localhost") || hosts.contains(&name)
}

fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(digits) => digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => text.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn opens(peer: &str, uri: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        opens_to(peer.parse().unwrap(), &head, &["dev.example".to_owned()])
    }

    #[test]
    fn exception_14_the_page_is_for_this_machines_own_names() {
        let table = [
            ("localhost", true),
            ("LOCALHOST:8080", true),
            ("app.localhost", true),
            ("127.0.0.1:80", true),
            ("127.9.9.9", true),
            ("[::1]:8080", true),
            ("[::1]", true),
            ("dev.example", true),
            ("dev.example:3000", true),
            ("", false),
            ("example.org", false),
            ("localhost.example.org", false),
            ("notlocalhost", false),
            ("192.168.0.1", false),
            ("[::2]", false),
            ("::1", false),
            ("[::1", false),
            ("[::1]x", false),
            ("localhost:80:80", false),
            ("localhost:x", false),
            ("me@localhost", false),
            ("localhost.", false),
        ];
        for (host, expected) in table {
            assert_eq!(
                opens("127.0.0.1", "/", &[("host", host)]),
                expected,
                "{host}"
            );
        }
        assert!(opens("::1", "http://localhost/", &[]));
        assert!(opens("::ffff:127.0.0.1", "http://localhost/", &[]));
        assert!(!opens("::1", "/", &[]));
        assert!(!opens(
            "::1",
            "http://example.org/",
            &[("host", "localhost")]
        ));
        assert!(!opens(
            "::1",
            "/",
            &[("host", "localhost"), ("host", "example.org")]
        ));
    }

    #[test]
    fn exception_14_the_page_is_not_for_others_or_through_proxies() {
        assert!(!opens("10.0.0.1", "http://localhost/", &[]));
        assert!(!opens("::2", "http://localhost/", &[]));
        for name in [
            "via",
            "cdn-loop",
            "x-original-host",
            "x-real-ip",
            "x-remote-ip",
            "x-envoy-external-address",
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-anything",
            "x-original-forwarded-for",
            "fly-client-ip",
            "x-azure-clientip",
            "x-appengine-user-ip",
            "x-nf-client-connection-ip",
            "do-connecting-ip",
            "cf-connecting-ip",
            "true-client-ip",
            "wl-proxy-client-ip",
            "x-client-address",
        ] {
            assert!(!opens("::1", "http://localhost/", &[(name, "")]), "{name}");
        }
        for (name, value, expected) in [
            ("sec-fetch-site", "cross-site", false),
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "none", true),
            ("origin", "https://evil.example", false),
            ("origin", "null", false),
            ("origin", "http://localhost:8080", true),
        ] {
            assert_eq!(
                opens("::1", "http://localhost/", &[(name, value)]),
                expected,
                "{value}"
            );
        }
    }
}
