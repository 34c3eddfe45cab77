//! The header of the PROXY protocol, versions 1 and 2, as bytes.

use std::{
    error, fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

/// The largest header that is read. The protocol allows 64 KiB, nginx reads 4 KiB, and the fields
/// that HAProxy knows take some hundred bytes.
const LARGEST: usize = 4096;
/// The largest line of version 1, with its end.
const LARGEST_LINE: usize = 107;

const WORD: &[u8] = b"PROXY ";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A whole header at the beginning of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProxyHeader {
    /// How many bytes it has.
    pub(crate) length: usize,
    /// The address of the client. It is absent if the proxy itself is the client, as in a health
    /// check, and if the proxy's client has no address or a Unix socket's.
    pub(crate) client: Option<SocketAddr>,
}

/// The reason why the first bytes of a connection are not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Missing,
    TooLong,
    Malformed,
}

impl ProxyHeader {
    /// Reads a header from the first bytes of a connection. Returns nothing if more bytes may make
    /// them one, however they are split into packets.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, HeaderError> {
        if begins(bytes, SIGNATURE) {
            binary(bytes)
        } else if begins(bytes, WORD) {
            line(bytes)
        } else {
            Err(HeaderError::Missing)
        }
    }
}

/// Returns whether the bytes begin with this, or may when there are more.
fn begins(bytes: &[u8], with: &[u8]) -> bool {
    let length = bytes.len().min(with.len());
    bytes[..length] == with[..length]
}

/// Reads version 1: `PROXY TCP4 192.0.2.1 192.0.2.2 4000 80` and CRLF.
fn line(bytes: &[u8]) -> Result<Option<ProxyHeader>, HeaderError> {
    let start = &bytes[..bytes.len().min(LARGEST_LINE)];
    let Some(end) = start.windows(2).position(|end| end == b"\r\n") else {
        return match bytes.len() < LARGEST_LINE {
            true => Ok(None),
            false => Err(HeaderError::TooLong),
        };
    };
    let text = str::from_utf8(&bytes[..end]).map_err(|_| HeaderError::Malformed)?;
    let mut fields = text.split(' ').skip(1);
    let client = match fields.next() {
        // Receivers have to ignore the rest of the line.
        Some("UNKNOWN") => None,
        Some("TCP4") => Some(source::<Ipv4Addr>(fields)?),
        Some("TCP6") => Some(source::<Ipv6Addr>(fields)?),
        _ => return Err(HeaderError::Malformed),
    };
    let length = end + 2;
    Ok(Some(ProxyHeader { length, client }))
}

/// Reads two addresses and two ports, and returns the first of each.
fn source<'a, A: FromStr + Into<IpAddr>>(
    mut fields: impl Iterator<Item = &'a str>,
) -> Result<SocketAddr, HeaderError> {
    let mut next = || fields.next().ok_or(HeaderError::Malformed);
    let (source, destination) = (address::<A>(next()?)?, address::<A>(next()?)?);
    let (port, _) = (port(next()?)?, port(next()?)?);
    let _: IpAddr = destination;
    match fields.next() {
        None => Ok(SocketAddr::new(source, port)),
        Some(_) => Err(HeaderError::Malformed),
    }
}

fn address<A: FromStr + Into<IpAddr>>(text: &str) -> Result<IpAddr, HeaderError> {
    let address = text.parse::<A>().map_err(|_| HeaderError::Malformed)?;
    Ok(address.into())
}

fn port(text: &str) -> Result<u16, HeaderError> {
    // `parse` takes a sign.
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse().map_err(|_| HeaderError::Malformed),
        false => Err(HeaderError::Malformed),
    }
}

/// Reads version 2: the signature, command and family, the length of the rest, the addresses, and
/// further fields, which are skipped.
fn binary(bytes: &[u8]) -> Result<Option<ProxyHeader>, HeaderError> {
    let Some((start, rest)) = bytes.split_at_checked(SIGNATURE.len() + 4) else {
        return Ok(None);
    };
    let [command, family, high, low] = start[SIGNATURE.len()..] else {
        return Ok(None);
    };
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(HeaderError::Malformed),
    };
    let stated = usize::from(u16::from_be_bytes([high, low]));
    let length = start.len() + stated;
    if length > LARGEST {
        return Err(HeaderError::TooLong);
    }
    // A lie about the length is found before the rest comes.
    let addresses = match family {
        // Receivers have to skip the addresses of a local connection, whatever they are.
        _ if is_local => 0,
        0x00 => 0,
        0x11 => 12,
        0x21 => 36,
        0x31 => 216,
        // Datagrams, and what no version of the protocol has.
        _ => return Err(HeaderError::Malformed),
    };
    if stated < addresses {
        return Err(HeaderError::Malformed);
    }
    let Some(rest) = rest.get(..stated) else {
        return Ok(None);
    };
    let client = match family {
        _ if is_local => None,
        0x11 => client::<4>(rest),
        0x21 => client::<16>(rest),
        _ => None,
    };
    Ok(Some(ProxyHeader { length, client }))
}

/// Reads the client's address and port. Between them is the address that the client has asked.
fn client<const N: usize>(rest: &[u8]) -> Option<SocketAddr>
where
    [u8; N]: Into<IpAddr>,
{
    let (address, rest) = rest.split_first_chunk::<N>()?;
    let (_, rest) = rest.split_first_chunk::<N>()?;
    let (port, _) = rest.split_first_chunk()?;
    let address: IpAddr = (*address).into();
    Some(SocketAddr::new(address, u16::from_be_bytes(*port)))
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the connection does not begin with a header of the PROXY protocol",
            Self::TooLong => "the header of the PROXY protocol is too long",
            Self::Malformed => "the header of the PROXY protocol is malformed",
        })
    }
}

impl error::Error for HeaderError {}
