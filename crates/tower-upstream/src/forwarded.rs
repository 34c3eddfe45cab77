//! The headers that name the client: X-Forwarded-For, -Host, -Proto, -Port and -Prefix, and
//! `Forwarded` (RFC 7239).

use std::net::IpAddr;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{Entry, FORWARDED},
    request::Parts,
    uri::Scheme,
};
use tower_kit::names::{is_forwarding, is_plain};
use tower_origin::{Origin, PeerAddr};

use crate::{Network, host};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(crate) const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
pub(crate) const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The forwarding headers for the upstream, which replace all those of the request.
pub(crate) enum Forwarding {
    /// Headers that use none of the peer's own.
    Own(Own),
    /// Those of a trusted peer, with the peer's own address.
    HandedOn(HeaderMap),
}

pub(crate) struct Own {
    client: Option<HeaderValue>,
    proto: HeaderValue,
    host: Option<HeaderValue>,
    port: Option<HeaderValue>,
    prefix: Option<HeaderValue>,
}

impl Forwarding {
    /// Returns the headers for a request that names this host. They are made before any header is
    /// removed, so that no `Connection` header removes them (as in CVE-2022-31813).
    pub(crate) fn of(
        parts: &Parts,
        script_name: &str,
        host: Option<&HeaderValue>,
        trusted: &[Network],
    ) -> Self {
        let peer = parts.extensions.get::<PeerAddr>();
        let peer = peer.map(|peer| peer.0.ip().to_canonical());
        let origin = parts.extensions.get::<Origin>();
        let is_trusted = peer.is_some_and(|peer| trusted.iter().any(|net| net.contains(peer)));
        if !is_trusted {
            let mut own = our_own(host, peer, origin);
            let outer = origin.map_or("", Origin::prefix);
            own.prefix = prefix(outer.as_bytes(), script_name);
            return Self::Own(own);
        }
        let mut headers = handed_on(parts, host, peer, origin);
        if !script_name.is_empty() {
            let outer = headers.get_all(PREFIX).iter().next_back();
            if let Some(prefix) = prefix(outer.map_or(b"", HeaderValue::as_bytes), script_name) {
                headers.insert(PREFIX, prefix);
            }
        }
        Self::HandedOn(headers)
    }

    /// Returns X-Forwarded-Host, -Proto or -Prefix.
    pub(crate) fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        match self {
            Self::Own(own) if *name == HOST => own.host.as_ref(),
            Self::Own(own) if *name == PROTO => Some(&own.proto),
            Self::Own(own) if *name == PREFIX => own.prefix.as_ref(),
            Self::Own(_) => None,
            Self::HandedOn(headers) => headers.get(name),
        }
    }

    /// Sets the headers in a head that has none of them.
    pub(crate) fn set(self, headers: &mut HeaderMap) {
        let own = match self {
            Self::Own(own) => own,
            Self::HandedOn(handed_on) => return headers.extend(handed_on),
        };
        let mut set = |name, value: Option<HeaderValue>| {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        };
        set(FOR, own.client);
        set(PROTO, Some(own.proto));
        set(HOST, own.host);
        set(PORT, own.port);
        set(PREFIX, own.prefix);
    }
}

/// Returns headers that use none of the peer's own headers. Values of an `Origin` are used, because
/// tower-origin has checked the peer.
fn our_own(host: Option<&HeaderValue>, peer: Option<IpAddr>, origin: Option<&Origin>) -> Own {
    let client = match origin {
        Some(origin) => origin.client(),
        None => peer,
    };
    let (host, port) = match origin.and_then(|origin| Some((origin.authority()?, origin.port()))) {
        // An authority is a value.
        Some((host, port)) => (HeaderValue::from_str(&host).ok(), Some(port)),
        None => (host.cloned(), host.map(|host| port(host, origin))),
    };
    Own {
        client: client.map(address),
        proto: value(scheme(origin)),
        host,
        port: port.map(number),
        prefix: None,
    }
}

/// Returns the headers of a trusted peer, with the peer's own address. They stay in the kind of
/// header that the peer uses: an upstream that finds both kinds cannot know which one is a proxy's.
fn handed_on(
    parts: &Parts,
    host: Option<&HeaderValue>,
    peer: Option<IpAddr>,
    origin: Option<&Origin>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &parts.headers {
        if is_forwarding(name.as_str()) && is_plain(name.as_str()) {
            headers.append(name, value.clone());
        }
    }
    let has_x = [FOR, HOST, PROTO]
        .iter()
        .any(|name| headers.contains_key(name));
    if headers.contains_key(FORWARDED) {
        let node = match peer {
            Some(IpAddr::V6(peer)) => format!("\"[{peer}]\""),
            Some(IpAddr::V4(peer)) => peer.to_string(),
            None => "unknown".to_owned(),
        };
        let mut element = format!("for={node};proto={}", scheme(origin));
        if let Some(Ok(host)) = host.map(HeaderValue::to_str) {
            // A host has no character that has to be escaped.
            element += &format!(";host=\"{host}\"");
        }
        append(&mut headers, &FORWARDED, &element);
        if !has_x {
            return headers;
        }
    }
    // Otherwise the peer would stand for a client that `Forwarded` hides or names.
    let names_client = headers.contains_key(FOR) || !headers.contains_key(FORWARDED);
    if let (Some(peer), true) = (peer, names_client) {
        append(&mut headers, &FOR, &peer.to_string());
    }
    if let (Some(host), false) = (host, headers.contains_key(HOST)) {
        if let Entry::Vacant(entry) = headers.entry(PORT) {
            entry.insert(port(host, origin).into());
        }
        headers.insert(HOST, host.clone());
    }
    if !headers.contains_key(PROTO) {
        headers.insert(PROTO, value(scheme(origin)));
    }
    headers
}

/// Returns the prefix that mounts have stripped from the path: that of outer proxies, and then that
/// of this server.
fn prefix(outer: &[u8], script_name: &str) -> Option<HeaderValue> {
    let outer = outer.strip_suffix(b"/").unwrap_or(outer);
    if outer.is_empty() && script_name.is_empty() {
        return None;
    }
    let whole = [outer, script_name.as_bytes()].concat();
    // A link that begins with two slashes would lead to another host.
    match whole.starts_with(b"//") {
        true => None,
        false => HeaderValue::from_bytes(&whole).ok(),
    }
}

fn scheme(origin: Option<&Origin>) -> &Scheme {
    const HTTP: &Scheme = &Scheme::HTTP;
    origin.map_or(HTTP, Origin::scheme)
}

/// Returns a scheme as a value, which for the usual ones takes no allocation.
fn value(scheme: &Scheme) -> HeaderValue {
    match scheme.as_str() {
        "http" => HeaderValue::from_static("http"),
        "https" => HeaderValue::from_static("https"),
        other => HeaderValue::from_str(other).expect("a scheme is a value"),
    }
}

/// Returns an address as a value. Each request has one, and formatting is a tenth of all the work
/// on its headers.
fn address(client: IpAddr) -> HeaderValue {
    let IpAddr::V4(client) = client else {
        return HeaderValue::from_str(&client.to_string()).expect("an address is a value");
    };
    let mut text = [0; 16];
    let mut length = 0;
    let mut push = |byte| {
        text[length] = byte;
        length += 1;
    };
    for octet in client.octets() {
        if octet >= 100 {
            push(b'0' + octet / 100);
        }
        if octet >= 10 {
            push(b'0' + octet / 10 % 10);
        }
        push(b'0' + octet % 10);
        push(b'.');
    }
    // The last dot is left out.
    HeaderValue::from_bytes(&text[..length - 1]).expect("an address is a value")
}

/// Returns a port as a value, which for the usual ones takes no allocation.
fn number(port: u16) -> HeaderValue {
    match port {
        80 => HeaderValue::from_static("80"),
        443 => HeaderValue::from_static("443"),
        port => port.into(),
    }
}

/// Returns the port in the host, or otherwise that of the scheme.
fn port(named: &HeaderValue, origin: Option<&Origin>) -> u16 {
    let is_https = origin.is_some_and(|origin| *origin.scheme() == Scheme::HTTPS);
    host::port(named).unwrap_or(if is_https { 443 } else { 80 })
}

/// Appends to a list, and makes it one line: some servers read only the first line, others only the
/// last.
fn append(headers: &mut HeaderMap, name: &HeaderName, last: &str) {
    let mut list: Vec<u8> = Vec::new();
    for value in headers.get_all(name) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(last.as_bytes());
    if let Ok(list) = HeaderValue::from_bytes(&list) {
        headers.insert(name, list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstream_4_an_address_is_written_as_usual() {
        for text in [
            "0.0.0.0",
            "9.10.99.100",
            "127.0.0.1",
            "255.200.105.5",
            "2001:db8::1",
        ] {
            assert_eq!(address(text.parse().unwrap()), text);
        }
    }
}
