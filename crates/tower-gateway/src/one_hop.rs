//! Fields that no program gets, and that no response of a program has.

use http::{
    HeaderMap, HeaderName,
    header::{CONNECTION, EXPECT, TRAILER},
};
use tower_kit::names::{is_forwarding, is_of_one_hop};

/// Returns whether a field is about one connection whatever `Connection` names. What a client has
/// written there does not count in a request from a web server, which has fields of its own beside
/// it.
pub(crate) fn is_known(name: &HeaderName) -> bool {
    is_of_one_hop(name.as_str())
}

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
    remove_if(headers, is_of_one_hop);
}

/// Removes the fields of a response that are about one connection, or about its framing there.
pub(crate) fn remove_from_response(headers: &mut HeaderMap) {
    let is_meant = |name: &HeaderName| *name == TRAILER || is_known(name);
    // Mostly there is none.
    if headers.keys().any(is_meant) {
        remove(headers);
        headers.remove(TRAILER);
    }
}

/// Removes the fields of a request that no program gets: those about one connection, and those that
/// name the client, because variables of the server do that.
pub(crate) fn remove_from_request(headers: &mut HeaderMap) {
    let is_meant = |name: &HeaderName| {
        *name == TRAILER || *name == EXPECT || is_known(name) || is_forwarding(name.as_str())
    };
    // Mostly there is none.
    if headers.keys().any(is_meant) {
        remove(headers);
        headers.remove(TRAILER);
        headers.remove(EXPECT);
        remove_if(headers, is_forwarding);
    }
}

fn remove_if(headers: &mut HeaderMap, is_meant: fn(&str) -> bool) {
    let names = headers.keys().filter(|name| is_meant(name.as_str()));
    for name in names.cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
}
