//! Fields that no program gets, and that no response of a program has.

use http::{HeaderMap, HeaderName, header::CONNECTION};

/// The fields about one connection (RFC 9110, section 7.6.1), besides those that `Connection`
/// names.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Removes the fields about one connection.
pub(crate) fn remove(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Removes the fields of a request that no program gets: those about one connection, and those that
/// name the client, because variables of the server do that.
pub(crate) fn remove_from_request(headers: &mut HeaderMap) {
    remove(headers);
    headers.remove("trailer");
    headers.remove("expect");
    let forwarding: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_forwarding(name.as_str()))
        .cloned()
        .collect();
    for name in forwarding {
        headers.remove(name);
    }
}

fn is_forwarding(name: &str) -> bool {
    matches!(name, "forwarded" | "x-real-ip") || name.starts_with("x-forwarded-")
}
