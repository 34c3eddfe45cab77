//! Who may see the page: whoever sits at this machine, and nobody who only seems to.

use std::net::IpAddr;

use http::{
    header::{FORWARDED, HOST, VIA},
    request::Parts,
};

/// Headers in which proxies tell of clients, besides those that begin with `x-forwarded`.
const TELLTALE: [&str; 9] = [
    "cf-connecting-ip",
    "client-ip",
    "fastly-client-ip",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-host",
    "x-real-ip",
    "x-envoy-external-address",
];

pub(super) fn opens_to(peer: IpAddr, head: &Parts, hosts: &[String]) -> bool {
    let came_through_a_proxy = head.headers.keys().any(|name| {
        [FORWARDED, VIA].contains(name)
            || name.as_str().starts_with("x-forwarded")
            || TELLTALE.contains(&name.as_str())
    });
    peer.to_canonical().is_loopback() && !came_through_a_proxy && is_known(head, hosts)
}

/// Every name by which the request calls this machine is one of its own.
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
    fn it_opens_to_this_machine_under_its_own_names() {
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
    fn it_does_not_open_to_others_and_to_whoever_comes_through_a_proxy() {
        assert!(!opens("10.0.0.1", "http://localhost/", &[]));
        assert!(!opens("::2", "http://localhost/", &[]));
        for name in TELLTALE.iter().copied().chain([
            "forwarded",
            "via",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-anything",
        ]) {
            assert!(!opens("::1", "http://localhost/", &[(name, "")]), "{name}");
        }
    }
}
