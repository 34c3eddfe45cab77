//! The nodes that forwarded a request: those of `Forwarded` (RFC 7239, section 6), and those of
//! X-Forwarded-For, which has no grammar, only conventions.

use std::net::{IpAddr, Ipv6Addr};

use crate::host;

/// A hop, as the next proxy saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Address(IpAddr, Option<u16>),
    /// The other end of a Unix socket.
    Local,
    /// The proxy does not know the hop, or hides it.
    Hidden,
}

impl Node {
    /// Reads `for=…`: an IPv4 address, an IPv6 address in brackets, `unknown` or `_name`; a port
    /// after a colon. Without a port an IPv6 address needs no brackets: AWS and Cloud Run send
    /// none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(address) = without_brackets(text) {
            return Some(Self::Address(address, None));
        }
        let (name, port) = match text.rsplit_once(':') {
            // A colon in brackets is part of the address.
            Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
            _ => (text, None),
        };
        let hidden_port = port.is_some_and(is_obfuscated);
        let port = match port {
            Some(port) if !hidden_port => Some(host::port(port)?),
            _ => None,
        };
        if name.eq_ignore_ascii_case("unknown") || is_obfuscated(name) {
            return Some(Self::Hidden);
        }
        let address = match name.strip_prefix('[') {
            Some(name) => IpAddr::V6(name.strip_suffix(']')?.parse().ok()?),
            None => IpAddr::V4(name.parse().ok()?),
        };
        Some(Self::Address(address.to_canonical(), port))
    }

    /// Reads an entry of X-Forwarded-For: as [`Node::parse`] does, or nginx's `unix:`, or any IPv6
    /// address without brackets. That may have a zone and is never followed by a port.
    pub(crate) fn parse_bare(text: &str) -> Option<Self> {
        if text == "unix:" {
            return Some(Self::Local);
        }
        let (address, _zone) = text.split_once('%').unwrap_or((text, ""));
        match address.parse::<Ipv6Addr>() {
            Ok(address) => Some(Self::Address(IpAddr::V6(address).to_canonical(), None)),
            Err(_) => Self::parse(text),
        }
    }
}

/// Returns an IPv6 address whose last part cannot be a port: `2001:db8::9`, but not
/// `2001:db8::9:81`.
fn without_brackets(text: &str) -> Option<IpAddr> {
    let address: Ipv6Addr = text.parse().ok()?;
    let (head, last) = text.rsplit_once(':')?;
    let ambiguous = head.parse::<Ipv6Addr>().is_ok() && host::port(last).is_some();
    (!ambiguous).then(|| address.to_canonical())
}

/// Returns whether a text is `_` and at least one more character (RFC 7239, section 6.3).
fn is_obfuscated(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    text.len() > 1 && text.starts_with('_') && text.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str, port: Option<u16>) -> Option<Node> {
        Some(Node::Address(text.parse().unwrap(), port))
    }

    #[test]
    fn origin_4_a_node_is_an_address_or_hidden() {
        let table = [
            ("192.0.2.1", address("192.0.2.1", None)),
            ("192.0.2.1:8080", address("192.0.2.1", Some(8080))),
            ("192.0.2.1:_port", address("192.0.2.1", None)),
            ("[2001:db8::1]", address("2001:db8::1", None)),
            ("[2001:db8::1]:8080", address("2001:db8::1", Some(8080))),
            ("[::ffff:192.0.2.1]", address("192.0.2.1", None)),
            ("2001:db8::1", address("2001:db8::1", None)),
            ("2001:db8::2004", address("2001:db8::2004", None)),
            (
                "2001:db8:1:2:3:4:5:6",
                address("2001:db8:1:2:3:4:5:6", None),
            ),
            ("2001:db8::9:beef", address("2001:db8::9:beef", None)),
            ("2001:db8::9:99999", None),
            ("::1", address("::1", None)),
            ("::ffff:10.0.0.1", address("10.0.0.1", None)),
            ("unknown", Some(Node::Hidden)),
            ("Unknown:80", Some(Node::Hidden)),
            ("_hidden", Some(Node::Hidden)),
            ("_SEVKISEK.x-1:_p", Some(Node::Hidden)),
        ];
        for (text, node) in table {
            assert_eq!(Node::parse(text), node, "{text}");
            assert_eq!(Node::parse_bare(text), node, "{text}");
        }
        assert_eq!(Node::parse_bare("fe80::1%eth0"), address("fe80::1", None));
        assert_eq!(Node::parse_bare("unix:"), Some(Node::Local));
        assert_eq!(Node::parse("unix:"), None);
        assert_eq!(Node::parse("fe80::1%eth0"), None);
        // By convention, X-Forwarded-For has no port after an address without brackets. In
        // `Forwarded` it may be one.
        for text in ["2001:db8::9:81", "::1:80", "1::2:3"] {
            assert_eq!(Node::parse_bare(text), address(text, None), "{text}");
            assert_eq!(Node::parse(text), None, "{text}");
        }
    }

    #[test]
    fn origin_4_nothing_else_is_a_node() {
        for text in [
            "",
            " ",
            "_",
            "-",
            "localhost",
            "example.org",
            "192.0.2",
            "192.0.2.1.1",
            "192.0.2.256",
            "010.0.0.1",
            "0x7f.0.0.1",
            "192.0.2.1:",
            "192.0.2.1:port",
            "192.0.2.1:65536",
            "192.0.2.1:80:80",
            "[192.0.2.1]",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]80",
            "[fe80::1%eth0]",
            "192.0.2.1%eth0",
            "unknown:",
            "unknownx",
            "_hid den",
            "_h\"",
            " 192.0.2.1",
            "127.1",
            "::1:80:",
        ] {
            assert_eq!(Node::parse_bare(text), None, "{text:?}");
        }
    }
}
