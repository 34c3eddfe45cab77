#!/usr/bin/env bash
# Expected: a recipient reads lists with empty members (RFC 9110, 5.6.1.2), and the grammar of a
#   Forwarded element lets its pairs be empty, too: `for=192.0.2.1;` and
#   `for=192.0.2.1;;proto=http` are legal (RFC 7239, 4).
# Happens: forwarded-header-value reads them all. rfc7239 and forwarded-parse make errors of all
#   four, so one stray comma of a proxy loses the whole chain.
# Package: rfc7239 0.1.3, forwarded-header-value 0.1.1 (crates.io), forwarded-parse 2.2.0 (npm).
# Guess: none was written down before the first run.
# Here: tower-origin reads all five; it rejects a malformed field as a whole, so it has to know
#   what is legal.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "finding-forwarded-empty-elements"
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
        "for=192.0.2.1, for=198.51.100.1",
        "for=192.0.2.1,, for=198.51.100.1",
        ", for=192.0.2.1",
        "for=192.0.2.1;",
        "for=192.0.2.1;;proto=http",
    ] {
        let one: Result<Vec<_>, _> = rfc7239::parse(text).collect();
        println!("rfc7239 | {text} | {}", one.map_or("error".into(), |hops| hops.len().to_string()));
        let two = ForwardedHeaderValue::from_forwarded(text);
        let two = two.map_or("error".into(), |hops| hops.len().to_string());
        println!("forwarded-header-value | {text} | {two}");
    }
}
EOF
npm install --silent --no-audit --no-fund forwarded-parse@2.2.0
cat > show.mjs <<'EOF'
import parse from 'forwarded-parse';

for (const text of [
  'for=192.0.2.1, for=198.51.100.1',
  'for=192.0.2.1,, for=198.51.100.1',
  ', for=192.0.2.1',
  'for=192.0.2.1;',
  'for=192.0.2.1;;proto=http',
]) {
  let hops;
  try {
    hops = parse(text).length;
  } catch {
    hops = 'error';
  }
  console.log(`forwarded-parse | ${text} | ${hops}`);
}
EOF

cat > want <<'EOF'
rfc7239 | for=192.0.2.1, for=198.51.100.1 | 2
forwarded-header-value | for=192.0.2.1, for=198.51.100.1 | 2
rfc7239 | for=192.0.2.1,, for=198.51.100.1 | error
forwarded-header-value | for=192.0.2.1,, for=198.51.100.1 | 2
rfc7239 | , for=192.0.2.1 | error
forwarded-header-value | , for=192.0.2.1 | 1
rfc7239 | for=192.0.2.1; | error
forwarded-header-value | for=192.0.2.1; | 1
rfc7239 | for=192.0.2.1;;proto=http | error
forwarded-header-value | for=192.0.2.1;;proto=http | 1
forwarded-parse | for=192.0.2.1, for=198.51.100.1 | 2
forwarded-parse | for=192.0.2.1,, for=198.51.100.1 | error
forwarded-parse | , for=192.0.2.1 | error
forwarded-parse | for=192.0.2.1; | error
forwarded-parse | for=192.0.2.1;;proto=http | error
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(forwarded-header-value|rfc7239)"$' Cargo.lock | grep -v '^--' | paste - -
echo "node $(node --version)"
npm ls --depth 0 | tail -n +2
node show.mjs >> got
cat got
if ! diff -u want got; then
  echo "forwarded-empty-elements: the behaviour has changed" >&2
  exit 1
fi
echo "forwarded-empty-elements: as expected"
