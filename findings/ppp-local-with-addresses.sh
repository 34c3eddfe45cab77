#!/usr/bin/env bash
# Expected: with the command LOCAL the receiver uses the addresses of the connection and
#   discards those in the header, whatever family it names (PROXY protocol, 2.2).
# Happens: ppp parses the block of a LOCAL header and has it in `addresses`, as for PROXY; only
#   `command` tells the two apart. proxy-header has no address then.
# Package: ppp 2.3.0, proxy-header 0.1.3 (crates.io).
# Guess: ppp yields the addresses, proxy-header none. Right.
# Here: look at `command` before `addresses`, or a health check of the balancer appears as a
#   client.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "finding-ppp-local-with-addresses"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
ppp = "=2.3.0"
proxy-header = "=0.1.3"
EOF
cat > src/main.rs <<'EOF'
use proxy_header::{ParseConfig, ProxyHeader};

fn main() {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([0x20, 0x11, 0, 12, 192, 0, 2, 1, 198, 51, 100, 1, 0x1f, 0x90, 0, 80]);
    for (name, command) in [("LOCAL", 0x20), ("PROXY", 0x21)] {
        bytes[12] = command;
        let header = ppp::v2::Header::try_from(&bytes[..]).unwrap();
        println!("{name}: ppp: {:?}, {:?}", header.command, header.addresses);
        let (header, _) = ProxyHeader::parse(&bytes, ParseConfig::default()).unwrap();
        let source = header.proxied_address().map(|address| address.source);
        println!("{name}: proxy-header: {source:?}");
    }
}
EOF

cat > want <<'EOF'
LOCAL: ppp: Local, IPv4(IPv4 { source_address: 192.0.2.1, source_port: 8080, destination_address: 198.51.100.1, destination_port: 80 })
LOCAL: proxy-header: None
PROXY: ppp: Proxy, IPv4(IPv4 { source_address: 192.0.2.1, source_port: 8080, destination_address: 198.51.100.1, destination_port: 80 })
PROXY: proxy-header: Some(192.0.2.1:8080)
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(ppp|proxy-header)"$' Cargo.lock | grep -v '^--' | paste - -
cat got
if ! diff -u want got; then
  echo "ppp-local-with-addresses: the behaviour has changed" >&2
  exit 1
fi
echo "ppp-local-with-addresses: as expected"
