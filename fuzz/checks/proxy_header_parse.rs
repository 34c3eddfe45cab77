//! Whatever a connection begins with: the result is the same however the bytes are split, a header
//! has a limited length, and what is written of a client is read again.

#[path = "../../crates/tower-serve/src/proxy_header.rs"]
mod proxy_header;

use std::net::SocketAddr;

use proxy_header::ProxyHeader;

pub(crate) fn proxy_header_parse(data: &[u8]) {
    let whole = ProxyHeader::parse(data);
    // While more bytes are needed, fewer were not enough. Once there is a result, it stays.
    let mut last = None;
    for end in 0..=data.len().min(4200) {
        let parsed = ProxyHeader::parse(&data[..end]);
        assert!(last.is_none() || last == Some(parsed));
        match parsed {
            Ok(None) => assert!(end < 4096, "more than a header is read"),
            Ok(Some(header)) => assert!(header.length <= end && header.length <= 4096),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        if parsed != Ok(None) {
            last = Some(parsed);
        }
    }
    assert!(last.is_none() || last == Some(whole));
    if let Ok(Some(ProxyHeader {
        client: Some(client),
        ..
    })) = whole
    {
        let family = match client {
            SocketAddr::V4(_) => "TCP4",
            SocketAddr::V6(_) => "TCP6",
        };
        let (ip, port) = (client.ip(), client.port());
        let line = format!("PROXY {family} {ip} {ip} {port} 1\r\n");
        let length = line.len();
        let read = ProxyHeader {
            length,
            client: Some(client),
        };
        assert_eq!(ProxyHeader::parse(line.as_bytes()), Ok(Some(read)));
    }
}
