#!/usr/bin/env bash
# Expected: every value in Forwarded may be a quoted string (RFC 7239, 4), a host with a port
#   has to be one because of its colon, and the quotes and backslashes are no part of the value.
# Happens: rfc7239 returns host and proto with their quotes and backslashes, so that "https" in
#   quotes is no `https`. forwarded-header-value strips the quotes of the host but keeps the
#   backslash of a quoted pair, and a quoted proto makes the whole field an error.
# Package: rfc7239 0.1.3, forwarded-header-value 0.1.1 (crates.io).
# Guess: none was written down before the first run.
# Here: tower-origin reads quoted values of every parameter; compare with it before you trust
#   another reader behind a proxy that quotes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "finding-rfc7239-quoted-values"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
forwarded-header-value = "=0.1.1"
rfc7239 = "=0.1.3"
EOF
cat > src/main.rs <<'EOF'
use forwarded_header_value::ForwardedHeaderValue;

fn main() {
    for text in [
        "for=192.0.2.1;host=example.org;proto=https",
        r#"for="192.0.2.1";host="example.org:8080";proto="https""#,
        r#"for="[2001:db8::1]:80";host="example.org:8080""#,
        r#"host="ex\ample.org""#,
    ] {
        println!("{text}");
        for node in rfc7239::parse(text) {
            match node {
                Ok(node) => println!("  rfc7239: host {:?}, proto {:?}", node.host, node.protocol),
                Err(error) => println!("  rfc7239: {error}"),
            }
        }
        match ForwardedHeaderValue::from_forwarded(text) {
            Ok(value) => {
                let first = value.iter().next().unwrap();
                println!("  forwarded-header-value: {:?}, {:?}", first.forwarded_host, first.forwarded_proto);
            }
            Err(error) => println!("  forwarded-header-value: {error:?}"),
        }
    }
}
EOF

cat > want <<'EOF'
for=192.0.2.1;host=example.org;proto=https
  rfc7239: host Some("example.org"), proto Some("https")
  forwarded-header-value: Some("example.org"), Some(Https)
for="192.0.2.1";host="example.org:8080";proto="https"
  rfc7239: host Some("\"example.org:8080\""), proto Some("\"https\"")
  forwarded-header-value: InvalidProtocol
for="[2001:db8::1]:80";host="example.org:8080"
  rfc7239: host Some("\"example.org:8080\""), proto None
  forwarded-header-value: Some("example.org:8080"), None
host="ex\ample.org"
  rfc7239: host Some("\"ex\\ample.org\""), proto None
  forwarded-header-value: Some("ex\\ample.org"), None
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(forwarded-header-value|rfc7239)"$' Cargo.lock | grep -v '^--' | paste - -
cat got
if ! diff -u want got; then
  echo "rfc7239-quoted-values: the behaviour has changed" >&2
  exit 1
fi
echo "rfc7239-quoted-values: as expected"
