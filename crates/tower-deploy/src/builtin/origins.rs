//! Origins, as browsers write them (RFC 6454, section 6.2).

use std::net::Ipv6Addr;

/// Returns what would be right instead of a text that no browser sends as its origin, or `None` if
/// browsers may send it.
pub(super) fn correction(text: &str) -> Option<String> {
    const EXAMPLES: &str = "write origins such as https://example.org or http://localhost:3000";
    if text == "null" {
        return None;
    }
    if text.contains(',') {
        return Some("separate origins by spaces and not by commas".to_owned());
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Some(EXAMPLES.to_owned());
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if let Some((_, host)) = authority.rsplit_once('@') {
        return Some(format!("leave out the user: {scheme}://{host}"));
    }
    if !path.is_empty() && !authority.is_empty() {
        return Some(format!("leave out the path: {scheme}://{authority}"));
    }
    if text.contains('*') {
        return Some("write each origin out, or only * for all origins".to_owned());
    }
    if !text.is_ascii() {
        return Some("write the host as browsers send it, in ASCII: xn--…".to_owned());
    }
    if text.contains(|c: char| c.is_ascii_uppercase()) {
        return Some(format!("write {}", text.to_ascii_lowercase()));
    }
    let (host, port) = match authority.rfind(']') {
        Some(end) => authority.split_at(end + 1),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let inner = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let is_host = match inner {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(is_name),
    };
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if !is_host || scheme.is_empty() || !scheme.chars().all(is_scheme) {
        return Some(EXAMPLES.to_owned());
    }
    match (scheme, port) {
        (_, "") => None,
        ("http", ":80") | ("https", ":443") => Some(format!(
            "leave out the port that {scheme} has by default: {scheme}://{host}"
        )),
        _ => {
            let digits = port.strip_prefix(':').unwrap_or_default();
            let number = digits.parse::<u16>().ok().filter(|number| *number > 0);
            let is_port = number.is_some_and(|number| number.to_string() == digits);
            (!is_port).then(|| "write a port from 1 to 65535, or none".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_may_send_these_origins() {
        for text in [
            "null",
            "https://a.example",
            "http://localhost:3000",
            "https://a.example:80",
            "http://a.example:443",
            "http://[::1]:8080",
            "https://192.0.2.1",
            "https://xn--9ca.example",
            "https://my_host",
            "moz-extension://6f1e",
            "capacitor://localhost",
        ] {
            assert_eq!(correction(text), None, "{text}");
        }
    }

    #[test]
    fn no_browser_sends_these_origins() {
        let examples = "write origins such as https://example.org or http://localhost:3000";
        let port = "write a port from 1 to 65535, or none";
        for (text, expected) in [
            ("", examples),
            ("a.example", examples),
            ("https://", examples),
            ("https:///x", examples),
            ("://a.example", examples),
            ("https://a%41.example", examples),
            ("https://[::1", examples),
            ("https://[x]", examples),
            ("https://a.example:", port),
            ("https://a.example:0", port),
            ("https://a.example:x", port),
            ("https://a.example:080", port),
            ("https://a.example:65536", port),
            ("https://[::1]x", port),
            (
                "https://a.example/",
                "leave out the path: https://a.example",
            ),
            (
                "https://a.example?x",
                "leave out the path: https://a.example",
            ),
            ("HTTPS://a.Example", "write https://a.example"),
        ] {
            assert_eq!(correction(text).as_deref(), Some(expected), "{text}");
        }
    }
}
