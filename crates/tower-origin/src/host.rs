//! The grammar of a host, which is stricter than RFC 3986, section 3.2.2. A host is a name of
//! letters, digits, `-` and `_`, or an address. It has no character that is special in a link, a
//! log or a cache key.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use http::uri::Scheme;
use smallvec::SmallVec;

/// The maximum length of a name in bytes, as in the DNS.
const MAX_LEN: usize = 253;

/// A host in lower case and without a dot at its end, and its port if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) name: Name,
    pub(crate) port: Option<u16>,
}

impl Host {
    /// Reads the value of a `Host` header. Returns `None` if it is not a host, for example if it is
    /// empty.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::read(text.as_bytes())
    }

    /// Reads the bytes of such a value.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let (name, rest) = match text {
            [b'[', rest @ ..] => {
                let end = rest.iter().position(|byte| *byte == b']')?;
                (address(&rest[..end])?, &rest[end + 1..])
            }
            _ => {
                let end = text.iter().position(|byte| *byte == b':');
                let (name, rest) = text.split_at(end.unwrap_or(text.len()));
                (self::name(name)?, rest)
            }
        };
        let port = match rest {
            // RFC 3986, section 3.2.3: an empty port is the default port.
            [] | [b':'] => None,
            [b':', port @ ..] => Some(decimal(port)?),
            _ => return None,
        };
        Some(Self { name, port })
    }

    /// Returns the port that it names, or the scheme's own.
    pub(crate) fn port(&self, scheme: &Scheme) -> u16 {
        self.port.unwrap_or_else(|| default_port(scheme))
    }

    /// Returns whether both are one host: the scheme's own port may be left out (RFC 3986, section
    /// 6.2.3).
    pub(crate) fn is_same(&self, other: &Self, scheme: &Scheme) -> bool {
        self.name == other.name && self.port(scheme) == other.port(scheme)
    }
}

/// A name in lower case, or an address. Both are ASCII. Most names need no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(SmallVec<[u8; 40]>);

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII becomes a name")
    }
}

pub(crate) fn default_port(scheme: &Scheme) -> u16 {
    if *scheme == Scheme::HTTPS { 443 } else { 80 }
}

/// Reads a port, which has only decimal digits.
pub(crate) fn port(text: &str) -> Option<u16> {
    decimal(text.as_bytes())
}

fn decimal(digits: &[u8]) -> Option<u16> {
    if !(1..=5).contains(&digits.len()) {
        return None;
    }
    let mut port = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        port = 10 * port + u32::from(digit - b'0');
    }
    u16::try_from(port).ok()
}

/// Reads an IPv6 address.
fn address(text: &[u8]) -> Option<Name> {
    let address: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    let text = format!("[{address}]");
    Some(Name(SmallVec::from_slice(text.as_bytes())))
}

/// Reads a name or an IPv4 address. Each byte is looked at once: for `ratios` overhead/origin.
fn name(text: &[u8]) -> Option<Name> {
    let text = text.strip_suffix(b".").unwrap_or(text);
    if text.len() > MAX_LEN {
        return None;
    }
    let mut name = SmallVec::<[u8; 40]>::from_slice(text);
    // The start of the last label.
    let mut start = 0;
    for (at, byte) in name.iter_mut().enumerate() {
        match IN_LOWER_CASE[usize::from(*byte)] {
            0 if *byte == b'.' && at > start => start = at + 1,
            0 => return None,
            lower => *byte = lower,
        }
    }
    let last = &name[start..];
    let first = last.first()?;
    // If the last label is a number, some clients read an address: for them `127.1` and `0x7f.1`
    // are 127.0.0.1.
    let number = first.is_ascii_digit()
        && match last.strip_prefix(b"0x") {
            Some(digits) => digits.iter().all(u8::is_ascii_hexdigit),
            None => last.iter().all(u8::is_ascii_digit),
        };
    if number {
        std::str::from_utf8(&name).ok()?.parse::<Ipv4Addr>().ok()?;
    }
    Some(Name(name))
}

/// For each byte that may be in a label, its lower case. For all others, zero.
const IN_LOWER_CASE: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// A pattern of hosts that are served, on one port or on any.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HostPattern {
    host: Host,
    /// Whether the pattern is for all names below this name, and not for the name itself.
    below: bool,
}

impl HostPattern {
    /// Reads `example.org`, `*.example.org`, `192.0.2.1` or `[2001:db8::1]`, each perhaps with a
    /// port.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, below) = match text.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (text, false),
        };
        let host = Host::parse(host).filter(|_| !host.ends_with(':'))?;
        Some(Self { host, below })
    }

    /// Returns whether a host matches, in a request of this scheme.
    pub(crate) fn matches(&self, host: &Host, scheme: &Scheme) -> bool {
        let name = match host.name.0.strip_suffix(&*self.host.name.0) {
            Some([]) => !self.below,
            Some(below) => self.below && below.ends_with(b"."),
            None => false,
        };
        let port = self.host.port;
        name && port.is_none_or(|port| port == host.port(scheme))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_str())?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let below = if self.below { "*." } else { "" };
        write!(f, "\"{below}{}\"", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_8_a_host_is_a_name_or_an_address_with_a_port() {
        let table = [
            ("example.org", "example.org", None),
            ("EXAMPLE.Org", "example.org", None),
            ("example.org.", "example.org", None),
            ("example.org:8080", "example.org", Some(8080)),
            ("example.org.:8080", "example.org", Some(8080)),
            ("example.org:", "example.org", None),
            ("localhost", "localhost", None),
            ("my_service-1", "my_service-1", None),
            ("xn--jrg-sna.example", "xn--jrg-sna.example", None),
            ("192.0.2.1:80", "192.0.2.1", Some(80)),
            ("[2001:DB8::1]", "[2001:db8::1]", None),
            ("[2001:db8:0:0::1]:443", "[2001:db8::1]", Some(443)),
            ("[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]", None),
            ("1password.example", "1password.example", None),
            ("0xide-box", "0xide-box", None),
        ];
        for (text, name, port) in table {
            let host = Host::parse(text).unwrap();
            assert_eq!((host.name.as_str(), host.port), (name, port), "{text}");
        }
        let long = "a".repeat(253);
        assert!(Host::parse(&long).is_some());
        assert!(Host::parse(&format!("{long}.")).is_some());
        assert!(Host::parse(&format!("{long}a")).is_none());
    }

    #[test]
    fn origin_8_nothing_else_is_a_host() {
        for text in [
            "",
            ".",
            "..",
            ":80",
            " example.org",
            "example.org ",
            "exa mple.org",
            "a..b",
            ".a",
            "a.b..",
            "example.org:80:80",
            "example.org:port",
            "example.org:+80",
            "example.org:65536",
            "example.org:000080",
            "example.org/path",
            "example.org?q",
            "example.org#f",
            "user@example.org",
            "example.org\\evil",
            "example.org,evil.example",
            "a;b",
            "a\"b",
            "<script>",
            "exa%6dple.org",
            "J\u{f6}rg.example",
            "\0",
            "[",
            "[]",
            "[::1",
            "::1",
            "[::1]80",
            "[::1]x:80",
            "[fe80::1%eth0]",
            "[v1.x]",
            "[192.0.2.1]",
            "127.1",
            "0177.0.0.1",
            "0x7f.1",
            "a.0x7f",
            "2130706433",
            "192.0.2.256",
            "192.0.2.1.1",
            "example.1",
            "http://example.org",
            "*",
            "*.example.org",
        ] {
            assert_eq!(Host::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn origin_9_a_pattern_is_a_host_or_all_below_a_domain() {
        let matches = |pattern, host| {
            HostPattern::parse(pattern)
                .unwrap()
                .matches(&Host::parse(host).unwrap(), &Scheme::HTTP)
        };
        assert!(matches("Example.org", "example.ORG.:80"));
        assert!(!matches("example.org", "www.example.org"));
        assert!(matches("*.example.org", "a.b.example.org"));
        assert!(!matches("*.example.org", "example.org"));
        assert!(!matches("*.example.org", "evilexample.org"));
        assert!(matches("[2001:db8::1]", "[2001:DB8:0::1]:443"));
        assert!(matches("example.org:8443", "example.org:8443"));
        assert!(!matches("example.org:8443", "example.org:8444"));
        assert!(!matches("example.org:8443", "example.org"));
        assert!(matches("example.org:80", "example.org"));
        assert!(!matches("example.org:443", "example.org"));
        assert!(matches("*.example.org:81", "a.example.org:81"));
        for text in [
            "",
            "*",
            "*.",
            "*example.org",
            "a.*.b",
            "example.org:",
            "example.org:http",
            "*.*.b",
            "http://a",
        ] {
            assert_eq!(HostPattern::parse(text), None, "{text:?}");
        }
        let shown = ["*.Example.org", "b:81"]
            .map(|text| format!("{:?}", HostPattern::parse(text).unwrap()));
        assert_eq!(shown, ["\"*.example.org\"", "\"b:81\""]);
    }
}
