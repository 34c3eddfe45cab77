#!/usr/bin/env bash
# Expected: names that HTTP compares without regard to case are read in any case: the
#   expectation (RFC 9110, 10.1.1), range units (14.1), cache directives (RFC 9111, 5.2),
#   upgrade protocols (RFC 9110, 7.8), content codings (8.4.1), disposition types (RFC 6266,
#   4.2), as authentication schemes are (RFC 9110, 11.1).
# Happens: one crate has both habits. Authorization, Connection and Strict-Transport-Security
#   are read in any case. Expect and Range are decoding errors in another case, and
#   Cache-Control, Upgrade, Content-Encoding and Content-Disposition decode, but the value is
#   not recognised.
# Package: headers 0.4.2 (crates.io).
# Guess: Expect fails, Basic and Connection pass: right. `MAX-AGE=60` passes: wrong.
# Here: compare these names with `eq_ignore_ascii_case`; a typed header that decodes has not
#   always been understood.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "finding-headers-letter-case"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
headers = "=0.4.2"
EOF
cat > src/main.rs <<'EOF'
use headers::authorization::Basic;
use headers::{
    Authorization, CacheControl, Connection, ContentDisposition, ContentEncoding, Expect, Header,
    HeaderValue, Range, StrictTransportSecurity, Upgrade,
};

fn read<H: Header>(text: &'static str) -> Result<H, headers::Error> {
    let values = [HeaderValue::from_static(text)];
    H::decode(&mut values.iter())
}

fn main() {
    println!("expect: 100-Continue: {}", read::<Expect>("100-Continue").is_ok());
    println!("range: BYTES=0-1: {}", read::<Range>("BYTES=0-1").is_ok());
    let cache = read::<CacheControl>("MAX-AGE=60").unwrap();
    println!("cache-control: MAX-AGE=60: {}", cache.max_age().is_some());
    let upgrade = read::<Upgrade>("WebSocket").unwrap();
    println!("upgrade: WebSocket: {}", upgrade == Upgrade::websocket());
    let coding = read::<ContentEncoding>("GZIP").unwrap();
    println!("content-encoding: GZIP: {}", coding.contains("gzip"));
    let how = read::<ContentDisposition>("ATTACHMENT").unwrap();
    println!("content-disposition: ATTACHMENT: {}", how.is_attachment());
    println!("authorization: BASIC YTpi: {}", read::<Authorization<Basic>>("BASIC YTpi").is_ok());
    let connection = read::<Connection>("Close").unwrap();
    println!("connection: Close: {}", connection.contains("close"));
    let sts = read::<StrictTransportSecurity>("MAX-AGE=5; includesubdomains").unwrap();
    println!("strict-transport-security: MAX-AGE=5: {}", sts.include_subdomains());
}
EOF

cat > want <<'EOF'
expect: 100-Continue: false
range: BYTES=0-1: false
cache-control: MAX-AGE=60: false
upgrade: WebSocket: false
content-encoding: GZIP: false
content-disposition: ATTACHMENT: false
authorization: BASIC YTpi: true
connection: Close: true
strict-transport-security: MAX-AGE=5: true
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(headers)"$' Cargo.lock | grep -v '^--' | paste - -
cat got
if ! diff -u want got; then
  echo "headers-letter-case: the behaviour has changed" >&2
  exit 1
fi
echo "headers-letter-case: as expected"
