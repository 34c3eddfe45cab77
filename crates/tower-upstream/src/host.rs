//! The host that the client has named.

use http::{Extensions, HeaderMap, HeaderValue, Uri, header::HOST};
use tower_origin::Origin;

use crate::{Address, HostPolicy, error::UpstreamError};

/// The host that the client has used, and which upstreams find it in `Host`. It is that of the
/// request's `Origin`, or otherwise the one that the request names.
pub(crate) struct Hosts {
    pub(crate) client: Option<HeaderValue>,
    /// Whether the head for the upstream has the client's host in `Host`.
    pub(crate) is_in_head: bool,
    pub(crate) policy: HostPolicy,
}

impl Hosts {
    /// Returns `Host` for the upstream at this address.
    pub(crate) fn of<'a>(&'a self, upstream: &'a Address) -> &'a HeaderValue {
        let is_own = match self.policy {
            HostPolicy::Auto => upstream.is_name_over_tls(),
            HostPolicy::Upstream => true,
            HostPolicy::Client => false,
        };
        let client = self.client.as_ref().filter(|_| !is_own);
        client.unwrap_or_else(|| upstream.host())
    }
}

/// Returns the host that the client has named, if any. It is well-formed, and otherwise unchecked.
///
/// In HTTP/2, and in an absolute URI, it is the URI's authority, which counts before the header
/// (RFC 9112, section 3.2.2; RFC 9113, section 8.3.1).
///
/// # Errors
///
/// Returns [`UpstreamError::MalformedHost`] for several headers and for a malformed host (RFC 9112,
/// section 3.2), because servers differ in what they take such a host for.
pub(crate) fn of(uri: &Uri, headers: &HeaderMap) -> Result<Option<HeaderValue>, UpstreamError> {
    let mut all = headers.get_all(HOST).iter();
    let header = all.next();
    if all.next().is_some() {
        return Err(UpstreamError::MalformedHost);
    }
    let host = match uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => match header {
            // A target without a host has an empty `Host` (RFC 9110, section 7.2).
            Some(header) if !header.is_empty() => Some(header.clone()),
            _ => return Ok(None),
        },
    };
    let host = host.filter(|host| is_host(host.as_bytes()));
    host.map(Some).ok_or(UpstreamError::MalformedHost)
}

/// Returns the host of the request's `Origin`, which has read the headers of trusted proxies.
pub(crate) fn of_origin(extensions: &Extensions) -> Option<HeaderValue> {
    let origin = extensions.get::<Origin>().and_then(Origin::authority)?;
    // A host has only characters of a header.
    HeaderValue::try_from(origin).ok()
}

/// Whether a byte of this value may be in a name. Each request's host is looked up in it.
const OF_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let char = byte as u8;
        table[byte] = char.is_ascii_alphanumeric() || matches!(char, b'-' | b'.' | b'_');
        byte += 1;
    }
    table
};

/// Returns whether a text is a name or an address, with an optional port. No character of it has a
/// meaning in a header or in a URL.
pub(crate) fn is_host(text: &[u8]) -> bool {
    let (name, port) = split_port(text);
    let digits = |port: &[u8]| port.len() <= 5 && port.iter().all(u8::is_ascii_digit);
    let name_is_legal = match name.strip_prefix(b"[") {
        Some(address) => address.strip_suffix(b"]").is_some_and(|address| {
            let legal = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            !address.is_empty() && address.iter().all(legal)
        }),
        None => name.iter().all(|&byte| OF_NAME[usize::from(byte)]),
    };
    !name.is_empty() && name_is_legal && port.is_none_or(digits)
}

fn split_port(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.iter().rposition(|&byte| byte == b':') {
        // Colons in brackets belong to the address.
        Some(at) if !text.ends_with(b"]") => (&text[..at], Some(&text[at + 1..])),
        _ => (text, None),
    }
}

/// Returns the port in a well-formed host.
pub(crate) fn port(host: &HeaderValue) -> Option<u16> {
    let (_, port) = split_port(host.as_bytes());
    let port = port.filter(|port| !port.is_empty())?;
    port.iter().try_fold(0_u16, |port, byte| match byte {
        b'0'..=b'9' => port.checked_mul(10)?.checked_add(u16::from(byte - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstream_5_a_name_over_tls_is_sent_to_itself() {
        let client = HeaderValue::from_static("client.example");
        let mut table = vec![
            ("http://up.example", "client.example"),
            ("http://10.0.0.5:8080", "client.example"),
            ("unix:/run/x.sock", "client.example"),
        ];
        if cfg!(feature = "tls") {
            table.extend([
                ("https://up.example", "up.example"),
                ("https://up.example:8443", "up.example:8443"),
                ("https://10.0.0.5", "client.example"),
                ("https://[2001:db8::5]:8443", "client.example"),
            ]);
        }
        for (address, expected) in table {
            let address: Address = address.parse().unwrap();
            let own = address.host().clone();
            for (policy, client, expected) in [
                (HostPolicy::Auto, Some(&client), expected),
                (HostPolicy::Auto, None, own.to_str().unwrap()),
                (HostPolicy::Client, Some(&client), "client.example"),
                (HostPolicy::Client, None, own.to_str().unwrap()),
                (HostPolicy::Upstream, Some(&client), own.to_str().unwrap()),
            ] {
                let hosts = Hosts {
                    client: client.cloned(),
                    is_in_head: false,
                    policy,
                };
                assert_eq!(hosts.of(&address), expected, "{address} {policy:?}");
            }
        }
    }

    #[test]
    fn upstream_5_a_host_is_a_name_or_an_address_and_a_port() {
        for (text, is_one, port_of) in [
            ("example.org", true, None),
            ("a_b-c.example:8080", true, Some(8080)),
            ("192.0.2.1:80", true, Some(80)),
            ("[2001:db8::1]", true, None),
            ("[2001:db8::1]:81", true, Some(81)),
            ("h:", true, None),
            ("h:http", false, None),
            ("h:65535", true, Some(65535)),
            ("h:65536", true, None),
            ("h:99999", true, None),
            ("h:999999", false, None),
            (":80", false, Some(80)),
            ("", false, None),
            ("[]", false, None),
            ("[::1", false, None),
            ("2001:db8::1", false, Some(1)),
            ("joe@h", false, None),
            ("a, b", false, None),
            ("a;proto=https", false, None),
            ("a\"b", false, None),
            ("a/b", false, None),
            ("a b", false, None),
            ("h\u{e9}", false, None),
        ] {
            assert_eq!(is_host(text.as_bytes()), is_one, "{text}");
            if is_one {
                let value = HeaderValue::from_str(text).unwrap();
                assert_eq!(port(&value), port_of, "{text}");
            }
        }
    }
}
