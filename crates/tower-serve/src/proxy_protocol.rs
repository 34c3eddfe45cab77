//! The PROXY protocol: proxies that say who their client is before the connection's own bytes.

use std::{error, fmt, net::IpAddr};

use bytes::BytesMut;
use ipnet::IpNet;
use tower::BoxError;
use tower_origin::PeerAddr;

use crate::{proxy_header::ProxyHeader, stream::Socket};

/// The peers that have to send a header. No other peer is served.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProxyProtocol {
    trusted: Vec<IpNet>,
}

impl ProxyProtocol {
    /// Adds addresses and networks.
    pub(crate) fn trust<T: AsRef<str>>(
        &mut self,
        networks: impl IntoIterator<Item = T>,
    ) -> Result<(), ParseNetworkError> {
        for text in networks {
            let text = text.as_ref();
            let address = text.parse::<IpAddr>().map(IpNet::from);
            let network = address.or_else(|_| text.parse::<IpNet>());
            let network = network.map_err(|_| ParseNetworkError(text.to_owned()))?;
            self.trusted.push(network);
        }
        Ok(())
    }

    /// Returns whether a peer may send a header. A peer on a Unix socket may, because permissions
    /// decide who reaches that.
    fn trusts(&self, peer: Option<PeerAddr>) -> bool {
        // A socket of IPv6 has peers of IPv4 in their IPv6 form.
        peer.is_none_or(|PeerAddr(peer)| {
            let peer = peer.ip().to_canonical();
            self.trusted.iter().any(|network| network.contains(&peer))
        })
    }

    /// Reads a header from a new connection, and leaves the bytes after it in `ahead`. Returns the
    /// client's address, or the peer's if the header has none. Returns no address at all if the
    /// connection ends in front of its first request, as a health check does.
    pub(crate) async fn read(
        &self,
        socket: &Socket,
        peer: Option<PeerAddr>,
        ahead: &mut BytesMut,
    ) -> Result<Entered, BoxError> {
        if !self.trusts(peer) {
            return Err("its address may not use the PROXY protocol".into());
        }
        loop {
            if socket.read_ahead(ahead).await? == 0 {
                return match ahead.is_empty() {
                    true => Ok(Entered::Ended),
                    false => Err("the connection ended within its header".into()),
                };
            }
            if let Some(header) = ProxyHeader::parse(ahead)? {
                let _ = ahead.split_to(header.length);
                return Ok(Entered::From(header.client.map(PeerAddr).or(peer)));
            }
        }
    }
}

/// What the beginning of a connection has shown.
#[derive(Debug)]
pub(crate) enum Entered {
    /// The connection is of a client with this address.
    From(Option<PeerAddr>),
    /// The connection has ended without a byte.
    Ended,
}

/// The error of a text that is neither an address nor a network.
///
/// ```
/// use tower_serve::Server;
///
/// let error = Server::default().proxy_protocol(["proxy.example"]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`proxy.example` is neither an address nor a network (expected one such as `10.0.0.0/8`)"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseNetworkError(String);

impl fmt::Display for ParseNetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = &self.0;
        write!(
            f,
            "`{found}` is neither an address nor a network (expected one such as `10.0.0.0/8`)"
        )
    }
}

impl error::Error for ParseNetworkError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serve_32_peers_are_trusted_by_address_and_network() {
        let mut protocol = ProxyProtocol::default();
        protocol.trust(["10.0.0.0/8", "::1"]).unwrap();
        for (peer, is_trusted) in [
            ("10.1.2.3:1", true),
            ("[::ffff:10.1.2.3]:1", true),
            ("11.1.2.3:1", false),
            ("[::1]:1", true),
            ("[::2]:1", false),
            ("127.0.0.1:1", false),
        ] {
            let peer = PeerAddr(peer.parse().unwrap());
            assert_eq!(protocol.trusts(Some(peer)), is_trusted, "{peer:?}");
        }
        assert!(protocol.trusts(None));
    }

    /// Returns a header of version 2.
    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        let start = [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[command, family], &length];
        [&start.concat()[..], rest].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 0x0F, 0xA0, 0, 80];

    fn v6() -> Vec<u8> {
        let address = |end| [&[0x20, 1, 0x0D, 0xB8][..], &[0; 11], &[end]].concat();
        [address(1), address(2), vec![0x0F, 0xA0, 0, 80]].concat()
    }

    #[test]
    fn serve_33_a_header_is_read_however_it_is_split() {
        let fields = [
            &V4[..],
            &[3, 0, 4, 1, 2, 3, 4],
            &[2, 0, 1, b'a'],
            &[5, 0, 0],
        ]
        .concat();
        // TLVs are skipped as a whole, also those whose lengths are a lie.
        let lie = [&V4[..], &[0x20, 0xFF, 0xFF]].concat();
        let fields_of_unspecified = [0x20, 0, 5, 0, 0, 0, 0, 0];
        let largest = [&V4[..], &[0; 4068]].concat();
        let longest_unknown = [&b"PROXY UNKNOWN "[..], &[b'f'; 91], b"\r\n"].concat();
        let (v4, v6_client) = (Some("192.0.2.1:4000"), Some("[2001:db8::1]:4000"));
        for (header, client) in [
            (&b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\n"[..], v4),
            (b"PROXY TCP6 2001:db8::1 2001:db8::2 4000 80\r\n", v6_client),
            (
                b"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
                    ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
                Some("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
            ),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 0\r\n", v4),
            (b"PROXY UNKNOWN\r\n", None),
            (b"PROXY UNKNOWN 1 2 3 4 5 6 7\r\n", None),
            (&longest_unknown, None),
            (&binary(0x21, 0x11, &V4), v4),
            (&binary(0x21, 0x21, &v6()), v6_client),
            (&binary(0x21, 0x11, &fields), v4),
            (&binary(0x21, 0x11, &lie), v4),
            (&binary(0x21, 0x11, &largest), v4),
            (&binary(0x21, 0x31, &[b'/'; 216]), None),
            (&binary(0x21, 0x00, &[]), None),
            (&binary(0x21, 0x00, &fields_of_unspecified), None),
            (&binary(0x20, 0x00, &[]), None),
            (&binary(0x20, 0x00, &fields_of_unspecified), None),
            // Addresses of a local connection are skipped, be they there or not.
            (&binary(0x20, 0x11, &V4), None),
            (&binary(0x20, 0x11, &[]), None),
            (&binary(0x20, 0x99, &[1]), None),
        ] {
            let shown = String::from_utf8_lossy(header).into_owned();
            let client = client.map(|client| client.parse().unwrap());
            let length = header.len();
            let parsed = Some(ProxyHeader { length, client });
            assert_eq!(ProxyHeader::parse(header), Ok(parsed), "{shown}");
            let more = [header, b"GET"].concat();
            assert_eq!(ProxyHeader::parse(&more), Ok(parsed), "{shown}");
            for end in 0..length {
                let parsed = ProxyHeader::parse(&header[..end]);
                assert_eq!(parsed, Ok(None), "{shown} up to {end}");
            }
        }
    }

    #[test]
    fn serve_33_what_cannot_become_a_header_is_an_error_at_once() {
        use crate::proxy_header::HeaderError::{Malformed, Missing, TooLong};

        let long_line = [&b"PROXY UNKNOWN "[..], &[b'f'; 92], b"\r"].concat();
        let long = [&V4[..], &[0; 4069]].concat();
        for (bytes, error) in [
            (&b"GET / HTTP/1.1\r\n"[..], Missing),
            (b"P ", Missing),
            (b"PROXYTCP4", Missing),
            (b"\r\n\r\n\0\r\nQUIT\r", Missing),
            (&[0x16, 3, 1], Missing),
            (&long_line, TooLong),
            (&binary(0x21, 0x11, &long)[..16], TooLong),
            (&binary(0x20, 0x00, &[0; 65_535])[..16], TooLong),
            (b"PROXY \r\n", Malformed),
            (b"PROXY UNKNOWNS\r\n", Malformed),
            (b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", Malformed),
            (b"PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n", Malformed),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", Malformed),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", Malformed),
            (b"PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n", Malformed),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n", Malformed),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", Malformed),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n", Malformed),
            (b"PROXY TCP4 192.0.2.1:1 192.0.2.2 1 2\r\n", Malformed),
            (b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", Malformed),
            (b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", Malformed),
            (b"PROXY TCP4 \xFF 192.0.2.2 1 2\r\n", Malformed),
            // Another version, another command, a datagram, a family that does not exist.
            (&binary(0x11, 0x11, &V4)[..16], Malformed),
            (&binary(0x22, 0x11, &V4)[..16], Malformed),
            (&binary(0x21, 0x12, &V4)[..16], Malformed),
            (&binary(0x21, 0x41, &V4)[..16], Malformed),
            // A length that has no room for the addresses.
            (&binary(0x21, 0x11, &V4[..11])[..16], Malformed),
            (&binary(0x21, 0x21, &V4)[..16], Malformed),
            (&binary(0x21, 0x31, &[b'/'; 215])[..16], Malformed),
        ] {
            let shown = String::from_utf8_lossy(bytes).into_owned();
            assert_eq!(ProxyHeader::parse(bytes), Err(error), "{shown}");
        }
    }
}
